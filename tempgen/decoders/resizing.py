"""Images made smaller by averaging over areas, and larger by bilinear interpolation, as matrix products."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import DecoderError

IMAGES_AT_ONCE = 64
"""Images that are converted to float32 together, so that a large uint8 set needs little more memory than it has."""


def area_average(images: ArrayLike, size: int) -> NDArray[np.float32]:
    """Images made smaller by averaging over areas; each pixel counts by the share of it in the area.

    Parameters
    ----------
    images : (n_images, height, width, 3), uint8 or float in [0, 1]
    size : int
        New height and width.

    Returns
    -------
    (n_images, size, size, 3) float32 in [0, 1]

    Raises
    ------
    DecoderError
        If images have another shape or range, or are smaller than ``size``.
    """
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[-1] != 3 or not 1 <= size <= min(array.shape[1:3]):
        raise DecoderError(
            f"images have shape {array.shape}; (n_images, height, width, 3) with sides of at least size={size} >= 1 is needed"
        )
    if array.dtype != np.uint8 and array.size and not (array.min() >= 0 and array.max() <= 1):
        raise DecoderError(
            f"images of type {array.dtype} range from {array.min():.3g} to {array.max():.3g}; uint8, or floats in [0, 1], are needed"
        )
    rows, columns = _area_weights(array.shape[1], size), _area_weights(array.shape[2], size)
    if array.dtype == np.uint8:
        rows = rows / np.float32(255)
    averaged = np.empty((len(array), size, size, 3), dtype=np.float32)
    for start in range(0, len(array), IMAGES_AT_ONCE):
        some = slice(start, start + IMAGES_AT_ONCE)
        averaged[some] = _resize(array[some].astype(np.float32), rows=rows, columns=columns)
    return averaged


def upsample_images(images: ArrayLike, image_size: int) -> NDArray[np.float32]:
    """Images made larger by bilinear interpolation between pixel centres, constant beyond the outermost centres.

    Parameters
    ----------
    images : (n_images, height, width, 3)
    image_size : int
        New height and width.

    Returns
    -------
    (n_images, image_size, image_size, 3) float32
    """
    array = np.asarray(images, dtype=np.float32)
    rows, columns = (
        _bilinear_weights(array.shape[1], image_size),
        _bilinear_weights(array.shape[2], image_size),
    )
    return _resize(array, rows=rows, columns=columns)


def _resize(
    images: NDArray[np.float32], *, rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rows (new, old) and columns (new, old) of weights applied to images (n, height, width, 3), as two large matrix products."""
    n_images, height, width, _ = images.shape
    shorter = rows @ images.reshape(n_images, height, width * 3)
    resized = shorter @ np.kron(columns.T, np.eye(3, dtype=np.float32))
    return np.asarray(resized.reshape(n_images, len(rows), len(columns), 3))


def _area_weights(old: int, new: int) -> NDArray[np.float32]:
    """Share of each old pixel in each new one, (new, old); rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    pixel = np.arange(old)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (overlap.clip(0) * (new / old)).astype(np.float32)


def _bilinear_weights(old: int, new: int) -> NDArray[np.float32]:
    """Linear interpolation at new pixel centres, (new, old)."""
    centre = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    return (1 - np.abs(centre[:, None] - np.arange(old))).clip(0).astype(np.float32)
