"""Motion of the head from one volume to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEAD_RADIUS_MM", "displacement"]

HEAD_RADIUS_MM = 50.0
"""Radius of the sphere on which rotations become millimetres. Source: Power et al. 2012, NeuroImage 59:2142-2154."""


def displacement(motion: NDArray[np.float32], *, std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frame-wise displacement: the sum over parameters of the change since the volume before.

    Parameters
    ----------
    motion : array, shape (n_runs, n_volumes, 6)
        z-scored per parameter and run; three translations, then three rotations, as fMRIPrep and SPM order them.
    std : array, shape (n_runs, 6)
        What z-scoring divided by (mm and radians).

    Returns
    -------
    array, shape (n_runs, n_volumes)
        Millimetres; NaN at the first volume and beyond the end of a shorter run. Slow drift was removed from the
        parameters, so that it is not in it.

    Source
    ------
    Power et al. 2012, NeuroImage 59:2142-2154, doi:10.1016/j.neuroimage.2011.10.018.

    Examples
    --------
    >>> nods = np.array([[[0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0]]], dtype=np.float32)
    >>> displacement(nods, std=np.array([[1, 0.2, 1, 0.01, 1, 1]])).round(2).tolist()
    [[nan, 0.7]]
    """
    millimetres = std * np.array([1.0, 1.0, 1.0, *[HEAD_RADIUS_MM] * 3])
    steps = np.abs(np.diff(motion.astype(np.float64) * millimetres[:, np.newaxis], axis=1)).sum(axis=2)
    return np.concatenate([np.full((len(steps), 1), np.nan), steps], axis=1)
