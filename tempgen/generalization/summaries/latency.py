"""When a curve peaks, rises and falls, and how finely that may be told.

A latency is read off a curve whose points are whole TRs apart, and is interpolated between them to be computed with: to
average, to compare, to resample. It is *told* in whole multiples of ``resolution_s``, the larger of the step of the volume
grid and the TR at which the scanner measured (NSD was acquired at 1.6 s and upsampled to 1.333 s, which made volumes but
no measurements); bounds of intervals are rounded outwards. Even that is only how finely time was sampled: a window is
several TRs wide and the haemodynamic response wider, and all latencies are those of a window's end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["half_crossings", "jackknife_error", "order_interval", "peak_positions", "told_s"]

_ROUNDING = 1e-6  # of a resolution: what binary fractions of a TR may be off


def told_s(seconds: float, *, resolution_s: float, towards: str = "nearest") -> float:
    """Seconds as a whole multiple of the resolution: the nearest (halves up), the one below, or the one above.

    Parameters
    ----------
    seconds : float
        NaN and infinities stay.
    resolution_s : float
    towards : {"nearest", "below", "above"}

    Examples
    --------
    >>> round(told_s(10.667, resolution_s=1.6), 2), round(told_s(10.667, resolution_s=1.6, towards="below"), 2)
    (11.2, 9.6)
    """
    steps = seconds / resolution_s
    rounded = {
        "nearest": np.floor(steps + 0.5 + _ROUNDING),
        "below": np.floor(steps + _ROUNDING),
        "above": np.ceil(steps - _ROUNDING),
    }[towards]
    return float(rounded * resolution_s)


def peak_positions(curves: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position of the largest value of each curve, the first of equal ones; -1 where none is above 0.

    Parameters
    ----------
    curves : array, shape (n_curves, n_lags)
        Scores above chance; NaN are passed over.

    Examples
    --------
    >>> peak_positions(np.array([[0.1, 0.3, 0.3], [-0.1, -0.2, 0.0]]))
    array([ 1, -1])
    """
    filled = np.where(np.isnan(curves), -np.inf, curves)
    largest = filled.argmax(axis=1)
    return np.where(filled.max(axis=1) > 0, largest, -1)


def half_crossings(
    curves: NDArray[np.float64], seconds: NDArray[np.float64], *, fraction: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When curves rise to a fraction of their peak, and when they fall below it again.

    From the peak one goes back to the last point k below ``theta = fraction * peak`` and interpolates:
    ``t_k + (theta - c_k) / (c_k+1 - c_k) * (t_k+1 - t_k)``; forwards in the same way. So a crossing belongs to the
    peak, and not to a ripple far from it.

    Parameters
    ----------
    curves : array, shape (n_curves, n_lags)
        Scores above chance.
    seconds : array, shape (n_lags,)
        Ascending.
    fraction : float
        Between 0 and 1.

    Returns
    -------
    rise, fall : array, shape (n_curves,)
        Seconds. -inf and +inf where the curve is above theta from the first lag on, or up to the last: it crossed before
        or after what was tested. NaN where no point is above 0 or a point is missing.

    Source
    ------
    Fraction of the peak's amplitude: Miller, Patterson and Ulrich 1998, doi:10.1111/1469-8986.3510099; searched from the
    peak: Liesefeld 2018, doi:10.3389/fnins.2018.00765.

    Examples
    --------
    >>> rise, fall = half_crossings(np.array([[0.0, 0.0, 1.0, 0.8, 0.3]]), np.arange(5.0))
    >>> rise.round(2), fall.round(2)
    (array([1.5]), array([3.6]))
    """
    peak = peak_positions(curves)
    rise = _rise(curves, seconds, peak, fraction)
    last = curves.shape[1] - 1
    mirrored_peak = np.where(peak < 0, -1, last - peak)
    fall = -_rise(curves[:, ::-1], -seconds[::-1], mirrored_peak, fraction)
    return rise, fall


def _rise(
    curves: NDArray[np.float64], seconds: NDArray[np.float64], peak: NDArray[np.int64], fraction: float
) -> NDArray[np.float64]:
    rows, lags = np.arange(len(curves)), np.arange(curves.shape[1])
    defined = (peak >= 0) & ~np.isnan(curves).any(axis=1)
    theta = fraction * curves[rows, peak]
    below = (curves < theta[:, np.newaxis]) & (lags < peak[:, np.newaxis])
    last_below = np.where(below, lags, -1).max(axis=1)
    k = np.maximum(last_below, 0)
    after = np.minimum(k + 1, len(lags) - 1)
    step = curves[rows, after] - curves[rows, k]
    share = np.divide(theta - curves[rows, k], step, out=np.zeros_like(theta), where=step > 0)
    crossing = seconds[k] + share * (seconds[after] - seconds[k])
    return np.where(defined, np.where(last_below < 0, -np.inf, crossing), np.nan)


def order_interval(draws: NDArray[np.float64], *, level: float) -> tuple[float, float]:
    """Percentile interval whose bounds are draws: for latencies, which may be infinite or lie on a grid.

    Parameters
    ----------
    draws : array, shape (n_draws,)
        NaN are left out.

    Returns
    -------
    low, high : float
        NaN if all draws are.

    Examples
    --------
    >>> order_interval(np.array([-np.inf, 2.0, 3.0, np.nan, 4.0]), level=0.9)
    (-inf, 4.0)
    """
    ordered = np.sort(draws[~np.isnan(draws)])
    if not len(ordered):
        return np.nan, np.nan
    last = len(ordered) - 1
    low, high = int(np.floor((1 - level) / 2 * last)), int(np.ceil((1 + level) / 2 * last))
    return float(ordered[low]), float(ordered[high])


def jackknife_error(left_out: NDArray[np.float64]) -> float:
    """Standard error from estimates without each unit: ``sqrt((n - 1) / n * sum_u (L_u - mean L)^2)``.

    Parameters
    ----------
    left_out : array, shape (n_units,)

    Returns
    -------
    float
        NaN if any of them is not finite.

    Source
    ------
    Miller, Patterson and Ulrich 1998, doi:10.1111/1469-8986.3510099.

    Examples
    --------
    >>> of_a_mean = np.array([2.5, 2.0, 1.5])  # of 1, 2, 3, each left out in turn
    >>> round(jackknife_error(of_a_mean), 4), round(float(np.std([1, 2, 3], ddof=1)) / 3**0.5, 4)
    (0.5774, 0.5774)
    """
    if not np.isfinite(left_out).all():
        return np.nan
    n_units = len(left_out)
    spread = np.sum((left_out - left_out.mean()) ** 2)
    return float(np.sqrt((n_units - 1) / n_units * spread))
