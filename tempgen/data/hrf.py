"""Hemodynamic response functions (HRFs): the double gamma, and the BOLD that lasting activity evokes through it.

With the gamma density ``g(u; a) = u^(a - 1) exp(-u) / Gamma(a)`` for u > 0, the canonical response is

    H(u) = g(u; 6) - g(u; 16) / 6

which peaks at u* = 5.0. A response with another time to peak ``p`` is the same curve stretched in time, scaled to a peak of 1:

    h(t; p) = H(u* t / p) / H(u*)

Source: SPM's canonical HRF (spm_hrf: delays of response and undershoot 6 and 16 s, dispersions 1 s, ratio 6; Friston et al. 1998,
NeuroImage 7:30-40); the difference of two gammas is due to Glover (1999), NeuroImage 9:416-429.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import ConfigError

RESPONSE_SHAPE = 6.0
UNDERSHOOT_SHAPE = 16.0
UNDERSHOOT_RATIO = 1 / 6
"""Shapes of the two gammas and the weight of the second. Source: SPM's canonical HRF."""

HRF_LENGTH = 8.0
"""An HRF is taken as over after this many times to peak: there it is below 1e-5 of its peak. Source: the formula above."""

_CHUNK_VOXELS = 256


def double_gamma(
    time_s: ArrayLike,
    *,
    time_to_peak_s: ArrayLike,
    undershoot_ratio: float = UNDERSHOOT_RATIO,
    response_shape: float = RESPONSE_SHAPE,
    undershoot_shape: float = UNDERSHOOT_SHAPE,
) -> NDArray[np.float64]:
    r"""BOLD response to an instant of neural activity: a gamma minus a later, smaller one, stretched to a given time to peak.

    Parameters
    ----------
    time_s : array, any shape
        Seconds since the activity; the response is 0 up to time 0.
    time_to_peak_s : float or array, shape (n_voxels,)
        Where the response is largest; exact, whatever the shapes.
    undershoot_ratio : float
        Weight of the undershoot, from 0 (none) to below 1.
    response_shape, undershoot_shape : float
        Shapes of the two gammas. The larger both are, the narrower the response for its time to peak.

    Returns
    -------
    array, shape (\*time_to_peak_s.shape, \*time_s.shape)
        Peak 1.

    Raises
    ------
    ConfigError
        If a time to peak is not positive, the ratio is outside [0, 1), or not 1 < response_shape < undershoot_shape.

    Notes
    -----
    Fitted by its time to peak alone, it correlates with the 20 HRFs that NSD's authors estimated at 0.99 (median; 0.96 to 0.995, but for the two
    slowest, 0.93 and 0.92, which have longer tails).

    Examples
    --------
    >>> double_gamma([0, 2.5, 5, 15], time_to_peak_s=5).round(2).tolist()
    [0.0, 0.38, 1.0, -0.09]
    """
    peaks = np.asarray(time_to_peak_s, dtype=np.float64)
    if not (peaks > 0).all():
        raise ConfigError(f"A time to peak must be positive, but the smallest is {peaks.min():g} s.")
    if not (0 <= undershoot_ratio < 1 and 1 < response_shape < undershoot_shape):
        raise ConfigError(
            f"A double gamma needs 0 <= undershoot_ratio < 1 and 1 < response_shape < undershoot_shape; "
            f"given are {undershoot_ratio:g}, {response_shape:g} and {undershoot_shape:g}."
        )
    shape = (float(undershoot_ratio), float(response_shape), float(undershoot_shape))
    canonical_peak, height = _canonical_peak(*shape)
    stretched = np.multiply.outer(canonical_peak / peaks, np.asarray(time_s, dtype=np.float64))
    return _canonical(stretched, *shape) / height


def evoked_kernel(
    activity: NDArray[np.floating],
    *,
    duration_s: float,
    time_to_peak_s: NDArray[np.floating],
    step_s: float,
    n_steps: int,
) -> NDArray[np.float64]:
    """BOLD that activity of a given time course evokes: its convolution with each voxel's HRF, sampled at regular times.

    ``kernel[c, v, i] = integral from 0 to duration_s of activity[c](latency) h(i step_s - latency; p_v)``, by the midpoint rule.

    Parameters
    ----------
    activity : array, shape (n_components, n_latencies)
        Neural activity at the midpoints of ``n_latencies`` equal steps from onset to ``duration_s``.
    duration_s : float
        Latency at which the activity ends.
    time_to_peak_s : array, shape (n_voxels,)
        Of each voxel's HRF (:func:`double_gamma`, peak 1).
    step_s, n_steps : float, int
        Grid on which the response is sampled, from onset on: the TR and the number of volumes.

    Returns
    -------
    array, shape (n_components, n_voxels, n_steps)
        In units of activity x seconds.

    Raises
    ------
    ConfigError
        If a duration, a step or a time to peak is not positive.

    Examples
    --------
    The response to 3 s of activity peaks about half of that later than the response to an instant:

    >>> kernel = evoked_kernel(np.ones((1, 30)), duration_s=3, time_to_peak_s=np.array([5.0]), step_s=0.1, n_steps=200)
    >>> print(f"{0.1 * kernel[0, 0].argmax():.1f} s")
    6.6 s
    """
    if duration_s <= 0 or step_s <= 0 or n_steps < 1:
        raise ConfigError(
            f"An evoked response needs a positive duration and grid; given are {duration_s:g} s, {n_steps} x {step_s:g} s."
        )
    activity = np.atleast_2d(np.asarray(activity, dtype=np.float64))
    width_s = duration_s / activity.shape[1]
    latency_s = (np.arange(activity.shape[1]) + 0.5) * width_s
    since_activity_s = np.subtract.outer(np.arange(n_steps) * step_s, latency_s)  # (n_steps, n_latencies)
    kernel = np.empty((len(activity), len(time_to_peak_s), n_steps))
    for start in range(0, len(time_to_peak_s), _CHUNK_VOXELS):
        voxels = slice(start, start + _CHUNK_VOXELS)
        response = double_gamma(since_activity_s, time_to_peak_s=time_to_peak_s[voxels])
        kernel[:, voxels] = np.moveaxis(response @ activity.T, -1, 0) * width_s
    return kernel


def _canonical(
    time_s: NDArray[np.float64], undershoot_ratio: float, response_shape: float, undershoot_shape: float
) -> NDArray[np.float64]:
    return _gamma_density(time_s, response_shape) - undershoot_ratio * _gamma_density(
        time_s, undershoot_shape
    )


def _gamma_density(time_s: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
    from scipy.special import gammaln, xlogy

    positive = np.maximum(time_s, 0.0)
    return np.where(time_s > 0, np.exp(xlogy(shape - 1, positive) - positive - gammaln(shape)), 0.0)


@lru_cache(maxsize=32)
def _canonical_peak(
    undershoot_ratio: float, response_shape: float, undershoot_shape: float
) -> tuple[float, float]:
    """Time and height of the canonical response's peak, which the undershoot moves a little before the first gamma's mode."""
    from scipy.optimize import minimize_scalar

    def fall(time_s: float) -> float:
        return -float(_canonical(np.array([time_s]), undershoot_ratio, response_shape, undershoot_shape)[0])

    peak = minimize_scalar(fall, bounds=(0.0, response_shape), method="bounded", options={"xatol": 1e-10})
    return float(peak.x), -float(peak.fun)
