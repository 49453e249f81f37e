"""Mean intersection over union: how much of what a segmentation network finds where in the seen image is there again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError

__all__ = ["mean_iou", "same_regions"]

_BLOCK_PIXELS = 2**19  # counted at once: 4 MB of int64, about the size of a second-level cache


def mean_iou(*, seen_labels: NDArray[Any], reconstructed_labels: NDArray[Any]) -> NDArray[np.float32]:
    """Mean intersection over union of two label maps, over the classes of the seen image.

    For each class that the seen image's map shows: pixels that have it in both maps / pixels that have it in either. The
    score is the mean of these, each class counting the same whatever its size. A class that only the reconstruction shows has no
    term of its own; its pixels are missing from the others.

    Parameters
    ----------
    seen_labels, reconstructed_labels : array of int, shape (n, rows, columns)
        Class of each pixel, from 0.

    Returns
    -------
    array of float32, shape (n,)
        From 0 (no class of the seen image overlaps) to 1 (equal maps). Chance is not 0: images have much in common, such as
        sky above.

    Raises
    ------
    MetricError
        If shapes differ, or the labels are not integers from 0.

    Source
    ------
    Dynadiff's ``metrics/mIOU``: one value for each pair of images, over the classes of the seen image's map, averaged over pairs.

    Examples
    --------
    Of the left half (class 0) one of two pixels is kept, of the right half (class 1) all, and one pixel is added:

    >>> mean_iou(seen_labels=np.array([[[0, 1], [0, 1]]]), reconstructed_labels=np.array([[[0, 1], [1, 1]]])).round(3)
    array([0.583], dtype=float32)
    """
    seen, reconstructed = np.asarray(seen_labels), np.asarray(reconstructed_labels)
    _check(seen, reconstructed)
    n_maps, n_pixels = len(seen), int(np.prod(seen.shape[1:]))
    scores = np.empty(n_maps, dtype=np.float32)
    n_classes = 1 + max(int(seen.max(initial=0)), int(reconstructed.max(initial=0)))
    n_at_once = max(1, _BLOCK_PIXELS // n_pixels)
    for start in range(0, n_maps, n_at_once):
        block = slice(start, start + n_at_once)
        scores[block] = _scores(
            seen[block].reshape(-1, n_pixels), reconstructed[block].reshape(-1, n_pixels), n_classes
        )
    return scores


def _scores(seen: NDArray[Any], reconstructed: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
    first = (
        n_classes * np.arange(len(seen), dtype=np.int64)[:, np.newaxis]
    )  # each map counts into its own bins

    def counts(codes: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(codes, minlength=n_classes * len(seen)).reshape(len(seen), n_classes)

    codes = first + seen
    in_seen = counts(codes.ravel())
    in_both = counts(codes[seen == reconstructed])
    in_reconstructed = counts((first + reconstructed).ravel())
    shown = in_seen > 0
    union = np.where(shown, in_seen + in_reconstructed - in_both, 1)
    return np.asarray((in_both / union).sum(axis=1) / shown.sum(axis=1))


def same_regions(seen: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[np.float32]:
    """`mean_iou` as a `PairMetric` compares: the seen images' maps first."""
    return mean_iou(seen_labels=seen, reconstructed_labels=reconstructed)


def _check(seen: NDArray[Any], reconstructed: NDArray[Any]) -> None:
    if seen.shape != reconstructed.shape or seen.ndim != 3 or 0 in seen.shape[1:]:
        raise MetricError(
            f"label maps have the shapes {seen.shape} (seen) and {reconstructed.shape} (reconstructed); needed are two of the "
            "same shape (n, rows, columns). Segment both at one size."
        )
    for labels, name in ((seen, "seen"), (reconstructed, "reconstructed")):
        if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
            raise MetricError(
                f"the label maps of the {name} images are {labels.dtype}"
                + (f" and go down to {labels.min()}" if labels.size else "")
                + "; needed are integers from 0, one class a pixel."
            )
