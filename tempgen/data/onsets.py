"""Onsets and the volume grid: to the nearest volume, or the series resampled to a grid on which the onsets lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import ConfigError, SourceDataError

ONSET_TOLERANCE_S = 0.010
"""Onsets this close to a grid lie on it: less than a frame of a 60 Hz display (16.7 ms), the jitter of logged onsets."""
MAX_UPSAMPLING = 4
"""A grid looked for is at most this many times finer than the TR: beyond it, nearly any onsets lie on some grid, and
the volumes between the measured ones only repeat them."""
_ROUNDING_S = 1e-6
"""Times closer than this are equal: events files give at most microseconds."""


@dataclass(frozen=True)
class OnsetGrid:
    """Times ``start_s + k * tr_s``, k = 0, 1, ..., from the first volume of a run.

    Attributes
    ----------
    tr_s : float
        Step of the grid (s).
    start_s : float
        Time of its first point (s), at least 0 and less than a step.
    max_residual_s : float
        Largest distance of an onset from the grid (s).
    """

    tr_s: float
    start_s: float
    max_residual_s: float


def nearest_volume(onset_s: ArrayLike, *, tr_s: float, start_s: float = 0.0) -> NDArray[np.int64]:
    """Volume nearest to each onset; an onset halfway goes to the later one, so that a design at half TRs is shifted as one.

    Parameters
    ----------
    onset_s : array of float, shape (n_onsets,)
        Seconds from the first volume of the file.
    tr_s, start_s : float
        Seconds between volumes, and time of volume 0.

    Returns
    -------
    array of int, shape (n_onsets,)

    Examples
    --------
    >>> nearest_volume([0.9, 1.0, 3.0, 5.2], tr_s=2.0).tolist()
    [0, 1, 2, 3]
    """
    steps = (np.asarray(onset_s, dtype=np.float64) - start_s) / tr_s
    return np.floor(steps + 0.5 + _ROUNDING_S / tr_s).astype(np.int64)


def find_onset_grid(
    onset_s: ArrayLike, *, tr_s: float, grid_tr_s: float | None = None, tolerance_s: float = ONSET_TOLERANCE_S
) -> OnsetGrid:
    """The coarsest grid, no coarser than the TR, on which all onsets lie.

    For each number k of steps between the first onset and the last, the step is fitted to all onsets by least squares;
    of the steps that leave no onset farther than the tolerance from the grid, the largest is taken. The volumes
    themselves come first; a whole fraction of the TR, or a whole number of milliseconds, is preferred to the fit where it
    serves as well.

    Parameters
    ----------
    onset_s : array of float, shape (n_onsets,)
        Onsets of all runs (s), each from the first volume of its run, at least 0.
    tr_s : float
        Seconds between the volumes of the file.
    grid_tr_s : float or None
        Step of the grid, if it is known: then only its start is looked for. Onsets that it misses are allowed, and the
        grid starts with the first volume.
    tolerance_s : float
        Farthest that an onset may lie from the grid (s).

    Returns
    -------
    OnsetGrid

    Raises
    ------
    ConfigError
        If ``grid_tr_s`` is not positive or exceeds the TR.
    SourceDataError
        If there are no onsets, or no step from TR / ``MAX_UPSAMPLING`` to the TR serves.

    Examples
    --------
    >>> find_onset_grid([0.5, 2.0, 6.5, 8.0], tr_s=2.0)
    OnsetGrid(tr_s=1.5, start_s=0.5, max_residual_s=0.0)
    """
    onsets = np.unique(np.asarray(onset_s, dtype=np.float64))
    if not onsets.size:
        raise SourceDataError("No onset came; at least one is needed to find a grid. Check the events files.")
    if grid_tr_s is not None:
        if not 0 < grid_tr_s <= tr_s + _ROUNDING_S:
            raise ConfigError(
                f"resample_tr_s={grid_tr_s:g} came; it must be positive and at most the TR, {tr_s:g} s "
                "(a coarser grid would alias)."
            )
        fitted = _fit_start(onsets, grid_tr_s)
        return fitted if fitted.max_residual_s <= tolerance_s else _grid(onsets, grid_tr_s, 0.0)
    closest = _grid(onsets, tr_s, 0.0)
    if closest.max_residual_s <= tolerance_s:
        return closest  # the volumes themselves: nothing to resample
    for step in _steps(onsets, tr_s=tr_s, tolerance_s=tolerance_s):
        grid = _fit_start(onsets, step)
        if grid.max_residual_s <= tolerance_s + _ROUNDING_S:
            return grid
        closest = min(closest, grid, key=lambda found: found.max_residual_s)
    raise SourceDataError(
        f"The {onsets.size} onsets lie on no grid with a step between {tr_s / MAX_UPSAMPLING:.4g} s and the TR, {tr_s:.4g} s, "
        f"to within {1e3 * tolerance_s:.0f} ms; the closest, every {closest.tr_s:.4g} s from {closest.start_s:.4g} s, misses one by "
        f"{1e3 * closest.max_residual_s:.0f} ms. Give a step (resample_tr_s; each onset then goes to the nearest resampled "
        "volume), or take the nearest volumes (onsets: nearest)."
    )


def resampled_length(n_tr: int, *, tr_s: float, new_tr_s: float, start_s: float) -> int:
    """Volumes of a resampled run: the times ``start_s + j * new_tr_s`` that lie between its first and last volume.

    Raises
    ------
    SourceDataError
        If there is none.

    Examples
    --------
    >>> resampled_length(10, tr_s=2.0, new_tr_s=1.5, start_s=0.5)
    12
    """
    span_s = (n_tr - 1) * tr_s - start_s
    if start_s < 0 or span_s < 0:
        raise SourceDataError(
            f"A grid from {start_s:g} s on has no volume inside a run of {n_tr} volumes of {tr_s:g} s. Check the run's length."
        )
    return math.floor((span_s + _ROUNDING_S) / new_tr_s) + 1


def resample_series(
    series: NDArray[np.float32], *, tr_s: float, new_tr_s: float, start_s: float, n_new: int
) -> NDArray[np.float32]:
    """Volumes at the times ``start_s + j * new_tr_s``, j < ``n_new``, by cubic splines (not-a-knot) through the measured ones.

    The spline is linear in its data, so it is one small matrix for all voxels. Resampled volumes that are nearer to each
    other than the TR are not independent.

    Parameters
    ----------
    series : array of float32, shape (n_tr, n_voxels)
        Volume i was measured at ``i * tr_s``.
    tr_s, new_tr_s : float
        Seconds between volumes, measured and resampled.
    start_s : float
        Time of the first resampled volume (s).
    n_new : int
        Resampled volumes, at most :func:`resampled_length`.

    Returns
    -------
    array of float32, shape (n_new, n_voxels)

    Raises
    ------
    SourceDataError
        If the run has fewer than 4 volumes, or a time lies outside it: nothing is extrapolated.

    Source
    ------
    NSD's own volumes were resampled in time by cubic interpolation (Allen et al. 2022, Nature Neuroscience 25:116-126).
    """
    from scipy.interpolate import CubicSpline

    n_tr = len(series)
    if n_tr < 4:
        raise SourceDataError(
            f"A run of {n_tr} volumes came; a cubic spline needs at least 4. Leave the run out."
        )
    n_inside = resampled_length(n_tr, tr_s=tr_s, new_tr_s=new_tr_s, start_s=start_s)
    if not 1 <= n_new <= n_inside:
        raise SourceDataError(
            f"{n_new} volumes every {new_tr_s:g} s from {start_s:g} s came; {n_inside} lie inside the run of "
            f"{(n_tr - 1) * tr_s:g} s, and nothing is extrapolated. Ask for at most these."
        )
    # in units of the TR; the last time may exceed the last volume by rounding alone
    times = np.minimum((start_s + new_tr_s * np.arange(n_new)) / tr_s, n_tr - 1)
    weights = CubicSpline(np.arange(n_tr), np.eye(n_tr))(times)  # (n_new, n_tr)
    return np.asarray(weights.astype(np.float32) @ np.asarray(series, dtype=np.float32))


def _steps(onsets: NDArray[np.float64], *, tr_s: float, tolerance_s: float) -> Iterator[float]:
    """Steps worth trying, coarsest first: each fits a whole number of times between the first onset and the last."""
    yield tr_s
    finest = tr_s / MAX_UPSAMPLING - _ROUNDING_S
    span = float(onsets[-1] - onsets[0])
    fewest = max(1, math.ceil((span - 2 * tolerance_s) / tr_s))
    most = math.floor((span + 2 * tolerance_s) / finest) if span > 2 * tolerance_s else 0
    for n_steps in range(fewest, most + 1):
        counts = np.rint((onsets - onsets[0]) * (n_steps / span))
        centred = counts - counts.mean()
        fitted = float(centred @ onsets / (centred @ centred))
        whole_fraction = tr_s / max(1, round(tr_s / fitted))
        # a rounder step may not lead away from the fit over the length of the run
        rounder = (
            step
            for step in (whole_fraction, round(fitted, 3))
            if abs(step - fitted) * n_steps <= 2 * tolerance_s
        )
        yield from (step for step in (*rounder, fitted) if finest <= step <= tr_s + _ROUNDING_S)


def _fit_start(onsets: NDArray[np.float64], step: float) -> OnsetGrid:
    """The start that makes the largest residual smallest; the first volume where it would lie a hair before it."""
    counts = np.rint((onsets - onsets[0]) / step)
    starts = onsets - step * counts
    start = 0.5 * float(starts.min() + starts.max()) % step
    before_grid = bool(nearest_volume(onsets[:1], tr_s=step, start_s=start)[0] < 0)
    if before_grid or min(start, step - start) < _ROUNDING_S:
        start = 0.0
    return _grid(onsets, step, start)


def _grid(onsets: NDArray[np.float64], step: float, start: float) -> OnsetGrid:
    residuals = onsets - start - step * nearest_volume(onsets, tr_s=step, start_s=start)
    return OnsetGrid(tr_s=step, start_s=start, max_residual_s=float(np.abs(residuals).max()))
