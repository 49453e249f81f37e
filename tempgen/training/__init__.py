"""One training loop for every decoder: see :func:`train`."""

from tempgen.training.loop import train
from tempgen.training.outcome import TrainingOutcome
from tempgen.training.task import TrainingTask

__all__ = ["TrainingOutcome", "TrainingTask", "train"]
