"""How well the HRFs are known: times to peak between a library's members, their standard errors, and what to warn of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempgen.data.deconvolution.library import HrfLibrary
from tempgen.data.deconvolution.voxel_hrf import VoxelHrf

ERROR_S = (0.0, 0.25, 0.5, 1.0)
STATIC_INDEX = (0.01, 0.06, 0.34, 0.65)
"""Dynamics index of a static code of 3 s after deconvolution with HRFs whose times to peak are wrong by this SD over voxels. Source: simulated
subjects, docs/science/deconvolution.md; of activity that lasts to 9 s it is less."""

N_DRAWS = 200
"""Bootstrap draws. Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 6: 50 to 200 serve a standard error."""

KNOWN_S = 0.3
"""Error of the time to peak up to which a static code stays static after deconvolution. Source: docs/science/deconvolution.md."""

MANY_AT_THE_END = 0.25
"""Share of voxels with the library's fastest or slowest HRF above which the library or the duration is in doubt. Source: house choice."""

CLEARLY_BETTER = 1.02
"""Ratio of explained variance from which another duration counts as fitting better. Source: house choice; on simulated subjects the
durations next to the true one stay below it."""

_CHUNK_VOXELS = 512


def peaks_of_scores(scores: NDArray[np.float64], library: HrfLibrary) -> NDArray[np.float64]:
    r"""Time to peak of the best HRF, by a parabola through its score and those of its neighbours in the family.

    Parameters
    ----------
    scores : array, shape (\*draws, n_hrf, n_voxels)

    Returns
    -------
    array, shape (\*draws, n_voxels)
        Seconds; at most half way to a neighbour, and the library's own where the best HRF is at an end of its family.
    """
    peaks_s, family = library.time_to_peak_s, library.family
    best = scores.argmax(axis=-2)
    n_hrf = len(library)
    before, after = np.maximum(best - 1, 0), np.minimum(best + 1, n_hrf - 1)
    inside = (
        (before < best) & (best < after) & (family[before] == family[best]) & (family[best] == family[after])
    )

    def score(member: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.take_along_axis(scores, member[..., None, :], axis=-2)[..., 0, :]

    left_s, right_s = peaks_s[before] - peaks_s[best], peaks_s[after] - peaks_s[best]
    rise, fall = score(before) - score(best), score(after) - score(best)
    # the parabola through (left_s, rise), (0, 0) and (right_s, fall): bend x^2 + slope x
    span = left_s * right_s * (left_s - right_s)
    bend = np.where(span != 0, (right_s * rise - left_s * fall) / np.where(span != 0, span, 1), 0)
    slope = np.where(span != 0, (left_s**2 * fall - right_s**2 * rise) / np.where(span != 0, span, 1), 0)
    top = inside & (bend < 0)
    shift_s = np.where(top, -slope / (2 * np.where(top, bend, -1)), 0.0)
    return np.asarray(peaks_s[best] + np.where(top, np.clip(shift_s, left_s / 2, right_s / 2), 0.0))


def standard_error_of_peak(
    xx: NDArray[np.float64],
    xy: NDArray[np.float32],
    library: HrfLibrary,
    *,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Standard error of each voxel's time to peak: SD over bootstrap draws of blocks of runs.

    Parameters
    ----------
    xx, xy : arrays, shapes (n_blocks, n_hrf) and (n_blocks, n_hrf, n_voxels)
        Sums of products of :class:`tempgen.data.deconvolution.choice.MeanResponseFit`, for one duration.

    Returns
    -------
    array, shape (n_voxels,)
        Seconds, given the assumed duration of the activity; NaN with a single block or a library of one.
    """
    n_blocks, n_hrf, n_voxels = xy.shape
    if n_blocks < 2 or n_hrf < 2:
        return np.full(n_voxels, np.nan)
    rng = np.random.default_rng(seed)
    times_drawn = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=n_draws).astype(np.float32)
    drawn_xx = times_drawn @ xx  # (n_draws, n_hrf)
    error_s = np.empty(n_voxels)
    for start in range(0, n_voxels, _CHUNK_VOXELS):
        voxels = slice(start, start + _CHUNK_VOXELS)
        of_blocks = np.ascontiguousarray(xy[:, :, voxels]).reshape(n_blocks, -1)
        drawn_xy = (times_drawn @ of_blocks).reshape(n_draws, n_hrf, -1)
        error_s[voxels] = peaks_of_scores(drawn_xy**2 / drawn_xx[..., None], library).std(axis=0, ddof=1)
    return error_s


def static_index(hrf: VoxelHrf) -> float:
    """Dynamics index that a static code is to be expected to have after deconvolution, by the errors of the times to peak alone.

    Interpolated in ``STATIC_INDEX`` at the root mean square of the standard errors; NaN where HRFs were given.
    """
    error_s = float(np.sqrt(np.mean(hrf.standard_error_s**2)))
    return float(np.interp(error_s, ERROR_S, STATIC_INDEX))


def describe_hrf(hrf: VoxelHrf) -> list[str]:
    """Times to peak, how well they are known and the assumed duration, for the terminal."""
    low, middle, high = np.percentile(hrf.time_to_peak_s, [5, 50, 95])
    assumed = "as long as each image is shown" if hrf.duration_s is None else f"{hrf.duration_s:g} s"
    lines = [
        f"HRFs ({hrf.library.name}): time to peak {middle:.1f} s (5-95 % of voxels: {low:.1f} to {high:.1f} s)"
    ]
    if np.isfinite(hrf.standard_error_s).any():
        error_s = hrf.standard_error_s
        lines.append(
            f"  standard error of the time to peak: {np.median(error_s):.2f} s (median over voxels; "
            f"{100 * np.mean(error_s <= KNOWN_S):.0f} % are known to {KNOWN_S:g} s)"
        )
        lines.append(
            f"  errors of this size alone give a static code a dynamics index of about {static_index(hrf):.2f} (simulated, 3 s of activity)"
        )
        lines.append(
            f"  the mean response explains {100 * np.median(hrf.r2):.1f} % of the variance of left-out runs (median)"
        )
    return [*lines, f"  assumed duration of the activity: {assumed}"]


def hrf_warnings(hrf: VoxelHrf) -> list[str]:
    """What should keep one from trusting a deconvolution with these HRFs; empty if nothing does."""
    said: list[str] = []
    if not np.isfinite(hrf.standard_error_s).any():
        return said
    error_s = float(np.median(hrf.standard_error_s))
    if error_s > KNOWN_S:
        said.append(
            f"HRFs are not known well enough: half of the voxels' times to peak have a standard error above {error_s:.2f} s. "
            f"Beyond about {KNOWN_S:g} s a static code looks dynamic after deconvolution: take more runs or separability."
        )
    fastest, slowest = hrf.library.time_to_peak_s.argmin(), hrf.library.time_to_peak_s.argmax()
    at_end = {
        name: float(np.mean(hrf.index == end)) for name, end in (("fastest", fastest), ("slowest", slowest))
    }
    said += [
        f"{100 * share:.0f} % of voxels have the library's {name} HRF: a library that reaches further or another duration of "
        "the activity is needed."
        for name, share in at_end.items()
        if share > MANY_AT_THE_END and len(hrf.library) > 1
    ]
    return said + _duration_warning(hrf)


def _duration_warning(hrf: VoxelHrf) -> list[str]:
    if not hrf.fit_by_duration:
        return []
    best_s = max(hrf.fit_by_duration, key=lambda duration_s: hrf.fit_by_duration[duration_s])
    if hrf.fit_by_duration[best_s] <= CLEARLY_BETTER * hrf.assumed_fit:
        return []
    assumed = "as long as the images" if hrf.duration_s is None else f"for {hrf.duration_s:g} s"
    return [
        f"The mean response fits better if activity lasts {best_s:g} s (R2 {hrf.fit_by_duration[best_s]:.3f}) than {assumed} "
        f"(R2 {hrf.assumed_fit:.3f}): with a duration that is wrong, HRFs are too. See signal.duration_s."
    ]
