"""Score decoders at shifted windows: predictions in, score[train_delta, test_delta, target, trial] out.

Knows no decoder by name and no file: it takes predictions (reconstructed images, or outputs that name labels) as they
come, one cell at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.metrics import NO_IMAGE, ImageScores, ImageSuite, Metric, label_accuracy
from tempgen.results import SCORE_DIMS
from tempgen.windows import Window

Cell = tuple[int, int]
TRIAL_COORDS = ("session", "run", "image_id", "repetition", "onset_tr")


class Scorer(Protocol):
    """Scores the predictions of one cell against the images of each trial and of its neighbours."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """What is scored."""
        ...

    def score(
        self, predictions: NDArray[np.float32], target_images: Mapping[str, NDArray[np.int64]]
    ) -> ImageScores:
        """Per metric: scores (n_targets, n_trials), NaN where a trial has no such image (-1), and the chance level."""
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
    metrics : sequence of Metric
    """

    suite: ImageSuite
    image_ids: NDArray[np.int64]
    metrics: Sequence[Metric]

    def score(
        self, predictions: NDArray[np.float32], target_images: Mapping[str, NDArray[np.int64]]
    ) -> ImageScores:
        """Compare reconstructions (n_trials, height, width, 3) in [0, 1] with every target."""
        positions = {
            name: np.where(ids < 0, NO_IMAGE, np.searchsorted(self.image_ids, ids))
            for name, ids in target_images.items()
        }
        return self.suite.score(predictions, target_images=positions)


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
        self, predictions: NDArray[np.float32], target_images: Mapping[str, NDArray[np.int64]]
    ) -> ImageScores:
        """Compare the predicted label with that of every target."""
        predicted = predictions.argmax(axis=1)
        accuracy = [
            label_accuracy(seen_labels=labels, predicted_labels=predicted)
            for labels in target_images.values()
        ]
        seen = target_images.get("current", next(iter(target_images.values())))
        return ImageScores(
            {self.metric.name: np.stack(accuracy)}, {self.metric.name: _shuffled_accuracy(seen, predicted)}
        )


def _shuffled_accuracy(seen: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Expected accuracy if the seen labels were dealt to the trials at random: sum over labels of both shares."""
    there = seen >= 0
    n_labels = int(max(seen.max(), predicted.max())) + 1
    shares = [np.bincount(labels[there], minlength=n_labels) / there.sum() for labels in (seen, predicted)]
    return float(shares[0] @ shares[1])


def cells_to_score(
    train_deltas: Sequence[int], test_deltas: Sequence[int], *, general_delta: int, matrix: bool
) -> set[Cell]:
    """Which (train_delta, test_delta) an analysis needs: the General row and the diagonal, or all.

    Examples
    --------
    >>> sorted(cells_to_score([0, 1], [0, 1], general_delta=0, matrix=False))
    [(0, 0), (0, 1), (1, 1)]
    """
    return {
        (train, test)
        for train in train_deltas
        for test in test_deltas
        if matrix or train in (general_delta, test)
    }


def evaluate_predictions(
    predictions: Iterable[tuple[int, int, NDArray[np.float32]]],
    *,
    scorer: Scorer,
    trials: pd.DataFrame,
    targets: Sequence[str],
    train_deltas: Sequence[int],
    test_deltas: Sequence[int],
    window: Window,
) -> xr.Dataset:
    """Score predictions cell by cell and gather the scores: `score_predictions` and `gather_scores`.

    Parameters
    ----------
    predictions : iterable of (train_delta, test_delta, array of shape (n_trials, ...))
        In any order; cells that do not come stay NaN.
    scorer : ImageScorer or LabelScorer
    trials : DataFrame
        Test trials with the columns of ``trials_of``.
    targets : sequence of str
        ``"previous"``, ``"current"``, ``"next"``.
    train_deltas, test_deltas : sequence of int
        Labels of the axes (TRs), ascending.
    window : Window
        For the seconds of the labels.

    Returns
    -------
    xarray.Dataset
        See :mod:`tempgen.results`.

    Raises
    ------
    ResultsError
        If a prediction comes for a lag that is not on the axes.
    """
    return gather_scores(
        score_predictions(predictions, scorer=scorer, trials=trials, targets=targets),
        metrics=scorer.metrics,
        trials=trials,
        targets=targets,
        train_deltas=train_deltas,
        test_deltas=test_deltas,
        window=window,
    )


def score_predictions(
    predictions: Iterable[tuple[int, int, NDArray[np.float32]]],
    *,
    scorer: Scorer,
    trials: pd.DataFrame,
    targets: Sequence[str],
) -> Iterator[tuple[Cell, ImageScores]]:
    """Scores of each cell as its predictions come; parameters as in `evaluate_predictions`."""
    target_images = {name: trials[_column(name)].to_numpy() for name in targets}
    for train_delta, test_delta, predicted in predictions:
        yield (train_delta, test_delta), scorer.score(predicted, target_images)


def gather_scores(
    scored: Iterable[tuple[Cell, ImageScores]],
    *,
    metrics: Sequence[Metric],
    trials: pd.DataFrame,
    targets: Sequence[str],
    train_deltas: Sequence[int],
    test_deltas: Sequence[int],
    window: Window,
) -> xr.Dataset:
    """The result that cells make up; parameters as in `evaluate_predictions`.

    Raises
    ------
    ResultsError
        If a cell is not on the axes.
    """
    shape = (len(train_deltas), len(test_deltas), len(targets), len(trials))
    scores = {metric.name: np.full(shape, np.nan, dtype=np.float32) for metric in metrics}
    chances = {metric.name: np.full(shape[:2], np.nan, dtype=np.float32) for metric in metrics}
    row, column = ({delta: k for k, delta in enumerate(deltas)} for deltas in (train_deltas, test_deltas))
    for (train_delta, test_delta), cell_scores in scored:
        if train_delta not in row or test_delta not in column:
            raise ResultsError(
                f"A prediction came for cell ({train_delta}, {test_delta}), which is not on the axes."
            )
        cell = row[train_delta], column[test_delta]
        for metric in metrics:
            scores[metric.name][cell] = cell_scores.score[metric.name]
            chances[metric.name][cell] = cell_scores.chance[metric.name]
    variables: dict[str, Any] = {}
    for metric in metrics:
        variables[metric.name] = (SCORE_DIMS, scores[metric.name], metric.attrs())
        variables[f"{metric.name}_chance"] = (
            SCORE_DIMS[:2],
            chances[metric.name],
            {"long_name": f"{metric.long_name} with images of other trials", "units": "1"},
        )
    return xr.Dataset(variables, coords=lag_coords(trials, targets, train_deltas, test_deltas, window))


def _column(target: str) -> str:
    return {"previous": "previous_image", "current": "image_id", "next": "next_image"}[target]


def lag_coords(
    trials: pd.DataFrame,
    targets: Sequence[str],
    train_deltas: Sequence[int],
    test_deltas: Sequence[int],
    window: Window,
) -> dict[str, Any]:
    """Coordinates of a result: lags in TRs and seconds, targets, and the trials' own."""
    lag = {"units": "s", "long_name": "time from image onset to the window's end"}
    return {
        "train_delta": ("train_delta", np.array(train_deltas), {"units": "TR", "long_name": "train lag"}),
        "test_delta": ("test_delta", np.array(test_deltas), {"units": "TR", "long_name": "test lag"}),
        "train_lag_s": ("train_delta", np.array([window.lag_s(delta) for delta in train_deltas]), lag),
        "lag_s": ("test_delta", np.array([window.lag_s(delta) for delta in test_deltas]), lag),
        "target": ("target", np.array(targets, dtype=object)),
        **{name: ("trial", trials[name].to_numpy()) for name in TRIAL_COORDS},
    }
