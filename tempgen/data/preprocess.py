"""Cleaning of one run: drift and confounds out, then z-scores per voxel.

Numerics: the series comes and goes as float32; inside, blocks of voxels are centred, cleaned and scaled in float64, so
that raw values in the thousands with fluctuations of a few units lose nothing, and memory is the series, the result and
one block. The result is ``nilearn.signal.clean``'s in float64, rounded to float32.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ConfigError, SourceDataError

__all__ = ["CleanRun", "Drift", "clean_run", "cosine_drift", "drift_basis"]

Drift = Literal["cosine", "linear", "none"]

DRIFT_CUTOFF_S = 128.0
"""Longest period kept, in seconds: SPM's default (SPM12 manual, "High-pass filter")."""
BUTTERWORTH_ORDER = 5
"""Default of ``nilearn.signal.butterworth``; doubled in effect, as the filter runs forwards and backwards."""
BUTTERWORTH_PADDING_TRS = 18
"""Volumes mirrored at either end: default of ``scipy.signal.sosfiltfilt`` for this filter."""
BLOCK_VOXELS = 1024
"""Voxels cleaned at a time; 225 volumes of them in float64 stay in a core's cache."""
RANK_TOLERANCE = 1e-10
"""A direction of the confounds below this fraction of the largest is rounding (columns that repeat each other)."""
CONSTANT_TOLERANCE = 4 * float(np.finfo(np.float32).eps)
"""A voxel varying by less than this fraction of its largest value varies by float32's rounding alone."""


@dataclass(frozen=True, eq=False)
class CleanRun:
    """A cleaned run.

    Attributes
    ----------
    zscored : array of float32, shape (n_tr, n_voxels)
        Mean 0 and standard deviation 1 (n - 1 in the denominator) over volumes; 0 for constant voxels, never NaN.
    constant : array of bool, shape (n_voxels,)
        Voxels without variance to scale: constant in the file, or drift and confounds and nothing else.
    mean, std : array of float32, shape (n_voxels,)
        In the units of the file: mean over volumes before cleaning, and standard deviation after it, which the
        z-scores were divided by (0 for constant voxels).
    """

    zscored: NDArray[np.float32]
    constant: NDArray[np.bool_]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]


def cosine_drift(n_tr: int, *, tr_s: float, cutoff_s: float = DRIFT_CUTOFF_S) -> NDArray[np.float64]:
    """Discrete cosines slower than a cutoff, the drift regressors of SPM and nilearn.

    Parameters
    ----------
    n_tr : int
        Volumes of the run, at least 2.
    tr_s : float
        Seconds between volumes.
    cutoff_s : float
        Shortest period taken for drift, in seconds.

    Returns
    -------
    array, shape (n_tr, floor(2 * n_tr * tr_s / cutoff_s))
        Orthonormal columns without the constant one (DCT-II).

    Raises
    ------
    ConfigError
        If the cutoff is not a positive number, or there are fewer than 2 volumes.

    Examples
    --------
    >>> cosine_drift(225, tr_s=4 / 3, cutoff_s=128.0).shape
    (225, 4)
    """
    if not (math.isfinite(cutoff_s) and cutoff_s > 0):
        raise ConfigError(f"A drift cutoff of {cutoff_s} s came; a positive number of seconds is needed.")
    if n_tr < 2:
        raise ConfigError(f"A run of {n_tr} volumes came; drift needs 2 or more.")
    # the step as nilearn takes it, so that rounding at a whole number of cosines goes the same way
    step_s = (n_tr - 1) * tr_s / (n_tr - 1)
    n_cosines = min(n_tr - 1, math.floor(2 * n_tr * (1 / cutoff_s) * step_s))
    order = np.arange(1, n_cosines + 1)
    return np.sqrt(2 / n_tr) * np.cos(np.pi / n_tr * np.outer(np.arange(n_tr) + 0.5, order))


def clean_run(
    series: NDArray[np.float32],
    *,
    tr_s: float,
    drift: Drift = "cosine",
    drift_cutoff_s: float = DRIFT_CUTOFF_S,
    confounds: NDArray[np.float64] | None = None,
    high_pass_hz: float | None = None,
) -> CleanRun:
    """Remove drift and confounds from each voxel of a run and z-score what is left.

    Drift and confounds are regressed out jointly. A Butterworth high-pass, if asked for, runs forwards and backwards
    over the drift-free series and over the confounds alike, and the confounds are regressed out after it, so that they
    bring back none of the frequencies that it removed. Where a confound resembles a cosine, nilearn leaves all cosines
    out; here both stay.

    Parameters
    ----------
    series : array of float32, shape (n_tr, n_voxels)
        BOLD in any units. Not changed.
    tr_s : float
        Seconds between volumes.
    drift : {"cosine", "linear", "none"}
        Discrete cosines up to ``1 / drift_cutoff_s`` Hz, a straight line, or the mean alone.
    drift_cutoff_s : float
        Shortest period taken for drift, in seconds; for cosines only.
    confounds : array, shape (n_tr, n_confounds), optional
        Motion or other regressors. Constant columns and columns that repeat others have no effect.
    high_pass_hz : float, optional
        Cutoff of the Butterworth filter, in Hz.

    Returns
    -------
    CleanRun
        z-scores, shape (n_tr, n_voxels), and which voxels are constant, shape (n_voxels,).

    Raises
    ------
    ConfigError
        If the TR, the cutoff or the high-pass is out of range, the run is too short for the filter, or drift and
        confounds leave no degree of freedom.
    SourceDataError
        If the series or the confounds hold NaN or infinite values, or have different numbers of volumes.

    Warns
    -----
    UserWarning
        If the run is shorter than half the cutoff, so that it has no cosine and its mean alone is removed.

    Source
    ------
    Cosines: Holmes et al. 1997, NeuroImage 5:S480. Filtered confounds: Lindquist et al. 2019, Human Brain Mapping
    40:2358-2376. Tested for equality with ``nilearn.signal.clean``.

    Examples
    --------
    >>> ramp_and_noise = np.arange(100)[:, None] + np.random.default_rng(0).normal(1000, 1, (100, 2))
    >>> clean = clean_run(ramp_and_noise.astype(np.float32), tr_s=2.0, drift="linear")
    >>> clean.zscored.std(axis=0, ddof=1).round(3).tolist(), clean.constant.tolist()
    ([1.0, 1.0], [False, False])
    """
    _check_series(series, tr_s=tr_s)
    n_tr, n_voxels = series.shape
    drifting = drift_basis(drift, n_tr=n_tr, tr_s=tr_s, cutoff_s=drift_cutoff_s)
    if drift == "cosine" and drifting.shape[1] == 0:
        warnings.warn(
            f"A run of {n_tr * tr_s:g} s has no cosine drift slower than {drift_cutoff_s:g} s: only its mean is removed. "
            'Take drift="linear" or a shorter cutoff.',
            stacklevel=2,
        )
    sections = _highpass_sections(n_tr=n_tr, tr_s=tr_s, cutoff_hz=high_pass_hz)
    confound_basis = _confound_basis(confounds, drifting=drifting, sections=sections)
    n_regressors = drifting.shape[1] + confound_basis.shape[1]
    if n_regressors >= n_tr - 1:
        raise ConfigError(
            f"{drifting.shape[1]} drift and {confound_basis.shape[1]} confound regressors leave nothing of a run of "
            f"{n_tr} volumes; they must be fewer than {n_tr - 1}. Choose fewer confounds or a longer drift cutoff."
        )
    zscored = np.empty((n_tr, n_voxels), dtype=np.float32)
    constant = np.empty(n_voxels, dtype=np.bool_)
    mean, std = np.empty((2, n_voxels), dtype=np.float32)
    for start in range(0, n_voxels, BLOCK_VOXELS):
        voxels = slice(start, start + BLOCK_VOXELS)
        raw = series[:, voxels].astype(np.float64)
        largest = np.abs(raw).max(axis=0)
        if not np.isfinite(largest).all():
            raise _not_finite(series)
        cleaned = _highpass(sections, _project_out(drifting, _centred(raw)))
        cleaned = _project_out(confound_basis, cleaned)
        mean[voxels] = raw.mean(axis=0)
        zscored[:, voxels], constant[voxels], std[voxels] = _zscored(cleaned, largest=largest)
    return CleanRun(zscored=zscored, constant=constant, mean=mean, std=std)


def _zscored(
    cleaned: NDArray[np.float64], *, largest: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """z-scores (n_tr, n_voxels), 0 where a voxel is constant up to rounding of its ``largest`` raw value, which are, and SDs."""
    sd = np.sqrt(np.einsum("tv,tv->v", cleaned, cleaned) / (len(cleaned) - 1))
    constant = sd <= CONSTANT_TOLERANCE * largest
    return cleaned / np.where(constant, np.inf, sd), constant, np.where(constant, 0.0, sd)


def _highpass_sections(*, n_tr: int, tr_s: float, cutoff_hz: float | None) -> NDArray[np.float64] | None:
    """Second-order sections of the Butterworth filter, shape (3, 6); None without a cutoff."""
    if cutoff_hz is None:
        return None
    nyquist_hz = 0.5 / tr_s
    if not 0 < cutoff_hz < nyquist_hz:
        raise ConfigError(
            f"A high-pass of {cutoff_hz} Hz came; with a TR of {tr_s} s it must lie between 0 and {nyquist_hz:.6g} Hz."
        )
    if n_tr <= BUTTERWORTH_PADDING_TRS:
        raise ConfigError(
            f"A run of {n_tr} volumes is too short for the high-pass filter, which needs more than "
            f"{BUTTERWORTH_PADDING_TRS}. Leave the filter out; drift is removed without it."
        )
    from scipy.signal import butter

    return np.asarray(butter(BUTTERWORTH_ORDER, cutoff_hz, btype="high", output="sos", fs=1 / tr_s))


def _highpass(sections: NDArray[np.float64] | None, series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter along the first axis, forwards and backwards, and centre."""
    if sections is None:
        return series
    from scipy.signal import sosfiltfilt

    return _centred(sosfiltfilt(sections, series, axis=0, padlen=BUTTERWORTH_PADDING_TRS))


def drift_basis(drift: Drift, *, n_tr: int, tr_s: float, cutoff_s: float) -> NDArray[np.float64]:
    """Orthonormal drift regressors, each of mean 0; shape (n_tr, n_drift).

    Raises
    ------
    ConfigError
        If the drift is none that there is, or the cutoff out of range.
    """
    if drift == "none":
        return np.empty((n_tr, 0))
    if drift == "linear":
        line = np.arange(n_tr, dtype=np.float64)[:, None] - (n_tr - 1) / 2
        return line / np.linalg.norm(line)
    if drift != "cosine":
        raise ConfigError(f"Drift {drift!r} came; cosine, linear or none is needed.")
    return cosine_drift(n_tr, tr_s=tr_s, cutoff_s=cutoff_s)


def _confound_basis(
    confounds: NDArray[np.float64] | None,
    *,
    drifting: NDArray[np.float64],
    sections: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Orthonormal basis of the confounds after drift removal and filter; shape (n_tr, rank)."""
    n_tr = drifting.shape[0]
    if confounds is None:
        return np.empty((n_tr, 0))
    if confounds.ndim != 2 or confounds.shape[0] != n_tr:
        raise SourceDataError(
            f"Confounds of shape {confounds.shape} came; ({n_tr}, n_confounds) is needed, a row for each volume. "
            "Cut them to the volumes kept, and check that they belong to the run."
        )
    if not np.isfinite(confounds).all():
        raise SourceDataError(
            "The confounds hold NaN or infinite values; finite ones are needed. Leave these columns out."
        )
    centred = _centred(np.asarray(confounds, dtype=np.float64))
    norm = np.linalg.norm(centred, axis=0)
    varying = norm > RANK_TOLERANCE * np.abs(confounds).max(axis=0, initial=0.0) * math.sqrt(n_tr)
    residual = _highpass(sections, _project_out(drifting, centred[:, varying] / norm[varying]))
    left, singular, _ = np.linalg.svd(residual, full_matrices=False)
    return left[:, singular > RANK_TOLERANCE]


def _centred(series: NDArray[np.float64]) -> NDArray[np.float64]:
    return series - series.mean(axis=0)


def _project_out(basis: NDArray[np.float64], series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residual of ``series``, shape (n_tr, n_voxels), after regression on an orthonormal basis, shape (n_tr, rank)."""
    return series - basis @ (basis.T @ series) if basis.shape[1] else series


def _check_series(series: NDArray[np.float32], *, tr_s: float) -> None:
    if series.ndim != 2 or series.shape[0] < 3:
        raise SourceDataError(
            f"A series of shape {series.shape} came; (n_tr, n_voxels) with three volumes or more is needed."
        )
    if not (math.isfinite(tr_s) and tr_s > 0):
        raise ConfigError(f"A TR of {tr_s} s came; a positive number of seconds is needed.")


def _not_finite(series: NDArray[np.float32]) -> SourceDataError:
    first = int(np.flatnonzero(~np.isfinite(series).all(axis=1))[0])
    return SourceDataError(
        f"Volume {first} (from 0) of the series is NaN or infinite in some voxels; finite values are needed. "
        "Repair the run, leave it out, or take these voxels out of the mask."
    )
