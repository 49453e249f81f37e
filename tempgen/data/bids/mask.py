"""Which voxels of a BIDS recording to keep: a given mask, fMRIPrep's brain masks, or one computed from the BOLD."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempgen.data.bids.files import BidsRun
from tempgen.data.nifti import NiftiHeader, read_volume_3d
from tempgen.errors import SourceDataError

AFFINE_TOLERANCE_MM = 1e-3
"""Affines this close are the same: headers keep them in single precision."""


def read_mask(
    runs: Sequence[BidsRun], header: NiftiHeader, mask: Path | None, *, derivatives: Path | None
) -> tuple[NDArray[np.bool_], str]:
    """Voxels to keep, and where they come from.

    Parameters
    ----------
    header : NiftiHeader
        Of any run: its grid is that of all.
    mask : Path or None
        Voxels above 0 are kept. None takes those inside the brain masks of all runs; where there are none, a mask is
        computed from the mean of the first run (``nilearn.masking.compute_epi_mask``).
    derivatives : Path or None
        None: raw BOLD, which has no brain masks.

    Returns
    -------
    keep : array of bool, shape (x, y, z)
    note : str
        One line for the notes of a store.

    Raises
    ------
    SourceDataError
        If a mask has another shape or affine than the runs, keeps no voxel or is missing for some runs.
    """
    brain_masks = [] if derivatives is None else [run.mask_path for run in runs if run.mask_path.is_file()]
    if mask is not None:
        keep, note = _mask_volume(Path(mask), header), f"file {Path(mask).name}"
    elif brain_masks and len(brain_masks) < len(runs):
        missing = next(run.mask_path for run in runs if not run.mask_path.is_file())
        raise SourceDataError(
            f"The brain mask {missing} is missing, those of {len(brain_masks)} other runs are there. Restore it, or give a mask."
        )
    elif brain_masks:
        keep = np.logical_and.reduce([_mask_volume(path, header) for path in brain_masks])
        note = f"inside the brain masks of all {len(runs)} runs"
    else:
        keep = _computed_mask(runs[0].bold_path)
        note = f"computed from the mean of {runs[0].name} (nilearn.masking.compute_epi_mask)"
    if not keep.any():
        raise SourceDataError(f"The mask keeps no voxel ({note}). Give another mask.")
    return keep, f"{note}, {int(keep.sum())} voxels"


def _mask_volume(path: Path, header: NiftiHeader) -> NDArray[np.bool_]:
    volume, affine = read_volume_3d(path)
    if volume.shape != header.shape[:3]:
        raise SourceDataError(
            f"The mask {path} has shape {volume.shape}, the runs have {header.shape[:3]}. Resample it to their grid."
        )
    if not np.allclose(affine, header.affine, rtol=0, atol=AFFINE_TOLERANCE_MM):
        raise SourceDataError(
            f"The mask {path} has the runs' shape and lies elsewhere: affines differ by up to "
            f"{np.abs(affine - header.affine).max():.3g} mm. Resample it to their grid."
        )
    return np.asarray(volume > 0)


def _computed_mask(path: Path) -> NDArray[np.bool_]:
    import nibabel
    from nilearn.masking import compute_epi_mask

    try:
        image = compute_epi_mask(nibabel.load(path))
    except (ValueError, OSError, EOFError) as error:
        raise SourceDataError(f"No mask can be computed from {path}: {error}. Give a mask.") from error
    return np.asarray(image.dataobj) > 0
