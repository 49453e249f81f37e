"""From the predictions of one cell to its scores: images by a suite of metrics, labels by accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tempgen.metrics import NO_IMAGE, ImageScores, ImageSuite, Metric, label_accuracy
from tempgen.metrics.baseline import baseline_from_matrix
from tempgen.metrics.permuted import permuted_images, permuted_means

__all__ = ["ImageScorer", "LabelScorer", "Scorer"]


class Scorer(Protocol):
    """Scores the predictions of one cell against the images of each trial and of its neighbours."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """What is scored."""
        ...

    def score(
        self,
        predictions: NDArray[np.float32],
        target_images: Mapping[str, NDArray[np.int64]],
        *,
        permutations: NDArray[np.int32] | None = None,
    ) -> ImageScores:
        """Per metric: scores (n_targets, n_trials), NaN where a trial has no such image (-1), and the chance level.

        With a target ``"current"`` also its baseline and, where permutations (n_permutations, n_trials) come, the mean
        score under each.
        """
        ...


@dataclass(frozen=True)
class ImageScorer:
    """Reconstructed images are compared with the seen ones by an image suite.

    Attributes
    ----------
    suite : ImageSuite
        Holds the distinct seen images; positions in it are positions in ``image_ids``.
    image_ids : array of int, shape (n_images,)
        Ascending.
    """

    suite: ImageSuite
    image_ids: NDArray[np.int64]

    @property
    def metrics(self) -> Sequence[Metric]:
        """Those of the suite, with the networks and the resize of each."""
        return self.suite.metrics

    def score(
        self,
        predictions: NDArray[np.float32],
        target_images: Mapping[str, NDArray[np.int64]],
        *,
        permutations: NDArray[np.int32] | None = None,
    ) -> ImageScores:
        """Compare reconstructions (n_trials, height, width, 3) in [0, 1] with every target."""
        positions = {
            name: np.where(ids < 0, NO_IMAGE, np.searchsorted(self.image_ids, ids))
            for name, ids in target_images.items()
        }
        return self.suite.score(predictions, target_images=positions, permutations=permutations)


@dataclass(frozen=True)
class LabelScorer:
    """The largest of the predicted one-hot outputs names the label; accuracy is 0 or 1 per trial.

    Chance is measured: a decoder that always names the most frequent label is right as often as that label occurs.
    """

    metric: Metric

    @property
    def metrics(self) -> Sequence[Metric]:
        """Accuracy alone."""
        return (self.metric,)

    def score(
        self,
        predictions: NDArray[np.float32],
        target_images: Mapping[str, NDArray[np.int64]],
        *,
        permutations: NDArray[np.int32] | None = None,
    ) -> ImageScores:
        """Compare the predicted label with that of every target."""
        predicted = predictions.argmax(axis=1)
        accuracy = [
            label_accuracy(seen_labels=labels, predicted_labels=predicted)
            for labels in target_images.values()
        ]
        name = self.metric.name
        seen = target_images.get("current", next(iter(target_images.values())))
        scores = ImageScores({name: np.stack(accuracy)}, {name: _shuffled_accuracy(seen, predicted)})
        if "current" in target_images:
            baseline, null = _unrelated_accuracy(seen, predicted, permutations)
            scores.baseline[name] = baseline
            scores.null.update({} if null is None else {name: null})
        return scores


def _shuffled_accuracy(seen: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Expected accuracy if the seen labels were dealt to the trials at random: sum over labels of both shares."""
    there = seen >= 0
    n_labels = int(max(seen.max(), predicted.max())) + 1
    shares = [np.bincount(labels[there], minlength=n_labels) / there.sum() for labels in (seen, predicted)]
    return float(shares[0] @ shares[1])


def _unrelated_accuracy(
    seen: NDArray[np.int64], predicted: NDArray[np.intp], permutations: NDArray[np.int32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Baseline (n_trials,) and means under permutations: labels are to predictions what images are to reconstructions.

    Neighbours are not left out of the baseline: they often have the trial's own label.
    """
    there = np.flatnonzero(seen >= 0)
    n_labels = int(max(seen.max(), predicted.max())) + 1
    right = (predicted[there, np.newaxis] == np.arange(n_labels)).astype(np.float32)
    label = seen.astype(np.intp)
    baseline = np.full(len(seen), np.nan, dtype=np.float32)
    baseline[there] = baseline_from_matrix(right, targets=label[np.newaxis, there], current=label[there])
    if permutations is None:
        return baseline, None
    return baseline, permuted_means(right, permuted_images(permutations, label)[:, there])
