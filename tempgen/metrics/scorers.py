"""From blocks of represented reconstructions to scores and chance levels, for one kind of metric each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.baseline import baseline_from_matrix, baseline_from_pairs, first_of_each
from tempgen.metrics.checks import NO_IMAGE
from tempgen.metrics.correlation import correlate_rows
from tempgen.metrics.identification import (
    IDENTIFICATION_DIRECTION,
    identification_from_correlation,
    identification_of_all_images,
)
from tempgen.metrics.image_metric import FeatureMetric, PairMetric
from tempgen.metrics.permuted import permuted_means
from tempgen.metrics.pool import features_of
from tempgen.metrics.views import View, view_of

__all__ = ["FeatureScorer", "PairScorer", "Pairing"]


@dataclass(frozen=True)
class Pairing:
    """Which images the trials are scored with.

    Attributes
    ----------
    targets, mismatched : array of int, shape (n_rows, n_trials)
        Positions in the pool of what trials are compared with, and of what pair metrics measure chance on; -1 for none.
    current : int or None
        Row of the targets whose baseline and permutations are computed; None for none.
    permuted : array of int32, shape (n_permutations, n_trials), or None
        Images that trials meet under permutations of those.
    """

    targets: NDArray[np.intp]
    mismatched: NDArray[np.intp]
    current: int | None = None
    permuted: NDArray[np.int32] | None = None

    @property
    def current_image(self) -> NDArray[np.intp] | None:
        """Image of each trial whose baseline is computed, shape (n_trials,)."""
        return None if self.current is None else self.targets[self.current]


class FeatureScorer:
    """All metrics that correlate the same features.

    Parameters
    ----------
    view : View
        The features.
    metrics : sequence of FeatureMetric
        Those of this view.
    pool : array of float32, shape (n_images, n_features)
        Standardized features of the seen images.
    pairing : Pairing

    Attributes
    ----------
    score : dict of str to array of float32, shape (n_targets, n_trials)
    chance : dict of str to float
    baseline : dict of str to array of float32, shape (n_trials,)
    null : dict of str to array of float32, shape (n_permutations,)
        After `finish`.
    """

    def __init__(
        self, view: View, metrics: Sequence[FeatureMetric], pool: NDArray[np.float32], pairing: Pairing
    ) -> None:
        self.view, self._metrics, self._pool, self._pairing = view, metrics, pool, pairing
        self._correlation = np.empty((pairing.targets.shape[1], len(pool)), dtype=np.float32)
        self.score: dict[str, NDArray[np.float32]] = {}
        self.chance: dict[str, float] = {}
        self.baseline: dict[str, NDArray[np.float32]] = {}
        self.null: dict[str, NDArray[np.float32]] = {}

    def add(self, block: slice, seen_as: NDArray[Any]) -> None:
        """Take a block of reconstructions as the view shows them."""
        self._correlation[block] = correlate_rows(features_of(seen_as), self._pool)

    def finish(self) -> None:
        """Compute what needs all blocks."""
        for metric in self._metrics:
            measured = float("nan")
            if metric.kind == "identification":
                score = self._identified(metric)
            else:
                distance = metric.kind == "correlation_distance"
                score = _at(self._correlation, self._pairing.targets)
                score = 1 - score if distance else score
                measured = self._with_others() if metric.metric.chance is None else measured
                measured = 1 - measured if distance else measured
            self.score[metric.name] = score
            self.chance[metric.name] = _level(metric, measured=measured)
            self._compare_with_unrelated(metric)
        del self._correlation

    def _identified(self, metric: FeatureMetric) -> NDArray[np.float32]:
        comparison = metric.metric.comparison or IDENTIFICATION_DIRECTION
        targets = self._pairing.targets
        return np.stack(
            [
                identification_from_correlation(self._correlation, target, comparison=comparison)
                for target in targets
            ]
        )

    def _with_others(self) -> float:
        """Mean correlation with all images but the trial's own, over trials."""
        targets = self._pairing.targets
        counted = first_of_each(targets)
        own = np.where(counted, _at(self._correlation, targets), 0).sum(axis=0, dtype=np.float64)
        n_others = self._correlation.shape[1] - counted.sum(axis=0)
        total = self._correlation.sum(axis=1, dtype=np.float64) - own
        return mean_of_those_there(np.where(n_others > 0, total / np.maximum(n_others, 1), np.nan))

    def _compare_with_unrelated(self, metric: FeatureMetric) -> None:
        """Baseline and permutations, from what trials with an image score with each image as their target."""
        current, permuted = self._pairing.current_image, self._pairing.permuted
        if current is None:
            return
        there = np.flatnonzero(current != NO_IMAGE)
        every = len(there) == len(current)
        correlation = self._correlation if every else self._correlation[there]
        if metric.kind == "identification":
            comparison = metric.metric.comparison or IDENTIFICATION_DIRECTION
            scores = identification_of_all_images(correlation, current[there], comparison=comparison)
        else:
            scores = 1 - correlation if metric.kind == "correlation_distance" else correlation
        baseline = np.full(len(current), np.nan, dtype=np.float32)
        baseline[there] = baseline_from_matrix(
            scores, targets=self._pairing.targets[:, there], current=current[there]
        )
        self.baseline[metric.name] = baseline
        if permuted is not None:
            self.null[metric.name] = permuted_means(scores, permuted if every else permuted[:, there])


class PairScorer:
    """One metric that a function computes from pairs.

    Parameters
    ----------
    metric : PairMetric
    pool : anything
        The seen images as the metric represents them.
    pairing : Pairing

    Attributes
    ----------
    score, chance, baseline, null
        As in `FeatureScorer`; nothing is permuted, as a permutation would take as many pairs as there are trials.
    """

    def __init__(self, metric: PairMetric, pool: Any, pairing: Pairing) -> None:
        self.view = view_of(metric)
        self._metric, self._pool, self._pairing = metric, pool, pairing
        targets, mismatched = pairing.targets, pairing.mismatched
        needed = metric.metric.chance is None or pairing.current is not None
        self._compared = np.concatenate([targets, mismatched]) if needed else targets
        self._scores = np.full(self._compared.shape, np.nan, dtype=np.float32)
        self.score: dict[str, NDArray[np.float32]] = {}
        self.chance: dict[str, float] = {}
        self.baseline: dict[str, NDArray[np.float32]] = {}
        self.null: dict[str, NDArray[np.float32]] = {}

    def add(self, block: slice, seen_as: NDArray[Any]) -> None:
        """Take a block of reconstructions as the view shows them.

        Raises
        ------
        MetricError
            If the metric gives something else than one score a pair.
        """
        reconstructed = self._metric.represent(seen_as)
        for scores, seen_image in zip(self._scores[:, block], self._compared[:, block], strict=True):
            trials = np.flatnonzero(seen_image != NO_IMAGE)
            if not len(trials):
                continue
            chosen = reconstructed if len(trials) == len(seen_image) else reconstructed[trials]
            values = np.asarray(self._metric.compare(self._pool[seen_image[trials]], chosen))
            if values.shape != trials.shape:
                raise MetricError(
                    f"The metric {self._metric.name!r} gave scores of shape {values.shape} for {len(trials)} pairs; "
                    f"its compare function has to give {trials.shape}."
                )
            scores[trials] = values

    def finish(self) -> None:
        """Compute what needs all blocks."""
        name, n_targets = self._metric.name, len(self._pairing.targets)
        mismatched = self._scores[
            n_targets:
        ]  # of nothing where the level is fixed and no baseline is asked for
        self.score = {name: self._scores[:n_targets].copy()}
        self.chance = {name: _level(self._metric, measured=mean_of_those_there(mismatched))}
        current = self._pairing.current_image
        if current is not None:
            self.baseline = {
                name: baseline_from_pairs(mismatched, images=self._pairing.mismatched, current=current)
            }


def _at(correlation: NDArray[np.float32], targets: NDArray[np.intp]) -> NDArray[np.float32]:
    """Correlations (n_trials, n_images) with the targets (n_targets, n_trials), NaN for none."""
    own = correlation[np.arange(len(correlation)), targets]  # image -1 is masked here
    return np.where(targets == NO_IMAGE, np.float32(np.nan), own)


def _level(metric: FeatureMetric | PairMetric, *, measured: float) -> float:
    """The metric's fixed chance level, else the one measured."""
    return measured if metric.metric.chance is None else metric.metric.chance


def mean_of_those_there(scores: NDArray[np.floating[Any]]) -> float:
    """Mean over what is there; NaN if nothing is, as in a pool that holds targets alone."""
    there = scores[~np.isnan(scores)]
    return float(there.mean(dtype=np.float64)) if there.size else float("nan")
