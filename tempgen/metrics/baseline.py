"""What each trial would score if its reconstruction and its image did not belong together.

Both differ in how well they do with anything: a grey reconstruction resembles all images a little, a popular image is
resembled by all reconstructions. The baseline of a trial is the sum of the two, measured where they are mismatched
(double centring). Scores minus baseline have mean 0 if reconstructions are independent of the images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.metrics.checks import NO_IMAGE

__all__ = ["baseline_from_matrix", "baseline_from_pairs", "first_of_each"]


def baseline_from_matrix(
    scores: NDArray[np.floating[Any]], *, targets: NDArray[np.intp], current: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Row mean + column mean - grand mean over the mismatched pairs, for scores of every trial beside every image.

    Parameters
    ----------
    scores : array of float, shape (n_trials, n_images)
        What each trial scores with each image as its target.
    targets : array of int, shape (n_targets, n_trials)
        Images that a trial may resemble (previous, current, next), -1 for none: no pair with one of them is mismatched.
    current : array of int, shape (n_trials,)
        Image whose baseline is asked for, -1 for none. Such trials are left out.

    Returns
    -------
    array of float32, shape (n_trials,)
        Mean of the trial over the images that are none of its targets, plus mean of its image over the trials that have it
        not among their targets, minus the mean over all such pairs. NaN without image, or where either mean is of nothing.

    Source
    ------
    Additive model of a two-way table, as in the analysis of variance; here without the pairs that carry the signal.

    Examples
    --------
    >>> scores = np.add.outer([0.0, 0.1, 0.2], [0.5, 0.6, 0.8])
    >>> current = np.array([0, 1, 2])
    >>> above = np.diag(scores) - baseline_from_matrix(scores, targets=current[np.newaxis], current=current)
    >>> round(float(above.mean()), 6)
    0.0
    """
    baseline = np.full(len(scores), np.nan, dtype=np.float32)
    there = np.flatnonzero(current != NO_IMAGE)
    if len(there) < len(scores):
        scores, targets = scores[there], targets[:, there]
    counted = first_of_each(targets)
    trial, image = np.nonzero(counted)[1], targets[counted]
    own = scores[trial, image]
    rows, total, n_pairs = _means(scores, own, trial, axis=1)
    columns, *_ = _means(scores, own, image, axis=0)
    if n_pairs:
        baseline[there] = rows + columns[current[there]] - total / n_pairs
    return baseline


def _means(
    scores: NDArray[np.floating[Any]], own: NDArray[np.floating[Any]], place: NDArray[np.intp], *, axis: int
) -> tuple[NDArray[np.float64], float, int]:
    """Means along an axis without the scores ``own``, which lie at ``place`` on the other; their total sum and number."""
    n = scores.shape[1 - axis]
    sums = scores.sum(axis=axis, dtype=np.float64) - np.bincount(place, own, minlength=n)
    counts = scores.shape[axis] - np.bincount(place, minlength=n)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means, float(sums.sum()), int(counts.sum())


def baseline_from_pairs(
    scores: NDArray[np.floating[Any]], *, images: NDArray[np.intp], current: NDArray[np.intp]
) -> NDArray[np.float32]:
    """The same from a few mismatched pairs of each trial: row and column means shrunk to the grand mean.

    With four pairs a trial, means of rows and of columns are noise for the most part. Each is multiplied by its
    reliability, v / (v + w / n): v is the variance between rows (columns), w that within one, n its number of pairs;
    variances by the method of moments. Of what was tried in a simulation (grand mean, row mean, column mean, their sum, least
    squares, both shrunk, the mixed model's iterated prediction) the last two have the least error: 3 to 5 times less than the
    unshrunk sum or the row mean where rows and columns differ little, 1.5 to 3 times less where they differ as much as single
    scores; the iterated one, which was not taken, at best a quarter less. What shrinking takes from the mean over trials is
    given back to all, so that images which are popular and shown often leave no bias.

    Parameters
    ----------
    scores : array of float, shape (n_pairs, n_trials)
        NaN where there is no pair.
    images : array of int, shape (n_pairs, n_trials)
        Which image each is with; none of the trial's own.
    current : array of int, shape (n_trials,)
        Image whose baseline is asked for, -1 for none.

    Returns
    -------
    array of float32, shape (n_trials,)
        NaN without image; a trial or an image without mismatched pair counts as an average one.
    """
    there = (images != NO_IMAGE) & ~np.isnan(scores)
    baseline = np.full(scores.shape[1], np.nan, dtype=np.float32)
    if not there.any():
        return baseline
    values, trial, image = scores[there].astype(np.float64), np.nonzero(there)[1], images[there]
    grand = values.mean()
    centred = values - grand
    known = np.flatnonzero(current != NO_IMAGE)
    n_images = 1 + int(max(image.max(), current.max()))
    rows = _shrunk_means(centred, trial, n=scores.shape[1], wanted=known)
    columns = _shrunk_means(centred, image, n=n_images, wanted=current[known])
    baseline[known] = grand + rows + columns
    return baseline


def _shrunk_means(
    centred: NDArray[np.float64], place: NDArray[np.intp], *, n: int, wanted: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Means of the values at the wanted ones of n places, shrunk, with the mean of the unshrunk ones; 0 where there is none."""
    counts = np.bincount(place, minlength=n)
    means = np.bincount(place, centred, minlength=n) / np.maximum(counts, 1)
    n_free = len(centred) - np.count_nonzero(counts)
    reliability = np.zeros(n)  # one value a place: what differs between them cannot be told from noise
    if n_free:
        within = ((centred - means[place]) ** 2).sum() / n_free
        between = max(float((centred**2).sum() / (len(centred) - 1)) - within, 0.0)
        tiny = np.finfo(np.float64).tiny
        reliability = between / np.maximum(between + within / np.maximum(counts, 1), tiny)
    shrunk = (means * reliability)[wanted]
    return shrunk + (means[wanted] - shrunk).mean() if wanted.size else shrunk


def first_of_each(targets: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which targets (n_targets, n_trials) are there and no repetition of an earlier one of the same trial."""
    first = targets != NO_IMAGE
    for row in range(1, len(targets)):
        first[row] &= (targets[:row] != targets[row]).all(axis=0)
    return first
