"""Which rows a step sees and how large its update is: functions of the step alone, so that a resumed run needs no state."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tempgen.config.optimization import OptimizationConfig


@lru_cache(maxsize=2)  # a step touches one epoch or the seam of two
def epoch_order(n_samples: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of the training set's rows in an epoch: a permutation keyed by ``(seed, epoch)``."""
    order = np.random.default_rng((seed, epoch)).permutation(n_samples)
    order.setflags(write=False)  # it is shared
    return order


def rows_of_step(step: int, *, n_samples: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Rows of the training set that one update sees.

    Epochs follow one another without a seam: a batch may hold the end of one and the start of the next, so all are full.

    Parameters
    ----------
    step : int
        From 0.

    Returns
    -------
    array of int64, shape (batch_size,)

    Examples
    --------
    >>> two_epochs = [rows_of_step(step, n_samples=6, batch_size=4, seed=0) for step in range(3)]
    >>> np.bincount(np.concatenate(two_epochs)).tolist()
    [2, 2, 2, 2, 2, 2]
    """
    first, stop = step * batch_size, (step + 1) * batch_size
    parts = []
    while first < stop:
        epoch, offset = divmod(first, n_samples)
        part = epoch_order(n_samples, seed=seed, epoch=epoch)[offset : offset + stop - first]
        parts.append(part)
        first += len(part)
    return np.concatenate(parts)


def learning_rate(step: int, config: OptimizationConfig) -> float:
    """Learning rate of the update of ``step`` (from 0): a linear rise, then a cosine to 0 or a constant.

    Examples
    --------
    >>> config = OptimizationConfig(n_steps=10, learning_rate=1.0, warmup_steps=2)
    >>> [round(learning_rate(step, config), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    progress = (step - config.warmup_steps) / max(1, config.n_steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
