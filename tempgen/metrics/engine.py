"""All metrics of a suite for one batch of reconstructions, in one pass over bounded blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.base import Metric
from tempgen.metrics.chance import mismatched_images
from tempgen.metrics.checks import check_images, check_target_image
from tempgen.metrics.image_metric import FeatureMetric, ImageMetric, PairMetric
from tempgen.metrics.permuted import permuted_images
from tempgen.metrics.pool import SeenPool
from tempgen.metrics.scorers import FeatureScorer, Pairing, PairScorer
from tempgen.metrics.suites import Suite, get_suite
from tempgen.metrics.views import FeatureSource, Views, open_networks, view_of

__all__ = ["ImageScores", "ImageSuite"]

CURRENT = "current"
"""The target whose baseline and permutations are computed: the image that the trial showed."""

_BLOCK_VALUES = (
    2**23
)  # values of reconstructions worked on at once: 33 MB for each array of float32; 55 images at 224 pixels


@dataclass(frozen=True)
class ImageScores:
    """Scores of one set of reconstructions.

    Attributes
    ----------
    score : dict of str to array of float32, shape (n_targets, n_trials)
        By metric; NaN where a trial has no such target.
    chance : dict of str to float
        By metric: the fixed level, or the mean score beside images that are no target of the trial.
    baseline : dict of str to array of float32, shape (n_trials,)
        By metric: what each trial would score with its current image if its reconstruction were independent of it, see
        :mod:`tempgen.metrics.baseline`. Empty without such a target.
    null : dict of str to array of float32, shape (n_permutations,)
        By metric that correlates features: mean over trials with the current images permuted. Empty unless asked for.
    """

    score: dict[str, NDArray[np.float32]]
    chance: dict[str, float]
    baseline: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    null: dict[str, NDArray[np.float32]] = field(default_factory=dict)


class ImageSuite:
    """The metrics of a suite, beside one pool of seen images.

    The pool is represented once, by pixels and by networks; then each call represents its reconstructions once, a block
    at a time, and serves all metrics and targets. Features of reconstructions are never held beyond their block.

    Parameters
    ----------
    seen_images : array of float, shape (n_images, height, width, 3)
        Each distinct seen image once, RGB in [0, 1], for SSIM at least 11 pixels a side. Held are the features that
        the metrics compare: with the suite of pixels about four times the images' memory.
    suite : str or Suite
        ``"pixels"`` needs no network. See `known_suites`.
    metrics : sequence of str, optional
        Which of the suite's metrics, or of those registered, to compute; by default all of the suite.
    device : str, optional
        Where networks run, ``"cpu"`` or ``"cuda:1"``; by default a GPU where there is one.
    cache : FeatureCache, optional
        Keeps features on disk.

    Attributes
    ----------
    metrics : tuple of Metric
        What is computed, with the networks and the resize of each.
    metric_names : tuple of str
    suite : Suite
        With the chosen metrics alone.
    n_images : int

    Raises
    ------
    MetricError
        If a suite or a metric is unknown, a network cannot be opened, there are fewer than two images, they are too small
        or not RGB, or values are not floats in [0, 1].

    Examples
    --------
    >>> seen = np.random.default_rng(0).random((5, 16, 16, 3))
    >>> scores = ImageSuite(seen).score(seen, target_images={"current": np.arange(5)})
    >>> scores.score["identification"]
    array([[1., 1., 1., 1., 1.]], dtype=float32)
    >>> scores.chance["identification"]
    0.5
    """

    def __init__(
        self,
        seen_images: NDArray[Any],
        suite: str | Suite = "pixels",
        *,
        metrics: Sequence[str] | None = None,
        device: str | None = None,
        cache: FeatureSource | None = None,
    ) -> None:
        suite = suite if isinstance(suite, Suite) else get_suite(suite)
        self.suite = suite if metrics is None else suite.select(metrics)
        seen_images = check_images(seen_images, name="seen_images")
        if len(seen_images) < 2:
            raise MetricError(
                "The pool has one seen image; needed are at least 2, the target and one to tell it from."
            )
        self.image_shape = seen_images.shape[1:]
        self.n_images = len(seen_images)
        networks = open_networks(self.suite, device=device)
        self._views = Views(self.suite, networks, cache)
        self._pool = SeenPool(seen_images, self.suite, self._views, self._blocks(self.n_images))
        self.metrics = tuple(
            _with_settings(metric, self.suite, networks=networks) for metric in self.suite.metrics
        )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What is computed, in order."""
        return self.suite.metric_names

    def attrs(self) -> dict[str, str | int]:
        """What a result says of the suite that made it, see `Suite.attrs`."""
        return self.suite.attrs()

    def score(
        self,
        reconstructed: NDArray[Any],
        *,
        target_images: Mapping[str, NDArray[Any]],
        n_shifts: int = 4,
        permutations: NDArray[Any] | None = None,
    ) -> ImageScores:
        """Score reconstructions against one or more targets each.

        Parameters
        ----------
        reconstructed : array of float, shape (n_trials, height, width, 3)
            RGB in [0, 1]; of the seen images' size, unless the suite resizes all.
        target_images : mapping of str to array of int, shape (n_trials,)
            For each target (``"previous"``, ``"current"``, ``"next"``): position in the pool, -1 for none.
        n_shifts : int
            Mismatched images a trial on which the chance and the baseline of pair metrics are measured (such as SSIM's).
            Those of correlations are exact: all images of the pool.
        permutations : array of int, shape (n_permutations, n_trials), optional
            Trial whose current image each trial meets; trials without one keep their place.

        Returns
        -------
        ImageScores
            Rows in the order of ``target_images``.

        Raises
        ------
        MetricError
            If sizes differ, values are not finite floats in [0, 1], a target lies outside the pool, or permutations do not
            fit the trials or come without current images.
        """
        reconstructed = check_images(reconstructed, name="reconstructed")
        self._check_size(reconstructed)
        if not target_images:
            raise MetricError("No target was named; give at least {'current': positions in the pool}.")
        n_trials = len(reconstructed)
        targets = np.stack(
            [
                check_target_image(target, n_trials=n_trials, n_images=self.n_images)
                for target in target_images.values()
            ]
        )
        current = next((row for row, name in enumerate(target_images) if name == CURRENT), None)
        if permutations is not None and current is None:
            raise MetricError(
                f"Permutations came and no target {CURRENT!r}, whose images they are of; there are {list(target_images)}."
            )
        pairing = Pairing(
            targets,
            mismatched_images(targets, n_images=self.n_images, n_shifts=n_shifts),
            current,
            None if permutations is None else permuted_images(permutations, targets[current]),
        )
        scorers = self._scorers(pairing)
        for block in self._blocks(n_trials):
            for view, seen_as in self._views.of(reconstructed[block]):
                for scorer in scorers:
                    if scorer.view == view:
                        scorer.add(block, seen_as)
        for scorer in scorers:
            scorer.finish()
        score, chance, baseline, null = (
            self._in_order([getattr(scorer, part) for scorer in scorers])
            for part in ("score", "chance", "baseline", "null")
        )
        return ImageScores(score, chance, baseline, null)

    def _in_order(self, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What scorers computed, of those metrics that have it, in the order of the suite."""
        found = {name: value for part in parts for name, value in part.items()}
        return {name: found[name] for name in self.metric_names if name in found}

    def _scorers(self, pairing: Pairing) -> list[FeatureScorer | PairScorer]:
        """One for all metrics that correlate the same features, one for each pair metric."""
        correlated: dict[Any, list[FeatureMetric]] = {}
        for metric in self.suite.metrics:
            if isinstance(metric, FeatureMetric):
                correlated.setdefault(view_of(metric), []).append(metric)
        features = [
            FeatureScorer(view, metrics, self._pool.rows[view], pairing)
            for view, metrics in correlated.items()
        ]
        pairs = [
            PairScorer(metric, self._pool.represented[metric.name], pairing)
            for metric in self.suite.metrics
            if isinstance(metric, PairMetric)
        ]
        return [*features, *pairs]

    def _check_size(self, reconstructed: NDArray[np.float32]) -> None:
        as_they_come = self.suite.image_size is None and any(
            metric.image_size is None for metric in self.suite.metrics
        )
        if as_they_come and reconstructed.shape[1:] != self.image_shape:
            raise MetricError(
                f"Reconstructions have shape {reconstructed.shape[1:]}, seen images {self.image_shape}, and the suite "
                f"{self.suite.name!r} compares images as they come; resize one of them."
            )

    def _blocks(self, n_trials: int) -> Iterator[slice]:
        """Trials worked on at once, such that memory stays bounded."""
        sizes = [
            metric.image_size or self.suite.image_size or max(self.image_shape[:2])
            for metric in self.suite.metrics
        ]
        size = max(1, _BLOCK_VALUES // max(3 * max(sizes) ** 2, self.n_images))
        return (slice(first, min(first + size, n_trials)) for first in range(0, n_trials, size))


def _with_settings(metric: ImageMetric, suite: Suite, *, networks: Mapping[str, Any]) -> Metric:
    """A metric that says how it was computed."""
    made_by, long_name = None, metric.metric.long_name
    if metric.layer is not None:
        network = networks[metric.layer.network]
        made_by = f"{network.weights}; layer {metric.layer.name}; preprocessing: {network.preprocessing}"
        if (
            metric.layer.name == "labels"
        ):  # numbers of different segmentations do not compare: say it on the axis
            long_name = f"{long_name} ({network.name})"
    return replace(metric.metric, networks=made_by, long_name=long_name, resize=suite.resize_of(metric))
