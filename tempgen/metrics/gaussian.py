"""The Gaussian windows of SSIM, applied as banded matrix products."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["SSIM_RADIUS", "SSIM_SIGMA", "filter_windows", "window_matrix"]

# Wang et al. 2004, section III-B: Gaussian window of 11 x 11 pixels with sigma 1.5
SSIM_SIGMA = 1.5
SSIM_RADIUS = 5  # int(3.5 * sigma + 0.5), where scikit-image truncates its window
_STRIPS = (24, 16, 8)  # windows along a side that one product filters, the fastest first
_PRODUCT = 2**18  # multiplications of a product, below which BLAS stays on one thread


def filter_windows(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian-weighted means under all windows inside the images, G X G^T.

    G is banded, 11 weights a row, and is applied in strips of rows: the cost per pixel does not grow with the image.

    Parameters
    ----------
    images : array of float32, shape (n, height, width)
        At least 11 pixels a side.

    Returns
    -------
    array of float32, shape (n, height - 10, width - 10)
    """
    n_images, height, width = images.shape
    margin = 2 * SSIM_RADIUS
    across = np.empty((n_images, height, width - margin), dtype=np.float32)
    for strip in _strips(width - margin, beside=height):
        windows = window_matrix(strip.stop - strip.start + margin)
        np.matmul(images[:, :, strip.start : strip.stop + margin], windows.T, out=across[:, :, strip])
    filtered = np.empty((n_images, height - margin, width - margin), dtype=np.float32)
    for strip in _strips(height - margin, beside=width):
        windows = window_matrix(strip.stop - strip.start + margin)
        np.matmul(windows, across[:, strip.start : strip.stop + margin], out=filtered[:, strip])
    return filtered


def _strips(n_windows: int, *, beside: int) -> list[slice]:
    """Strips of windows along one side; ``beside`` is the length of the other."""
    size = next(
        (size for size in _STRIPS if beside * size * (size + 2 * SSIM_RADIUS) < _PRODUCT), _STRIPS[-1]
    )
    return [slice(first, min(first + size, n_windows)) for first in range(0, n_windows, size)]


@lru_cache(maxsize=8)
def window_matrix(n_pixels: int) -> NDArray[np.float32]:
    """Gaussian windows along one side of an image, one a row.

    Parameters
    ----------
    n_pixels : int
        Length of the side, at least 11.

    Returns
    -------
    array of float32, shape (n_pixels - 10, n_pixels)
        Rows sum to 1. Not writeable: it is shared.
    """
    weights = np.exp(-0.5 * (np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1) / SSIM_SIGMA) ** 2)
    weights /= weights.sum()
    matrix = np.zeros((n_pixels - 2 * SSIM_RADIUS, n_pixels), dtype=np.float32)
    for row in range(len(matrix)):
        matrix[row, row : row + len(weights)] = weights
    matrix.flags.writeable = False
    return matrix
