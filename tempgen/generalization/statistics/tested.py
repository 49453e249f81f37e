"""What a test is about: the scores of a decoder, minus what they would be by chance, by trial or by unit."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization import selection
from tempgen.generalization.selection import cell_chance, scores_of, select_decoder

__all__ = [
    "Against",
    "Tail",
    "TestedDecoder",
    "above_chance",
    "decoder_cells",
    "inherited_attrs",
    "resolve_tail",
    "scored_trials",
    "trial_scores",
    "unit_means",
]

TestedDecoder = Literal["general", "specialized", "matrix"]
"""Cells that are tested: the row of the decoder trained at ``general_delta``, the diagonal, or all."""

Against = Literal["baseline", "chance"]
"""What is subtracted: each trial's own level (``METRIC_baseline``), or that of its cell (``METRIC_chance``)."""

Tail = Literal["greater", "less", "two-sided"]
"""The alternative: scores above chance, below it, or either."""


def decoder_cells(cells: xr.DataArray, results: xr.Dataset, decoder: TestedDecoder) -> xr.DataArray:
    """Row (General), diagonal (Specialized) or all (matrix) of anything with dims (train_delta, test_delta, ...).

    Raises
    ------
    ResultsError
        If the results lack the decoder, or there is none of this name.
    """
    if decoder not in get_args(TestedDecoder):
        raise ResultsError(f"There is no decoder {decoder!r}; choose {', '.join(get_args(TestedDecoder))}.")
    if decoder == "matrix":
        return cells
    chosen = select_decoder(cells, results, decoder)
    return chosen.drop_vars(["train_delta", "train_lag_s"], errors="ignore")


def trial_scores(results: xr.Dataset, metric: str, *, decoder: TestedDecoder, target: str) -> xr.DataArray:
    """Scores of a decoder, dims (test_delta, trial), or (train_delta, test_delta, trial) for the matrix; float64.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target, the decoder, or every score of it.
    """
    scores = decoder_cells(scores_of(results, metric, target), results, decoder)
    scores = scores.transpose(..., "trial").astype(np.float64)
    if scores.isnull().all():
        raise ResultsError(
            f"The results have no {metric} of the {decoder} decoder for the {target} image. Train and evaluate it first."
        )
    return scores.drop_vars("target", errors="ignore")


def above_chance(
    results: xr.Dataset, metric: str, *, decoder: TestedDecoder, target: str, against: Against
) -> xr.DataArray:
    """Scores minus what they would be if reconstruction and image did not belong together; dims as `trial_scores`.

    Raises
    ------
    ResultsError
        If what should be subtracted is not in the results, is not known for a scored trial, or has no such name.
    """
    scores = trial_scores(results, metric, decoder=decoder, target=target)
    if against == "baseline":
        level = _baseline(results, metric, target)
    elif against == "chance":
        level = cell_chance(results, metric)
    else:
        raise ResultsError(f"Nothing is called {against!r}; choose {' or '.join(get_args(Against))}.")
    cells = decoder_cells(level, results, decoder).reset_coords(drop=True)
    difference = scores - cells.astype(np.float64)
    n_lost = int((scores.notnull() & difference.isnull()).sum())
    if n_lost:
        raise ResultsError(
            f"The {against} of {metric} is not known for {n_lost} of the {int(scores.notnull().sum())} scores of the "
            f"{decoder} decoder, so nothing can be subtracted there. Evaluate again, which measures {metric}_{against}."
        )
    return difference.transpose(*scores.dims)


def _baseline(results: xr.Dataset, metric: str, target: str) -> xr.DataArray:
    name = f"{metric}_baseline"
    if target != "current":
        raise ResultsError(
            f"The level of each trial is measured for the current image alone, not for the {target} one. "
            'Take against="chance", one level for all trials of a cell.'
        )
    if name not in results:
        raise ResultsError(
            f"The results have no {name}: what each trial would score by chance was not measured. Evaluate again with this "
            'version, or take against="chance", one level for all trials of a cell.'
        )
    return results[name]


def resolve_tail(results: xr.Dataset, metric: str, tail: Tail | None) -> Tail:
    """The tail asked for; without one, that in which the metric is better (``"less"`` for a distance).

    Raises
    ------
    ResultsError
        If there is no such tail.
    """
    if tail is None:
        lower = str(results[metric].attrs.get("direction", "")).startswith("lower")
        return "less" if lower else "greater"
    if tail not in get_args(Tail):
        raise ResultsError(f"There is no tail {tail!r}; choose {', '.join(get_args(Tail))}.")
    return tail


def scored_trials(scores: xr.DataArray) -> xr.DataArray:
    """The trials that were scored in any cell."""
    return scores.isel(trial=np.flatnonzero(scores.notnull().any(scores.dims[:-1]).to_numpy()))


def unit_means(values: NDArray[np.float64], units: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the trials of each unit.

    Parameters
    ----------
    values : array, shape (..., n_trials)
        NaN where a trial was not scored.
    units : array, shape (n_trials,)

    Returns
    -------
    array, shape (n_units, ...)
        In ascending order of the units; NaN where none of a unit's trials was scored.

    Examples
    --------
    >>> unit_means(np.array([[1.0, 3.0, 5.0]]), np.array([7, 2, 7]))
    array([[3.],
           [3.]])
    """
    from scipy.sparse import csr_array

    distinct, unit = np.unique(units, return_inverse=True)
    n_trials = len(unit)
    belongs = csr_array((np.ones(n_trials), (unit, np.arange(n_trials))), shape=(len(distinct), n_trials))
    by_trial = values.reshape(-1, n_trials).T
    there = ~np.isnan(by_trial)
    n_scored = belongs @ there.astype(np.float64)
    means = np.where(n_scored > 0, belongs @ np.where(there, by_trial, 0) / np.maximum(n_scored, 1), np.nan)
    return means.reshape(len(distinct), *values.shape[:-1])


def inherited_attrs(results: xr.Dataset, metric: str, target: str) -> dict[str, Any]:
    """What a table or figure of a test says of the data and of the metric."""
    attrs = selection.inherited_attrs(results, metric, target, above_chance=False)
    return {name: value for name, value in attrs.items() if name != "chance_label"}
