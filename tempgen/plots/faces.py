"""Faces in images made unrecognizable before they are shown. For display alone: nothing that is scored passes here."""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FACES_HINT", "blur_faces", "can_blur_faces", "with_blurred_faces"]

FACES_HINT = "faces are not blurred: this needs OpenCV (pip install 'tempgen[faces]')"
"""What to say where `can_blur_faces` is false."""
_DETECTION_SIZE = 256
"""Pixels a side that smaller images are enlarged to for the search: the cascade knows no faces below 24 pixels. Source: its file."""
_SCALE_STEP, _MIN_NEIGHBOURS = 1.1, 4
"""Of the search over sizes. Source: OpenCV's documentation of detectMultiScale (1.1 and 3); one more neighbour, for noise."""
_BLUR_SHARE = 0.25
"""Standard deviation of the Gaussian as a share of the face's width. Source: house choice, no feature is left of a face."""
_MARGIN = 0.1  # of the face's width on each side: the cascade's squares end at the chin


def can_blur_faces() -> bool:
    """Whether OpenCV and its cascade are there; nothing is imported."""
    return find_spec("cv2") is not None


def blur_faces(images: NDArray[Any]) -> NDArray[Any]:
    """Images with frontal faces blurred; the same array where none is found or OpenCV is not installed.

    Faces are searched by OpenCV's bundled Haar cascade (haarcascade_frontalface_default). It misses some, profiles above
    all: look at what you publish.

    Parameters
    ----------
    images : array of uint8 or of float in [0, 1], shape (..., height, width, 3)

    Returns
    -------
    array of the same shape and type
        A copy, if anything was blurred. Pixels outside faces are as they were.
    """
    if not can_blur_faces():
        return images
    flat = images.reshape(-1, *images.shape[-3:])
    blurred = None
    for position, image in enumerate(flat):
        for rows, columns in _faces(image):
            blurred = flat.copy() if blurred is None else blurred
            blurred[position][rows, columns] = _blur(blurred[position][rows, columns])
    return images if blurred is None else blurred.reshape(images.shape)


def with_blurred_faces(images: xr.Dataset) -> xr.Dataset:
    """What `lag_images` or `exemplar_pairs` gives, with faces blurred in all of its images; warns where that cannot be done."""
    if not can_blur_faces():
        warnings.warn(FACES_HINT, stacklevel=2)
    return images.assign(
        {
            name: images[name].copy(data=blur_faces(images[name].to_numpy()))
            for name in ("reconstruction", "seen", "closest_image")
            if name in images
        }
    )


@lru_cache(maxsize=1)
def _cascade() -> Any:
    import cv2
    from cv2.data import haarcascades

    return cv2.CascadeClassifier(haarcascades + "haarcascade_frontalface_default.xml")


def _faces(image: NDArray[Any]) -> list[tuple[slice, slice]]:
    """Rows and columns of each face."""
    import cv2

    height, width = image.shape[:2]
    grey = cv2.cvtColor(_as_bytes(image), cv2.COLOR_RGB2GRAY)
    scale = max(1.0, _DETECTION_SIZE / min(height, width))
    if scale > 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    found = _cascade().detectMultiScale(grey, scaleFactor=_SCALE_STEP, minNeighbors=_MIN_NEIGHBOURS)
    places = []
    for left, top, wide, high in np.asarray(found, dtype=float).reshape(-1, 4):
        edges = (
            top - _MARGIN * high,
            top + (1 + _MARGIN) * high,
            left - _MARGIN * wide,
            left + (1 + _MARGIN) * wide,
        )
        first, last, west, east = (round(edge / scale) for edge in edges)
        places.append((slice(max(0, first), min(height, last)), slice(max(0, west), min(width, east))))
    return places


def _blur(face: NDArray[Any]) -> NDArray[Any]:
    from scipy.ndimage import gaussian_filter

    sigma = _BLUR_SHARE * face.shape[1]
    smooth = gaussian_filter(face.astype(np.float32), (sigma, sigma, 0), mode="nearest")
    return (smooth.round() if face.dtype == np.uint8 else smooth).astype(face.dtype)


def _as_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    return image if image.dtype == np.uint8 else np.asarray((image * 255).clip(0, 255), dtype=np.uint8)
