"""Intervals of means over trials that share images: draw images, not trials."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError

__all__ = ["IntervalMethod", "bca_interval", "bootstrap_means", "cluster_bootstrap", "percentile_interval"]

IntervalMethod = Literal["percentile", "bca"]

_BLOCK_DRAWS = 200  # bootstrap samples weighted at once: 5 MB with 3,000 images


def cluster_bootstrap(
    values: NDArray[np.float64],
    units: NDArray[Any],
    *,
    n_draws: int,
    level: float,
    seed: int,
    method: IntervalMethod = "percentile",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of means over trials that are not independent, for many curves at once.

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
    method : {"percentile", "bca"}
        BCa corrects for bias and skewness: better where the scores are skewed and the units are few.

    Returns
    -------
    low, high : array, shape (n_curves,)
        NaN for a curve without values; for BCa also for one whose values are all of one unit.

    Raises
    ------
    ResultsError
        If there are fewer than two units, no draws, the level is not between 0 and 1 or the method is unknown.

    Source
    ------
    Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x (random cluster bootstrap); Efron 1987,
    doi:10.1080/01621459.1987.10478410 (BCa).
    """
    if method not in get_args(IntervalMethod):
        raise ResultsError(
            f"There is no interval {method!r}; choose {' or '.join(get_args(IntervalMethod))}."
        )
    if n_draws < 1 or not 0 < level < 1:
        raise ResultsError(
            f"A bootstrap needs 1 draw or more and a level between 0 and 1, got {n_draws} and {level}."
        )
    means = bootstrap_means(values, units, n_draws=n_draws, seed=seed)
    if method == "percentile":
        return percentile_interval(means, level=level)
    sums, counts, _ = _unit_sums(values, units)
    total, n_scored = sums.sum(axis=0), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        estimate = total / n_scored
        left_out = (total - sums) / (n_scored - counts)
    # A unit without trials in a curve is no unit of that curve
    left_out[counts == 0] = np.nan
    return bca_interval(means, estimate=estimate, left_out=left_out, level=level)


def bootstrap_means(
    values: NDArray[np.float64], units: NDArray[Any], *, n_draws: int, seed: int
) -> NDArray[np.float64]:
    """Means of bootstrap samples of units, to make intervals of anything that follows from several means.

    Each draw takes as many units as there are, with replacement, and means over all their trials. Only sums and counts
    per unit are needed: with w_u the times that unit u was drawn, mean = sum_u w_u s_u / sum_u w_u n_u.

    Parameters
    ----------
    values : array, shape (n_curves, n_trials)
        NaN where a trial was not scored. All curves share the draws, so that differences between them are paired.
    units : array, shape (n_trials,)
        What each trial belongs to (its image).
    n_draws : int
        Bootstrap samples.
    seed : int
        The same seed draws the same units as long as their number is the same.

    Returns
    -------
    array, shape (n_draws, n_curves)
        NaN where no trial of the drawn units was scored.

    Raises
    ------
    ResultsError
        If there are fewer than two units.
    """
    sums, counts, n_units = _unit_sums(values, units)
    n_curves = sums.shape[1]
    # Curves are mostly scored at the same trials, so that their counts are the same and are weighted once
    distinct_counts, counts_of = np.unique(counts, axis=1, return_inverse=True)
    columns = np.concatenate([sums, distinct_counts], axis=1)
    rng = np.random.default_rng(seed)
    means = np.empty((n_draws, n_curves))
    for first in range(0, n_draws, _BLOCK_DRAWS):
        n_block = min(_BLOCK_DRAWS, n_draws - first)
        drawn = rng.integers(n_units, size=(n_block, n_units)) + n_units * np.arange(n_block)[:, np.newaxis]
        weights = (
            np.bincount(drawn.ravel(), minlength=n_block * n_units)
            .reshape(n_block, n_units)
            .astype(np.float64)
        )
        weighted = weights @ columns
        total = weighted[:, n_curves:][:, counts_of.ravel()]
        means[first : first + n_block] = np.where(
            total > 0, weighted[:, :n_curves] / np.maximum(total, 1), np.nan
        )
    return means


def percentile_interval(
    draws: NDArray[np.float64], *, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quantiles (1 - level) / 2 and (1 + level) / 2 of bootstrap draws.

    Parameters
    ----------
    draws : array, shape (n_draws, ...)
        A statistic of each bootstrap sample; NaN are left out.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : array, shape (...)
        NaN where all draws are.
    """
    ordered = np.sort(draws, axis=0)
    shares = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = (_quantile_of_sorted(ordered, np.broadcast_to(share, draws.shape[1:])) for share in shares)
    return low, high


def bca_interval(
    draws: NDArray[np.float64], *, estimate: NDArray[np.float64], left_out: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bias-corrected and accelerated interval of bootstrap draws.

    The quantiles that are taken are Phi(z0 + (z0 + z) / (1 - a (z0 + z))) with z = Phi^-1((1 -+ level) / 2), bias
    correction z0 = Phi^-1(share of draws below the estimate, ties counting 1/2) and acceleration
    a = sum d_u^3 / (6 (sum d_u^2)^1.5), where d_u = mean over units of the left-out estimates - that without unit u.

    Parameters
    ----------
    draws : array, shape (n_draws, ...)
        A statistic of each bootstrap sample; NaN are left out.
    estimate : array, shape (...)
        The statistic of all units.
    left_out : array, shape (n_units, ...)
        The statistic without each unit in turn (jackknife); NaN for units that do not count.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : array, shape (...)
        NaN where the estimate or all draws are NaN, or where fewer than two units count.

    Source
    ------
    Efron 1987, doi:10.1080/01621459.1987.10478410, with the jackknife of units in place of that of single values.
    """
    from scipy.special import ndtr, ndtri

    ordered = np.sort(draws, axis=0)
    n_there = np.count_nonzero(~np.isnan(ordered), axis=0)
    n_below = np.count_nonzero(ordered < estimate, axis=0) + 0.5 * np.count_nonzero(
        ordered == estimate, axis=0
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where no draw, or every draw, lies below, half a draw stands for the infinitely many that were not made
        bias = ndtri(np.clip(n_below / n_there, 0.5 / n_there, 1 - 0.5 / n_there))
    counts = ~np.isnan(left_out)
    n_units = np.count_nonzero(counts, axis=0)
    centre = np.where(counts, left_out, 0).sum(axis=0) / np.maximum(n_units, 1)
    deviation = np.where(counts, centre - left_out, 0)
    squares = np.square(deviation).sum(axis=0)
    cubes = (deviation**3).sum(axis=0)
    acceleration = np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2])).reshape(2, *(1,) * bias.ndim)
    shares = ndtr(bias + z / (1 - acceleration * z))
    known = (n_units > 1) & ~np.isnan(estimate) & (n_there > 0)
    low, high = (np.where(known, _quantile_of_sorted(ordered, share), np.nan) for share in shares)
    return low, high


def _quantile_of_sorted(ordered: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles along the first axis, linear between draws, another one for each column; NaN stand last."""
    n_there = np.count_nonzero(~np.isnan(ordered), axis=0)
    position = np.nan_to_num(share) * np.maximum(n_there - 1, 0)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(n_there - 1, 0))
    lower, upper = (np.take_along_axis(ordered, k[np.newaxis], axis=0)[0] for k in (below, above))
    quantile: NDArray[np.float64] = lower + (position - below) * (upper - lower)
    return quantile


def _unit_sums(
    values: NDArray[np.float64], units: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Sum and number of scored trials of each unit in each curve, shapes (n_units, n_curves), and n_units."""
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
    counts = np.stack([np.bincount(unit[row], minlength=n_units) for row in there], axis=1)
    return sums.astype(np.float64), counts.astype(np.float64), n_units
