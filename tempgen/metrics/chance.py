"""What a score is worth by chance: the same reconstructions beside images that their trials did not show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import NO_IMAGE, check_target_image

__all__ = ["mismatched_images", "shuffled_chance"]

Score = Callable[[NDArray[np.intp]], NDArray[np.float32]]


def mismatched_images(target_images: NDArray[Any], *, n_images: int, n_shifts: int) -> NDArray[np.intp]:
    """Images to compare each trial with that it did not show, without drawing lots.

    Trial i is paired with the images i + shift (cyclically) for shifts spread evenly over the pool.

    Parameters
    ----------
    target_images : array of int, shape (n_targets, n_trials)
        Positions in the pool of the images that a trial may resemble (previous, current, next); -1 for none. None of
        them is ever a mismatch.
    n_images : int
        Distinct seen images in the pool.
    n_shifts : int
        Comparisons a trial; ``n_images`` of them are all there are.

    Returns
    -------
    array of int, shape (min(n_shifts, n_images), n_trials)
        -1 where the pair would have been one of the trial's own images.

    Raises
    ------
    MetricError
        If there are fewer than two images or no shift, or a target lies outside the pool.

    Examples
    --------
    >>> mismatched_images(np.array([[0, 1, 2]]), n_images=3, n_shifts=3)
    array([[-1, -1, -1],
           [ 1,  2,  0],
           [ 2,  0,  1]])
    """
    if n_images < 2 or n_shifts < 1:
        raise MetricError(
            f"Chance is measured on pairs that do not belong together; {n_images} images and {n_shifts} shifts "
            "leave none. Needed are at least 2 images and 1 shift."
        )
    target_images = np.atleast_2d(target_images)
    n_trials = target_images.shape[1]
    n_shifts = min(n_shifts, n_images)
    shifts = np.arange(n_shifts) * n_images // n_shifts
    paired = (np.arange(n_trials) + shifts[:, np.newaxis]) % n_images
    for target_image in target_images:
        own = check_target_image(target_image, n_trials=n_trials, n_images=n_images)
        paired[paired == own] = NO_IMAGE
    return paired.astype(np.intp)


def shuffled_chance(
    score: Score, target_images: NDArray[Any], *, n_images: int, n_shifts: int = 4
) -> NDArray[np.float32]:
    """Expected score of each reconstruction beside a seen image that does not belong to it.

    For metrics without a fixed chance level: natural images resemble one another, and a decoder that always draws
    their mean has a PixCorr above 0. Not for labels, where a mismatch is never right: chance is 1 / n_labels.

    Parameters
    ----------
    score : callable
        ``score(seen_image)`` gives the scores, shape (n_trials,), of the reconstructions beside these images of the
        pool, and NaN for -1.
    target_images : array of int, shape (n_targets, n_trials)
        Images that a trial may resemble (previous, current, next), left out.
    n_images, n_shifts : int
        As in `mismatched_images`.

    Returns
    -------
    array of float32, shape (n_trials,)
        Mean over the mismatches; NaN for a trial that has none.

    Raises
    ------
    MetricError
        If there are fewer than two images or no shift, or a target lies outside the pool.
    """
    mismatched = mismatched_images(target_images, n_images=n_images, n_shifts=n_shifts)
    total = np.zeros(mismatched.shape[1], dtype=np.float64)
    for seen_image in mismatched:
        total += np.where(seen_image == NO_IMAGE, 0, score(seen_image))
    n_compared = np.count_nonzero(mismatched != NO_IMAGE, axis=0)
    return np.where(n_compared > 0, total / np.maximum(n_compared, 1), np.nan).astype(np.float32)
