"""What every metric asks of its arrays, refused in one place and in the same words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError

__all__ = [
    "NO_IMAGE",
    "check_feature_rows",
    "check_features",
    "check_image_array",
    "check_images",
    "check_target_image",
]

NO_IMAGE = -1
"""Index of a target that does not exist, such as the image before a run's first; its score is NaN."""

_RANGE_TOLERANCE = 1e-6  # a few float32 roundings of 1, as left by resizing


def check_images(images: NDArray[Any], *, name: str) -> NDArray[np.float32]:
    """Images as the metrics need them, or an error that says what to change.

    Parameters
    ----------
    images : array of float, shape (n, height, width, 3)
        Values in [0, 1].
    name : str
        What the caller calls them, for the message.

    Returns
    -------
    array of float32, shape (n, height, width, 3)

    Raises
    ------
    MetricError
        If the shape is another one, the values are integers, not finite or outside [0, 1], or there is no image.
    """
    images = check_image_array(images, name=name)
    low, high = float(images.min()), float(images.max())  # NaN if any pixel is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise MetricError(f"{name} has values that are not finite; look at the decoder that made them.")
    if low < -_RANGE_TOLERANCE or high > 1 + _RANGE_TOLERANCE:
        raise MetricError(
            f"{name} ranges from {low:.4g} to {high:.4g}; needed is [0, 1]. "
            "Clip a linear decoder's output, or divide by the largest possible value."
        )
    return images.astype(np.float32, copy=False)


def check_image_array(images: NDArray[Any], *, name: str) -> NDArray[Any]:
    """The part of `check_images` that needs no look at the values: a batch of RGB images in floats, of any precision.

    Raises
    ------
    MetricError
        If the shape is another one, the values are integers, or there is no image.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        raise MetricError(f"{name} is one image of shape {images.shape}; give a batch, images[np.newaxis].")
    if images.ndim != 4 or images.shape[-1] != 3:
        raise MetricError(
            f"{name} has shape {images.shape}; needed is (n, height, width, 3), RGB last, no alpha."
        )
    if images.size == 0:
        raise MetricError(f"{name} has shape {images.shape} and so no pixels; nothing can be scored.")
    if not np.issubdtype(images.dtype, np.floating):
        raise MetricError(
            f"{name} has dtype {images.dtype}; needed are floats in [0, 1]: divide bytes by 255."
        )
    return images


def check_features(features: NDArray[Any], *, name: str) -> NDArray[np.float32]:
    """Feature vectors, one a row, as float32.

    Parameters
    ----------
    features : array of float, shape (n, n_features)
    name : str
        What the caller calls them, for the message.

    Returns
    -------
    array of float32, shape (n, n_features)

    Raises
    ------
    MetricError
        If the shape is another one, a value is not finite, or a row has fewer than two features to correlate.
    """
    features = check_feature_rows(features, name=name)
    if not np.isfinite(features).all():
        raise MetricError(
            f"{name} has values that are not finite; look at the network or decoder that made them."
        )
    return features


def check_feature_rows(features: NDArray[Any], *, name: str) -> NDArray[np.float32]:
    """The part of `check_features` that needs no look at the values.

    Raises
    ------
    MetricError
        If the shape is another one, the values are integers, or a row has fewer than two features to correlate.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[0] == 0:
        raise MetricError(
            f"{name} has shape {features.shape}; needed is (n, n_features): flatten all other axes."
        )
    if features.shape[1] < 2:
        raise MetricError(f"{name} has {features.shape[1]} features a row; a correlation needs at least 2.")
    if not np.issubdtype(features.dtype, np.floating):
        raise MetricError(f"{name} has dtype {features.dtype}; needed are floats.")
    return features.astype(np.float32, copy=False)


def check_target_image(target_image: NDArray[Any], *, n_trials: int, n_images: int) -> NDArray[np.intp]:
    """Indices of the targets in the pool of seen images, one a trial.

    Parameters
    ----------
    target_image : array of int, shape (n_trials,)
        From 0 to ``n_images - 1``, or `NO_IMAGE`.
    n_trials, n_images : int
        Trials to score, and images in the pool.

    Returns
    -------
    array of int, shape (n_trials,)

    Raises
    ------
    MetricError
        If the shape is another one, the indices are no integers, or one lies outside the pool.
    """
    target_image = np.asarray(target_image)
    if target_image.shape != (n_trials,) or not np.issubdtype(target_image.dtype, np.integer):
        raise MetricError(
            f"target_image has shape {target_image.shape} and dtype {target_image.dtype}; "
            f"needed is one integer for each of {n_trials} trials."
        )
    if n_trials and not (target_image.min() >= NO_IMAGE and target_image.max() < n_images):
        raise MetricError(
            f"target_image ranges from {target_image.min()} to {target_image.max()}, but the pool has {n_images} images. "
            f"Give positions in the pool, not image IDs; {NO_IMAGE} where a trial has no such image."
        )
    return target_image.astype(np.intp, copy=False)
