"""The one resize that suites know: bilinear interpolation, with or without antialiasing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError

__all__ = ["resize_images", "resize_words"]


def resize_words(size: int, *, antialias: bool = True) -> str:
    """What `resize_images` does, for the results.

    Examples
    --------
    >>> resize_words(224)
    'to 224 x 224 pixels, bilinear with antialiasing'
    """
    return f"to {size} x {size} pixels, bilinear {'with' if antialias else 'without'} antialiasing"


def resize_images(images: NDArray[np.float32], size: int, *, antialias: bool = True) -> NDArray[np.float32]:
    """Images at another size.

    Equal to ``torch.nn.functional.interpolate(..., mode="bilinear", antialias=...)``, so with antialiasing to Pillow's
    bilinear resize, which that follows, but for Pillow's rounding to bytes.

    Parameters
    ----------
    images : array of float32, shape (n, height, width, 3)
    size : int
        New height and width in pixels; the aspect ratio is not kept.
    antialias : bool
        Whether images that are made smaller are averaged over the pixels that fall together (a triangle as wide as
        two new pixels) and not just read at their centres.

    Returns
    -------
    array of float32, shape (n, size, size, 3)
        ``images`` themselves if they have that size.

    Raises
    ------
    MetricError
        If the size is not a positive number of pixels.
    """
    if size < 1:
        raise MetricError(f"Images cannot be resized to {size} pixels a side; give at least 1.")
    n_images, height, width, n_colours = images.shape
    if (height, width) == (size, size):
        return images
    rows, columns = (_weights(old, size, antialias) for old in (height, width))
    resized = np.empty((n_images, size, size, n_colours), dtype=np.float32)
    for image, small in zip(images, resized, strict=True):
        lower = (rows @ image.reshape(height, -1)).reshape(size, width, n_colours)
        across = columns @ np.ascontiguousarray(lower.transpose(1, 0, 2)).reshape(width, -1)
        small[:] = across.reshape(size, size, n_colours).transpose(1, 0, 2)
    return resized


@lru_cache(maxsize=16)
def _weights(old: int, new: int, antialias: bool) -> Any:
    """Sparse weights (new, old) of the old pixels in each new one; rows sum to 1."""
    from scipy.sparse import csr_array

    scale = old / new
    width = max(scale, 1.0) if antialias else 1.0  # half of the triangle's base, in old pixels
    centre = (np.arange(new) + 0.5) * scale - 0.5
    if not antialias:
        centre = centre.clip(0, old - 1)  # the edge pixel goes on beyond the edge
    n_taps = int(np.ceil(2 * width)) + 1
    tap = np.floor(centre - width).astype(int)[:, np.newaxis] + np.arange(n_taps + 1)
    weight = (1 - np.abs(tap - centre[:, np.newaxis]) / width).clip(0) * ((tap >= 0) & (tap < old))
    weight /= weight.sum(axis=1, keepdims=True)
    row, column = np.nonzero(weight)
    return csr_array((weight[row, column].astype(np.float32), (row, tap[row, column])), shape=(new, old))
