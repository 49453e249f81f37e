"""All image metrics of one batch of reconstructions in one pass over bounded blocks, and those that networks compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.base import IMAGE_METRICS, Metric
from tempgen.metrics.category import SCENE_CATEGORY, SceneCategory
from tempgen.metrics.chance import mismatched_images
from tempgen.metrics.checks import NO_IMAGE, check_images, check_target_image
from tempgen.metrics.correlation import correlate_rows, standardize_rows
from tempgen.metrics.identification import identification_from_correlation
from tempgen.metrics.pixel import ssim_from_moments, ssim_moments

__all__ = ["SCENE_METRICS", "ImageScores", "ImageSuite", "PooledMetric"]

_BLOCK_VALUES = 2**22  # values of reconstructions worked on at once: 16 MB for each array of float32


SCENE_METRICS: Mapping[str, Metric] = MappingProxyType({SCENE_CATEGORY.name: SCENE_CATEGORY})
"""Metrics that only simulated scenes have; computed where they are asked for by name."""


class PooledMetric(Protocol):
    """A metric beyond pixels: made with the pool of seen images, from which it keeps what it needs."""

    def score(self, reconstructed: NDArray[np.float32], *, compared: NDArray[np.intp]) -> NDArray[np.float32]:
        """Scores beside images ``compared`` (n_rows, n_trials) of the pool, NaN for -1; shape of ``compared``."""
        ...


_POOLED: Mapping[str, Callable[[NDArray[np.float32]], PooledMetric]] = {SCENE_CATEGORY.name: SceneCategory}


@dataclass(frozen=True)
class ImageScores:
    """Scores of one set of reconstructions.

    Attributes
    ----------
    score : dict of str to array of float32, shape (n_targets, n_trials)
        By metric; NaN where a trial has no such target.
    chance : dict of str to float
        By metric: the fixed level, or the mean score beside images that are no target of the trial.
    """

    score: dict[str, NDArray[np.float32]]
    chance: dict[str, float]


class ImageSuite:
    """PixCorr, SSIM and two-way identification on pixels, beside one pool of seen images.

    The pool is standardized and filtered once; then each call filters its reconstructions once and serves all targets.

    Parameters
    ----------
    seen_images : array of float, shape (n_images, height, width, 3)
        Each distinct seen image once, RGB in [0, 1], for SSIM at least 11 pixels a side. About four times their memory is held.
    metrics : sequence of str
        Which of ``IMAGE_METRICS`` and ``SCENE_METRICS`` to compute.

    Raises
    ------
    MetricError
        If a metric is unknown, there are fewer than two images, they are too small or not RGB, or values are not floats
        in [0, 1].

    Examples
    --------
    >>> seen = np.random.default_rng(0).random((5, 16, 16, 3))
    >>> scores = ImageSuite(seen).score(seen, target_images={"current": np.arange(5)})
    >>> scores.score["identification"]
    array([[1., 1., 1., 1., 1.]], dtype=float32)
    >>> scores.chance["identification"]
    0.5
    """

    def __init__(self, seen_images: NDArray[Any], metrics: Sequence[str] = tuple(IMAGE_METRICS)) -> None:
        known = (*IMAGE_METRICS, *SCENE_METRICS)
        unknown = [name for name in metrics if name not in known]
        if unknown or not metrics:
            raise MetricError(f"Metrics {list(metrics)} were asked for; choose of {', '.join(known)}.")
        seen_images = check_images(seen_images, name="seen_images")
        if len(seen_images) < 2:
            raise MetricError(
                "The pool has one seen image; needed are at least 2, the target and one to tell it from."
            )
        self.metrics = tuple(metrics)
        self.image_shape = seen_images.shape[1:]
        self.n_images = len(seen_images)
        self._rows = standardize_rows(seen_images.reshape(self.n_images, -1))
        if "ssim" in self.metrics:
            self._moments = ssim_moments(seen_images)
        self._pooled = {name: _POOLED[name](seen_images) for name in self.metrics if name in _POOLED}

    def score(
        self, reconstructed: NDArray[Any], *, target_images: Mapping[str, NDArray[Any]], n_shifts: int = 4
    ) -> ImageScores:
        """Score reconstructions against one or more targets each.

        Parameters
        ----------
        reconstructed : array of float, shape (n_trials, height, width, 3)
            RGB in [0, 1], of the seen images' size.
        target_images : mapping of str to array of int, shape (n_trials,)
            For each target (``"previous"``, ``"current"``, ``"next"``): position in the pool, -1 for none.
        n_shifts : int
            Mismatched images a trial on which chance is measured (of SSIM and of metrics beyond pixels). PixCorr's is exact: all images of the pool.

        Returns
        -------
        ImageScores
            Rows in the order of ``target_images``.

        Raises
        ------
        MetricError
            If sizes differ, values are not finite floats in [0, 1], or a target lies outside the pool.
        """
        reconstructed = check_images(reconstructed, name="reconstructed")
        if reconstructed.shape[1:] != self.image_shape:
            raise MetricError(
                f"Reconstructions have shape {reconstructed.shape[1:]}, seen images {self.image_shape}; resize one of them."
            )
        if not target_images:
            raise MetricError("No target was named; give at least {'current': positions in the pool}.")
        n_trials = len(reconstructed)
        targets = np.stack(
            [
                check_target_image(target, n_trials=n_trials, n_images=self.n_images)
                for target in target_images.values()
            ]
        )
        compared = np.concatenate(
            [targets, mismatched_images(targets, n_images=self.n_images, n_shifts=n_shifts)]
        )
        score: dict[str, NDArray[np.float32]] = {}
        chance = {name: metric.chance for name, metric in IMAGE_METRICS.items() if metric.chance is not None}
        if "pixcorr" in self.metrics or "identification" in self.metrics:
            score |= {
                name: np.empty(targets.shape, dtype=np.float32) for name in ("pixcorr", "identification")
            }
            chance["pixcorr"] = self._score_correlation(reconstructed, targets, score)
        if "ssim" in self.metrics:
            structure = self._structure(reconstructed, compared)
            score["ssim"] = structure[: len(targets)]
            chance["ssim"] = _mean(structure[len(targets) :])
        for name, pooled in self._pooled.items():
            values = pooled.score(reconstructed, compared=compared)
            score[name], chance[name] = values[: len(targets)], _mean(values[len(targets) :])
        return ImageScores(
            {name: score[name] for name in self.metrics}, {name: chance[name] for name in self.metrics}
        )

    def _blocks(self, n_trials: int) -> Iterator[slice]:
        """Trials worked on at once, such that memory stays bounded."""
        size = max(1, _BLOCK_VALUES // max(int(np.prod(self.image_shape)), self.n_images))
        return (slice(first, first + size) for first in range(0, n_trials, size))

    def _score_correlation(
        self,
        reconstructed: NDArray[np.float32],
        targets: NDArray[np.intp],
        score: dict[str, NDArray[np.float32]],
    ) -> float:
        """Fill in PixCorr and identification from one matrix of correlations; returns PixCorr's chance."""
        mismatched = np.empty(len(reconstructed), dtype=np.float32)
        for block in self._blocks(len(reconstructed)):
            rows = standardize_rows(reconstructed[block].reshape(-1, self._rows.shape[1]))
            correlation = correlate_rows(rows, self._rows)
            for row, target_image in enumerate(targets[:, block]):
                score["identification"][row, block] = identification_from_correlation(
                    correlation, target_image
                )
                score["pixcorr"][row, block] = _chosen(correlation, target_image)
            mismatched[block] = _mean_without(correlation, targets[:, block])
        return _mean(mismatched)

    def _structure(
        self, reconstructed: NDArray[np.float32], compared: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """SSIM of each reconstruction with each image it is compared with, shape of ``compared``."""
        structure = np.empty(compared.shape, dtype=np.float32)
        for block in self._blocks(len(reconstructed)):
            moments = ssim_moments(reconstructed[block])
            for row, seen_image in enumerate(compared[:, block]):
                structure[row, block] = ssim_from_moments(
                    seen=self._moments, seen_image=seen_image, reconstructed=moments
                )
        return structure


def _chosen(correlation: NDArray[np.float32], target_image: NDArray[np.intp]) -> NDArray[np.float32]:
    chosen = correlation[np.arange(len(correlation)), target_image]
    return np.where(target_image == NO_IMAGE, np.float32(np.nan), chosen)


def _mean_without(correlation: NDArray[np.float32], targets: NDArray[np.intp]) -> NDArray[np.float32]:
    """Mean of each row over the images that are no target of its trial; NaN if there are none."""
    mismatched = np.ones(correlation.shape, dtype=bool)
    for target_image in targets:
        trials = np.flatnonzero(target_image != NO_IMAGE)
        mismatched[trials, target_image[trials]] = False
    n_mismatched = np.count_nonzero(mismatched, axis=1)
    total = correlation.sum(axis=1, where=mismatched, dtype=np.float64)
    return np.where(n_mismatched > 0, total / np.maximum(n_mismatched, 1), np.nan).astype(np.float32)


def _mean(scores: NDArray[np.float32]) -> float:
    """Mean over what is there; NaN if nothing is, as in a pool that holds targets alone."""
    there = scores[~np.isnan(scores)]
    return float(there.mean(dtype=np.float64)) if there.size else float("nan")
