"""Score decoders at shifted windows: predictions in, score[train_delta, test_delta, target, trial] out.

Knows no decoder by name and no file: it takes predictions (reconstructed images, or outputs that name labels) as they
come, one cell at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.permutations import Permutations
from tempgen.generalization.scorers import Scorer
from tempgen.metrics import ImageScores, Metric
from tempgen.results import BASELINE_DIMS, NULL_DIMS, SCORE_DIMS
from tempgen.windows import Window

Cell = tuple[int, int]
TRIAL_COORDS = ("session", "run", "image_id", "repetition", "onset_tr")
AVERAGED = "n_repetitions"
"""Coordinate of trials that are means over that many presentations of their image; the others are of the first."""


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
    permutations: Permutations | None = None,
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
    permutations : Permutations, optional
        Of the trials, for the mean scores with the current images permuted.

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
        score_predictions(
            predictions, scorer=scorer, trials=trials, targets=targets, permutations=permutations
        ),
        metrics=scorer.metrics,
        trials=trials,
        targets=targets,
        train_deltas=train_deltas,
        test_deltas=test_deltas,
        window=window,
        permutations=permutations,
    )


def score_predictions(
    predictions: Iterable[tuple[int, int, NDArray[np.float32]]],
    *,
    scorer: Scorer,
    trials: pd.DataFrame,
    targets: Sequence[str],
    permutations: Permutations | None = None,
) -> Iterator[tuple[Cell, ImageScores]]:
    """Scores of each cell as its predictions come; parameters as in `evaluate_predictions`."""
    target_images = {name: trials[_column(name)].to_numpy() for name in targets}
    order = None if permutations is None or "current" not in target_images else permutations.order
    for train_delta, test_delta, predicted in predictions:
        scores = scorer.score(predicted, target_images, permutations=order)
        yield (train_delta, test_delta), scores


def gather_scores(
    scored: Iterable[tuple[Cell, ImageScores]],
    *,
    metrics: Sequence[Metric],
    trials: pd.DataFrame,
    targets: Sequence[str],
    train_deltas: Sequence[int],
    test_deltas: Sequence[int],
    window: Window,
    permutations: Permutations | None = None,
) -> xr.Dataset:
    """The result that cells make up; parameters as in `evaluate_predictions`.

    Raises
    ------
    ResultsError
        If a cell is not on the axes.
    """
    n_cells = (len(train_deltas), len(test_deltas))
    empty = {name: (*n_cells, len(targets), len(trials)) for name in (metric.name for metric in metrics)}
    arrays = {
        name: np.full(shape, np.nan, dtype=np.float32)
        for name, shape in [*empty.items(), *((f"{name}_chance", n_cells) for name in empty)]
    }
    row, column = ({delta: k for k, delta in enumerate(deltas)} for deltas in (train_deltas, test_deltas))
    for (train_delta, test_delta), cell_scores in scored:
        if train_delta not in row or test_delta not in column:
            raise ResultsError(
                f"A prediction came for cell ({train_delta}, {test_delta}), which is not on the axes."
            )
        for name, values in _variables(cell_scores).items():
            if name not in arrays:
                arrays[name] = np.full((*n_cells, *np.shape(values)), np.nan, dtype=np.float32)
            arrays[name][row[train_delta], column[test_delta]] = values
    drawn = {} if permutations is None else permutations.attrs()
    variables: dict[str, Any] = {}
    for metric in metrics:
        variables |= _described(metric, arrays, drawn)
    return xr.Dataset(variables, coords=lag_coords(trials, targets, train_deltas, test_deltas, window))


def _variables(scores: ImageScores) -> dict[str, Any]:
    """What one cell gives, by the variable that it belongs to."""
    parts: dict[str, Mapping[str, Any]] = {
        "": scores.score,
        "_chance": scores.chance,
        "_baseline": scores.baseline,
        "_null": scores.null,
    }
    return {f"{name}{part}": values for part, of in parts.items() for name, values in of.items()}


def _described(
    metric: Metric, arrays: Mapping[str, NDArray[np.float32]], drawn: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables of one metric with dims and attributes; baseline and permutations where they were computed."""
    name, label = metric.name, metric.long_name
    chance = {"long_name": f"{label} with images of other trials", "units": "1"}
    variables: dict[str, Any] = {
        name: (SCORE_DIMS, arrays[name], metric.attrs()),
        f"{name}_chance": (SCORE_DIMS[:2], arrays[f"{name}_chance"], chance),
    }
    if f"{name}_baseline" in arrays:
        baseline = {
            "long_name": f"{label} of a reconstruction that is independent of the image",
            "units": "1",
            "target": "current",
            "description": (
                "row mean + column mean - grand mean over pairs of a reconstruction and an image that is none of its trial's: "
                "all of them for correlations, some drawn for metrics of two images"
            ),
        }
        variables[f"{name}_baseline"] = (BASELINE_DIMS, arrays[f"{name}_baseline"], baseline)
    if f"{name}_null" in arrays:
        null = {
            "long_name": f"{label}, mean over trials with permuted images",
            "units": "1",
            "target": "current",
        }
        variables[f"{name}_null"] = (
            NULL_DIMS,
            np.moveaxis(arrays[f"{name}_null"], -1, 0),
            null | dict(drawn),
        )
    return variables


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
        **{name: ("trial", trials[name].to_numpy()) for name in (*TRIAL_COORDS, AVERAGED) if name in trials},
    }
