"""What a ridge fit is made from and what it consists of: volumes of BOLD in, coefficients per volume out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempgen.decoders.linear_algebra import SIDE_BY_SIDE_ROWS
from tempgen.errors import DecoderError

VolumeReader = Callable[[int], NDArray[np.float32]]
"""Offset from onset (TRs) -> BOLD of that volume in every trial, (n_trials, n_voxels)."""


@dataclass(frozen=True)
class RidgeFit:
    """Ridge from the window of one lag to all targets.

    Attributes
    ----------
    coef : (n_tr, n_voxels, n_targets) float32
    intercept : (n_targets,) float32
    alpha : (n_targets,) float64
        The chosen regularization, in units of ``alpha_scale``; one for all targets unless it was chosen per target (or, see
        `target_components`, per component of the targets).
    cv_error : (n_alphas, n_targets) float64
        Mean squared error on held-out runs, in squared units of the targets, alphas in the order given; NaN for a single
        alpha, which needs no choice.
    alpha_scale : float
        Mean diagonal of the centred Gram matrix, that is, the variance over training trials summed over the window's
        features. ``alpha * alpha_scale`` is the ``alpha`` of scikit-learn's ``Ridge``.
    """

    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    alpha: NDArray[np.float64]
    cv_error: NDArray[np.float64]
    alpha_scale: float


def ridge_memory_bytes(
    *, n_trials: int, n_voxels: int, n_tr: int, n_targets: int, n_deltas: int = 1, n_threads: int = 1
) -> int:
    """Peak memory of `fit_ridge_lags` where the fits of ``n_deltas`` lags are kept, beside what the reader holds.

    It is ``n_tr`` volumes and Gram matrices and one more of each; 1.75 Gram matrices for a system being solved, of which
    ``n_threads`` are solved at once up to `SIDE_BY_SIDE_ROWS` trials; and the coefficients. Where an alpha needs float64,
    2.75 Gram matrices come on top.

    Examples
    --------
    Subject 1 of NSD: 27,000 training trials, the 15,724 voxels of nsdgeneral, 16 x 16 x 3 pixels, 16 lags.

    >>> gib = ridge_memory_bytes(n_trials=27_000, n_voxels=15_724, n_tr=6, n_targets=768, n_deltas=16) / 2**30
    >>> round(gib)
    40
    """
    n_systems = n_threads if n_trials <= SIDE_BY_SIDE_ROWS else 1
    volumes = (n_tr + 1) * n_trials * n_voxels
    grams = round((n_tr + 1 + 1.75 * n_systems) * n_trials**2)
    duals = (2 + 2 * n_systems) * n_trials * n_targets
    coefs = (n_deltas + 1) * n_tr * n_voxels * n_targets
    return 4 * (volumes + grams + duals + coefs)


def read_volume(
    read: VolumeReader, offset: int, *, n_trials: int | None = None, n_voxels: int | None = None
) -> NDArray[np.float32]:
    """The volume at an offset as finite float32, (n_trials, n_voxels).

    Raises
    ------
    DecoderError
        If it has another shape, or values that are not finite.
    """
    bold = np.asarray(read(offset), dtype=np.float32)
    if bold.ndim != 2 or n_trials not in (None, bold.shape[0]) or n_voxels not in (None, bold.shape[1]):
        raise DecoderError(
            f"the volume at offset {offset} TRs after onset has shape {bold.shape}; "
            f"({n_trials or 'n_trials'}, {n_voxels or 'n_voxels'}) is needed"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        total = bold.sum()  # one pass without a temporary array; no value that is not finite hides in a sum
    if np.isfinite(total):
        return bold
    finite = np.isfinite(bold)
    if not finite.all():
        trial, voxel = np.argwhere(~finite)[0]
        raise DecoderError(
            f"the volume at offset {offset} TRs after onset has {np.count_nonzero(~finite)} values that are not finite, "
            f"the first in trial {trial}, voxel {voxel}: leave out trials whose windows reach beyond their run, and voxels "
            "that were not measured in every run"
        )
    return bold
