"""What a ridge fit is made from and what it consists of: volumes of BOLD in, coefficients per volume out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        The chosen regularization in units of ``alpha_scale``; equal for all targets unless it was chosen per target.
    cv_error : (n_alphas, n_targets) float64
        Mean squared error on held-out runs, squared units of the targets, alphas in the order given; NaN for a single alpha, which is not chosen.
    alpha_scale : float
        Mean diagonal of the centred Gram matrix: the summed variance of the window's features over training trials. ``alpha * alpha_scale`` is the penalty that
        scikit-learn's ``Ridge`` calls alpha.
    """

    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    alpha: NDArray[np.float64]
    cv_error: NDArray[np.float64]
    alpha_scale: float


def ridge_memory_bytes(*, n_trials: int, n_voxels: int, n_tr: int, n_targets: int, n_deltas: int = 1) -> int:
    """Peak memory of `fit_ridge_lags` when the fits of ``n_deltas`` lags are kept, without what the volume reader holds.

    ``n_tr`` volumes with their Gram matrices, the kernel of the window and one system being solved (2.5 Gram matrices; on a CPU with several cores and at most
    ``linear_algebra.SIDE_BY_SIDE_ROWS`` trials one system per core), four arrays trials x targets, and the coefficients.

    Examples
    --------
    Subject 1 of NSD, 27,000 training trials of its 15,724 voxels of nsdgeneral, 16 x 16 x 3 pixels, 16 lags:

    >>> ridge_memory_bytes(n_trials=27_000, n_voxels=15_724, n_tr=6, n_targets=768, n_deltas=16) / 2**30
    """
    floats = n_tr * n_trials * (n_voxels + n_trials) + 5 * n_trials**2 // 2 + 4 * n_trials * n_targets
    floats += n_trials * n_voxels  # the volume as it was read
    floats += (n_deltas + 1) * n_tr * n_voxels * n_targets
    return 4 * floats


def read_volume(
    read: VolumeReader, offset: int, *, n_trials: int | None = None, n_voxels: int | None = None
) -> NDArray[np.float32]:
    bold = np.asarray(read(offset), dtype=np.float32)
    matches = bold.ndim == 2 and n_trials in (None, len(bold)) and n_voxels in (None, bold.shape[-1])
    if not matches:
        needed = f"({'n_trials' if n_trials is None else n_trials}, {'n_voxels' if n_voxels is None else n_voxels})"
        raise DecoderError(
            f"the volume at offset {offset} TRs after onset has shape {bold.shape}; {needed} is needed"
        )
    finite = np.isfinite(bold)
    if not finite.all():
        trial, voxel = np.argwhere(~finite)[0]
        raise DecoderError(
            f"the volume at offset {offset} TRs after onset has {np.count_nonzero(~finite)} values that are not finite, the first in trial {trial}, voxel {voxel}: "
            "leave out trials whose windows reach beyond their run, and voxels that are not measured in all runs"
        )
    return bold
