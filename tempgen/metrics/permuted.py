"""Mean scores if each trial had shown the image of another one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import NO_IMAGE

__all__ = ["permuted_images", "permuted_means"]

_BLOCK_PAIRS = 2**20  # scores gathered at once: 8 MB of positions


def permuted_images(
    permutations: NDArray[Any], current: NDArray[np.intp], *, name: str = "permutations"
) -> NDArray[np.int32]:
    """Image that each trial meets under each permutation.

    Parameters
    ----------
    permutations : array of int, shape (n_permutations, n_trials)
        ``permutations[b, i]`` is the trial whose image trial i meets.
    current : array of int, shape (n_trials,)
        Image of each trial, -1 for none.

    Returns
    -------
    array of int32, shape (n_permutations, n_trials)

    Raises
    ------
    MetricError
        If the shape is another one, a trial lies outside, or a trial without image changes its place.
    """
    permutations = np.asarray(permutations)
    n_trials = len(current)
    if permutations.ndim != 2 or permutations.shape[1] != n_trials or permutations.dtype.kind not in "iu":
        raise MetricError(
            f"{name} has shape {permutations.shape} and dtype {permutations.dtype}; needed are integers (n_permutations, "
            f"{n_trials}), the trial whose image each trial meets."
        )
    if permutations.size and not (permutations.min() >= 0 and permutations.max() < n_trials):
        raise MetricError(
            f"{name} ranges from {permutations.min()} to {permutations.max()}; there are trials 0 to {n_trials - 1}."
        )
    without = np.flatnonzero(current == NO_IMAGE)
    if (permutations[:, without] != without).any():
        raise MetricError(f"{name} moves trials that have no image; permute the images of the others alone.")
    return current.astype(np.int32)[permutations]


def permuted_means(scores: NDArray[np.floating[Any]], images: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mean over trials of the score with another image each.

    Parameters
    ----------
    scores : array of float, shape (n_trials, n_images)
        What each trial scores with each image as its target.
    images : array of int32, shape (n_permutations, n_trials)
        From `permuted_images`, of trials that have an image.

    Returns
    -------
    array of float32, shape (n_permutations,)
        NaN if there is no trial.

    Examples
    --------
    >>> permuted_means(np.array([[1.0, 0.2], [0.4, 0.8]]), np.array([[0, 1], [1, 0]], dtype=np.int32))
    array([0.9, 0.3], dtype=float32)
    """
    n_trials, n_images = scores.shape
    means = np.full(len(images), np.nan, dtype=np.float32)
    if not n_trials:
        return means
    first_of_row = np.arange(n_trials) * n_images
    flat = np.ascontiguousarray(scores).ravel()
    n_at_once = max(1, _BLOCK_PAIRS // n_trials)
    for first in range(0, len(images), n_at_once):
        some = slice(first, first + n_at_once)
        means[some] = flat.take(images[some] + first_of_row).mean(axis=1, dtype=np.float64)
    return means
