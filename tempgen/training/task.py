"""What the training loop needs to know of what it trains: nothing but this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


class TrainingTask(Protocol):
    """Something to minimize: a module with a loss, and the batches that it is computed from.

    Attributes
    ----------
    name : str
        For messages and curves.
    module : nn.Module
        ``module(**batch)`` gives a dictionary of scalars: ``"loss"`` is minimized (a mean over the batch's rows), others
        are logged. Only parameters that require gradients are trained and saved. A frozen part that must stay in eval mode
        sees to that in the module's ``train``. If the module has ``enable_gradient_checkpointing()``, the option uses it.
    n_samples : int
        Rows of the training set.
    recipe : mapping
        Plain values that determine the result; a checkpoint of another recipe is refused.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def module(self) -> nn.Module: ...  # noqa: D102

    @property
    def n_samples(self) -> int: ...  # noqa: D102

    @property
    def recipe(self) -> Mapping[str, Any]: ...  # noqa: D102

    def batch(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        """CPU tensors for these rows of the training set; the same for the same (row, step), whatever else is in ``rows``."""
        ...

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Scores on held-out training runs, ``{}`` if nothing is held out.

        The module is in eval mode, without gradients and with averaged weights if an average is kept. The key ``"monitor"``
        decides which weights are best: the lower the better.
        """
        ...
