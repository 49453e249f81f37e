"""Two-way identification: whether a reconstruction is closer to its target than to another seen image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import NO_IMAGE, check_target_image
from tempgen.metrics.correlation import correlate_rows, standardize_rows

__all__ = ["IDENTIFICATION_DIRECTION", "identification_from_correlation", "two_way_identification"]

IDENTIFICATION_DIRECTION = "reconstruction-to-seen"
"""One reconstruction is compared with all seen images, as in the code of Brain-Diffuser and of MindEye.

Dynadiff's released code compares one seen image with all reconstructions; the two give different numbers."""

_BLOCK_TRIALS = 512  # rows of correlations held at once: 6 MB with a pool of 3,000 images


def identification_from_correlation(
    correlation: NDArray[np.float32], target_image: NDArray[Any]
) -> NDArray[np.float32]:
    """Two-way identification of one target per trial, from correlations with the whole pool.

    The same correlations serve the previous, the current and the next image as target.

    Parameters
    ----------
    correlation : array of float32, shape (n_trials, n_images)
        Of each reconstruction with each distinct seen image.
    target_image : array of int, shape (n_trials,)
        Column of the image that counts as right; -1 where the trial has none.

    Returns
    -------
    array of float32, shape (n_trials,)
        Share of the other images whose correlation is lower than the target's; a tie counts 1/2. NaN without target.

    Raises
    ------
    MetricError
        If the pool has fewer than two images, a target lies outside it, or a correlation is NaN.

    Examples
    --------
    >>> correlation = np.array([[0.9, 0.1, 0.3], [0.2, 0.2, 0.8]], dtype=np.float32)
    >>> identification_from_correlation(correlation, np.array([0, 1]))
    array([1.  , 0.25], dtype=float32)
    """
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
    target = correlation[np.arange(n_trials), target_image][
        :, np.newaxis
    ]  # target -1 reads a column, masked below
    n_lower = np.count_nonzero(correlation < target, axis=1)
    n_tied = np.count_nonzero(correlation == target, axis=1) - 1  # without the target itself
    share = (n_lower + 0.5 * n_tied) / (n_images - 1)
    return np.where(target_image == NO_IMAGE, np.nan, share).astype(np.float32)


def two_way_identification(
    *, reconstructed_features: NDArray[Any], target_image: NDArray[Any], pool_features: NDArray[Any]
) -> NDArray[np.float32]:
    """Share of the other seen images that a reconstruction resembles less than its target, per trial.

    Direction ``"reconstruction-to-seen"``. Exact for any number of trials: blocks of correlations with the pool, never
    an array of trials x images x images. A constant row has correlation 0 with all, so that a constant reconstruction scores 1/2.

    Parameters
    ----------
    reconstructed_features : array of float, shape (n_trials, n_features)
        Pixels or network features of the reconstructions.
    target_image : array of int, shape (n_trials,)
        Row of ``pool_features`` that counts as right; -1 where the trial has none.
    pool_features : array of float, shape (n_images, n_features)
        Features of the distinct seen images, each once, however often it was shown.

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
    scores = np.empty(n_trials, dtype=np.float32)
    for first in range(0, n_trials, _BLOCK_TRIALS):
        block = slice(first, first + _BLOCK_TRIALS)
        correlation = correlate_rows(standardize_rows(reconstructed_features[block]), pool)
        scores[block] = identification_from_correlation(correlation, target_image[block])
    return scores
