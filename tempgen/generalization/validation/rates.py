"""Rates over independent data sets, and how well so many data sets determine them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import ResultsError

__all__ = ["clopper_pearson", "share_interval"]


def clopper_pearson(
    n_successes: ArrayLike, n: ArrayLike, *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact interval of a probability, of which n independent trials gave ``n_successes``.

    ``low`` is the quantile (1 - level) / 2 of Beta(k, n - k + 1), 0 for k = 0; ``high`` the quantile (1 + level) / 2 of
    Beta(k + 1, n - k), 1 for k = n. It covers at least ``level`` of the time, mostly more.

    Parameters
    ----------
    n_successes, n : array of int, of shapes that broadcast
    level : float
        Between 0 and 1.

    Returns
    -------
    low, high : array of float
        NaN where n is 0.

    Raises
    ------
    ResultsError
        If the level is not between 0 and 1, or there are more successes than trials, or less than none.

    Source
    ------
    Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> low, high = clopper_pearson(10, 200)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0242, 0.09)
    """
    from scipy.special import betaincinv

    k, n = np.broadcast_arrays(np.asarray(n_successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if not 0 < level < 1:
        raise ResultsError(f"A level between 0 and 1 is needed, got {level}.")
    if np.any((k < 0) | (k > n)):
        raise ResultsError("Of n trials 0 to n are successes; got fewer or more.")
    # parameters of 0 stand where the bound is 0 or 1 by definition
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, (1 - level) / 2), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), (1 + level) / 2), 1.0)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def share_interval(
    shares: NDArray[np.float64], *, level: float = 0.95
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Mean over data sets of the share that each gives, e.g. of its lags that an interval covers.

    Lags of a data set are not independent, data sets are: the interval is mean -+ t(n - 1) SD / sqrt(n) over data sets.

    Parameters
    ----------
    shares : array, shape (..., n_datasets)
        Each between 0 and 1; NaN where a data set has none.

    Returns
    -------
    mean, low, high : array, shape (...)
        Within 0 and 1. NaN without data sets; the bounds also with a single one.

    Examples
    --------
    >>> mean, low, high = share_interval(np.array([1.0, 0.8, 0.9, np.nan]))
    >>> round(float(mean), 2), round(float(low), 2), round(float(high), 2)
    (0.9, 0.65, 1.0)
    """
    from scipy.special import stdtrit

    n = np.count_nonzero(~np.isnan(shares), axis=-1)
    mean = np.where(n > 0, np.nansum(shares, axis=-1) / np.maximum(n, 1), np.nan)
    squares = np.nansum((shares - mean[..., np.newaxis]) ** 2, axis=-1)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1))
        reach = np.where(n > 1, stdtrit(np.maximum(n - 1, 1), (1 + level) / 2) * error, np.nan)
    return mean, np.clip(mean - reach, 0, 1), np.clip(mean + reach, 0, 1)
