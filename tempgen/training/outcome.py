"""What a training run reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class TrainingOutcome:
    """Result of :func:`~tempgen.training.train`; the weights are in the task's module.

    Attributes
    ----------
    n_steps : int
        Updates made in all.
    chosen_step : int
        Updates after which the chosen weights were taken.
    keep : str
        The rule that chose them, ``"best"`` or ``"last"``.
    monitor : float or None
        The chosen weights' score, if held-out runs chose them.
    scores : dict
        The chosen weights' validation; empty if nothing was held out.
    loss : float or None
        Mean training loss over the last steps of this call; None if nothing was left to do.
    seconds, samples_per_second : float
        Of this call, without what earlier ones did.
    folder : Path
    """

    n_steps: int
    chosen_step: int
    keep: str
    monitor: float | None
    scores: dict[str, float] = field(default_factory=dict)
    loss: float | None = None
    seconds: float = 0.0
    samples_per_second: float = 0.0
    weights: Path = Path()
