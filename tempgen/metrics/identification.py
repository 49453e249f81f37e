"""Two-way identification: whether a reconstruction is closer to its target than to another seen image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.base import Comparison
from tempgen.metrics.checks import NO_IMAGE, check_target_image
from tempgen.metrics.correlation import correlate_rows, standardize_rows

__all__ = [
    "IDENTIFICATION_DIRECTION",
    "IDENTIFICATION_DIRECTIONS",
    "identification_from_correlation",
    "identification_of_all_images",
    "two_way_identification",
]

IDENTIFICATION_DIRECTION: Comparison = "reconstruction-to-seen"
"""The default: one reconstruction is compared with all seen images, as in the code of Brain-Diffuser and of MindEye.

A trial's score then depends on its own reconstruction and on the images alone, so that it can be averaged by lag, image
or run. Dynadiff's released code compares one seen image with all reconstructions; the two give different numbers."""

IDENTIFICATION_DIRECTIONS: tuple[Comparison, ...] = (IDENTIFICATION_DIRECTION, "seen-to-reconstruction")

_BLOCK_TRIALS = 512  # rows of correlations held at once: 6 MB with a pool of 3,000 images


def identification_from_correlation(
    correlation: NDArray[np.float32],
    target_image: NDArray[Any],
    *,
    comparison: Comparison = IDENTIFICATION_DIRECTION,
) -> NDArray[np.float32]:
    """Two-way identification of one target per trial, from correlations with the whole pool.

    The same correlations serve the previous, the current and the next image as target.

    Parameters
    ----------
    correlation : array of float32, shape (n_trials, n_images)
        Of each reconstruction with each distinct seen image.
    target_image : array of int, shape (n_trials,)
        Column of the image that counts as right; -1 where the trial has none.
    comparison : {"reconstruction-to-seen", "seen-to-reconstruction"}
        Whether a target competes with the other images (in its row), or a reconstruction with those of the trials
        whose target is another image (in its column; trials without target do not compete).

    Returns
    -------
    array of float32, shape (n_trials,)
        Share of the competitors whose correlation is lower than the target's; a tie counts 1/2. NaN without target
        or competitor.

    Raises
    ------
    MetricError
        If the pool has fewer than two images, a target lies outside it, a correlation is NaN, or the direction is unknown.

    Examples
    --------
    >>> correlation = np.array([[0.9, 0.1, 0.3], [0.2, 0.2, 0.8]], dtype=np.float32)
    >>> identification_from_correlation(correlation, np.array([0, 1]))
    array([1.  , 0.25], dtype=float32)
    >>> identification_from_correlation(correlation, np.array([0, 1]), comparison="seen-to-reconstruction")
    array([1., 1.], dtype=float32)
    """
    if comparison not in IDENTIFICATION_DIRECTIONS:
        raise MetricError(
            f"Two-way identification was asked for in the direction {comparison!r}; there are "
            f"{' and '.join(IDENTIFICATION_DIRECTIONS)}."
        )
    if correlation.ndim != 2 or correlation.shape[1] < 2:
        raise MetricError(
            f"Correlations have shape {correlation.shape}; needed is (n_trials, n_images) with at least 2 images, "
            "the target and one to tell it from."
        )
    if np.isnan(correlation).any():
        raise MetricError(
            "Correlations contain NaN; compute them with `correlation_matrix`, where constant rows give 0."
        )
    n_trials, n_images = correlation.shape
    target_image = check_target_image(target_image, n_trials=n_trials, n_images=n_images)
    if comparison == "seen-to-reconstruction":
        return _among_reconstructions(correlation, target_image)
    target = correlation[np.arange(n_trials), target_image][
        :, np.newaxis
    ]  # target -1 reads a column, masked below
    n_lower = np.count_nonzero(correlation < target, axis=1)
    n_tied = np.count_nonzero(correlation == target, axis=1) - 1  # without the target itself
    share = (n_lower + 0.5 * n_tied) / (n_images - 1)
    return np.where(target_image == NO_IMAGE, np.nan, share).astype(np.float32)


def _among_reconstructions(
    correlation: NDArray[np.float32], target_image: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Each reconstruction among those of trials with another target, in the column of its own target."""
    scores = np.full(len(correlation), np.nan, dtype=np.float32)
    there = np.flatnonzero(target_image != NO_IMAGE)
    targets, by_image = target_image[there], correlation.T  # (n_images, n_trials)
    for first in range(0, len(there), _BLOCK_TRIALS):
        some = slice(first, first + _BLOCK_TRIALS)
        own = by_image[targets[some], there[some]][:, np.newaxis]
        candidates = by_image[targets[some][:, np.newaxis], there]  # (n_some, n_there)
        competes = targets[some][:, np.newaxis] != targets
        n_lower = np.count_nonzero((candidates < own) & competes, axis=1)
        n_tied = np.count_nonzero((candidates == own) & competes, axis=1)
        n_competing = np.count_nonzero(competes, axis=1)
        share = (n_lower + 0.5 * n_tied) / np.maximum(n_competing, 1)
        scores[there[some]] = np.where(n_competing > 0, share, np.nan)
    return scores


def identification_of_all_images(
    correlation: NDArray[np.float32], target_image: NDArray[np.intp], *, comparison: Comparison
) -> NDArray[np.float32]:
    """What each trial would score with each image of the pool as its target.

    Parameters
    ----------
    correlation : array of float32, shape (n_trials, n_images)
        Of each reconstruction with each distinct seen image.
    target_image : array of int, shape (n_trials,)
        Image of each trial; every trial has one. In the direction of seen to reconstruction it says how many trials have
        an image; those do not compete for it.
    comparison : {"reconstruction-to-seen", "seen-to-reconstruction"}

    Returns
    -------
    array of float32, shape (n_trials, n_images)
        From reconstruction to seen image: share of the other images that correlate less, a tie counts 1/2. From seen image
        to reconstruction: (n_lower + n_tied / 2 - (m - 1) / 2) / (n_trials - m), where counts are over all other trials and
        m trials have the image: of those, one half are lower on average. So the mean over trials, for any assignment of
        these images to the trials, is that of `identification_from_correlation`, exactly.
    """
    n_trials, n_images = correlation.shape
    if comparison == IDENTIFICATION_DIRECTION:
        return _mean_ranks(correlation) / np.float32(n_images - 1)
    n_having = np.bincount(target_image, minlength=n_images)[:, np.newaxis]
    n_competing = n_trials - n_having
    lower = _mean_ranks(correlation.T) - (n_having - 1) / 2
    share = np.where(n_competing > 0, lower / np.maximum(n_competing, 1), np.nan)
    return np.ascontiguousarray(share.T.astype(np.float32))


def _mean_ranks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many others of its row are smaller than each value, and half of those that equal it."""
    values = np.ascontiguousarray(values)
    order = np.argsort(values, axis=1)
    ranks = np.empty(values.shape, dtype=np.float32)
    np.put_along_axis(ranks, order, np.arange(values.shape[1], dtype=np.float32)[np.newaxis], axis=1)
    ascending = np.take_along_axis(values, order, axis=1)
    tied = np.flatnonzero((ascending[:, 1:] == ascending[:, :-1]).any(axis=1))
    if tied.size:
        from scipy.stats import rankdata

        ranks[tied] = rankdata(values[tied], axis=1) - 1
    return ranks


def two_way_identification(
    *,
    reconstructed_features: NDArray[Any],
    target_image: NDArray[Any],
    pool_features: NDArray[Any],
    comparison: Comparison = IDENTIFICATION_DIRECTION,
) -> NDArray[np.float32]:
    """Share of the other seen images that a reconstruction resembles less than its target, per trial.

    Exact for any number of trials: blocks of correlations with the pool, never an array of trials x images x images. A
    constant row has correlation 0 with all, so that a constant reconstruction scores 1/2.

    Parameters
    ----------
    reconstructed_features : array of float, shape (n_trials, n_features)
        Pixels or network features of the reconstructions.
    target_image : array of int, shape (n_trials,)
        Row of ``pool_features`` that counts as right; -1 where the trial has none.
    pool_features : array of float, shape (n_images, n_features)
        Features of the distinct seen images, each once, however often it was shown.
    comparison : {"reconstruction-to-seen", "seen-to-reconstruction"}
        As in `identification_from_correlation`; the second compares with the other trials' reconstructions instead.

    Returns
    -------
    array of float32, shape (n_trials,)
        From 0 to 1, chance 1/2, a tie 1/2; NaN without target.

    Raises
    ------
    MetricError
        If shapes do not fit, values are not finite, a target lies outside the pool, or the pool has one image.

    Source
    ------
    Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8; there a tie counts 0.
    """
    pool = standardize_rows(pool_features)
    n_trials = len(reconstructed_features)
    target_image = check_target_image(target_image, n_trials=n_trials, n_images=len(pool))
    if comparison != IDENTIFICATION_DIRECTION:
        correlation = correlate_rows(standardize_rows(reconstructed_features), pool)
        return identification_from_correlation(correlation, target_image, comparison=comparison)
    scores = np.empty(n_trials, dtype=np.float32)
    for first in range(0, n_trials, _BLOCK_TRIALS):
        block = slice(first, first + _BLOCK_TRIALS)
        correlation = correlate_rows(standardize_rows(reconstructed_features[block]), pool)
        scores[block] = identification_from_correlation(correlation, target_image[block])
    return scores
