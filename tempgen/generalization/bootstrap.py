"""Intervals of means over trials that share images: draw images, not trials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError

__all__ = ["cluster_bootstrap"]

_BLOCK_DRAWS = 200  # bootstrap samples weighted at once: 5 MB with 3,000 images


def cluster_bootstrap(
    values: NDArray[np.float64], units: NDArray[Any], *, n_draws: int, level: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval of means over trials that are not independent.

    Each draw takes as many units as there are, with replacement, and means over all their trials. Only sums and counts
    per unit are needed: with w_u the times that unit u was drawn, mean = sum_u w_u s_u / sum_u w_u n_u.

    Parameters
    ----------
    values : array, shape (n_curves, n_trials)
        NaN where a trial was not scored. All curves share the draws.
    units : array, shape (n_trials,)
        What each trial belongs to (its image).
    n_draws : int
        Bootstrap samples.
    level : float
        Coverage, between 0 and 1.
    seed : int

    Returns
    -------
    low, high : array, shape (n_curves,)
        NaN for a curve without values.

    Raises
    ------
    ResultsError
        If there are fewer than two units, no draws, or the level is not between 0 and 1.

    Source
    ------
    Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x (random cluster bootstrap).
    """
    if n_draws < 1 or not 0 < level < 1:
        raise ResultsError(
            f"A bootstrap needs 1 draw or more and a level between 0 and 1, got {n_draws} and {level}."
        )
    distinct, unit = np.unique(units, return_inverse=True)
    n_units = len(distinct)
    if n_units < 2:
        raise ResultsError(
            f"An interval over {n_units} unit says nothing; needed are at least 2. Choose another unit."
        )
    there = ~np.isnan(values)
    sums = np.stack(
        [np.bincount(unit, weights=row, minlength=n_units) for row in np.where(there, values, 0)], axis=1
    )
    counts = np.stack([np.bincount(unit, weights=row, minlength=n_units) for row in there], axis=1)
    rng = np.random.default_rng(seed)
    means = np.empty((n_draws, len(values)))
    for first in range(0, n_draws, _BLOCK_DRAWS):
        n_block = min(_BLOCK_DRAWS, n_draws - first)
        drawn = rng.integers(n_units, size=(n_block, n_units)) + n_units * np.arange(n_block)[:, np.newaxis]
        weights = (
            np.bincount(drawn.ravel(), minlength=n_block * n_units)
            .reshape(n_block, n_units)
            .astype(np.float64)
        )
        total = weights @ counts
        means[first : first + n_block] = np.where(total > 0, weights @ sums / np.maximum(total, 1), np.nan)
    interval = np.full((2, len(values)), np.nan)
    scored = there.any(axis=1)
    interval[:, scored] = np.nanquantile(means[:, scored], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return interval[0], interval[1]
