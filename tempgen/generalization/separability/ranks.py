"""Coefficients (lag x feature) of low rank: rank 1 is a separable response, h(lag) w(feature)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["low_rank"]


def low_rank(
    coefficients: NDArray[np.float32], ranks: Sequence[int], *, n_lags: int
) -> list[NDArray[np.float32]]:
    """The closest coefficients of some ranks, voxel by voxel.

    Closest in the sum of squared differences. Features are standardized, and images follow one another in random order, so that
    the design's own metric is close to that one.

    Parameters
    ----------
    coefficients : array, shape (n_lags * n_features, n_voxels)
        Ordered as (lag, feature).
    ranks : sequence of int
        From 1.
    n_lags : int

    Returns
    -------
    list of array of the same shape

    Examples
    --------
    >>> separable = np.outer([1.0, 2.0], [3.0, 0.0, 1.0]).reshape(-1, 1).astype(np.float32)
    >>> bool(np.allclose(low_rank(separable, [1], n_lags=2)[0], separable, atol=1e-5))
    True
    """
    n_voxels = coefficients.shape[1]
    by_voxel = np.ascontiguousarray(coefficients.reshape(n_lags, -1, n_voxels).transpose(2, 0, 1))
    turned = by_voxel.shape[1] > by_voxel.shape[2]
    if turned:
        by_voxel = np.ascontiguousarray(by_voxel.transpose(0, 2, 1))
    # singular vectors as eigenvectors of the smaller product: several times faster than as many small SVDs
    _, axes = np.linalg.eigh(by_voxel @ by_voxel.transpose(0, 2, 1))
    found = []
    for rank in ranks:
        strongest = axes[:, :, -rank:]
        kept = strongest @ (strongest.transpose(0, 2, 1) @ by_voxel)
        kept = kept.transpose(2, 1, 0) if turned else kept.transpose(1, 2, 0)
        found.append(np.ascontiguousarray(kept).reshape(coefficients.shape))
    return found
