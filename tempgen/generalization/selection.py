"""What views of a result share: a metric's scores for a target, the row or diagonal of a decoder, chance, units."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.results import SCORE_DIMS, metrics_of

Decoder = Literal["general", "specialized"]
"""General: the row of the decoder trained at ``general_delta``. Specialized: the diagonal."""

UNIT_PLURALS = {
    "image_id": "images",
    "run": "runs",
    "session": "sessions",
    "subject": "subjects",
    "trial": "trials",
}


def scores_of(results: xr.Dataset, metric: str, target: str) -> xr.DataArray:
    """Scores of one metric for one target, dims (train_delta, test_delta, trial).

    Raises
    ------
    ResultsError
        If the results lack the metric or the target.
    """
    available = metrics_of(results)
    if metric not in available:
        raise ResultsError(f"The results have no metric {metric!r}; they have {', '.join(available)}.")
    targets = [str(name) for name in results["target"].to_numpy()]
    if target not in targets:
        raise ResultsError(f"The results have no target {target!r}; they have {', '.join(targets)}.")
    return results[metric].sel(target=target)


def select_decoder(scores: xr.DataArray, results: xr.Dataset, decoder: Decoder) -> xr.DataArray:
    """Row (general) or diagonal (specialized) of anything with dims (train_delta, test_delta, ...).

    Returns
    -------
    DataArray, dims (test_delta, ...)
        Specialized: at the lags that have a decoder of their own.

    Raises
    ------
    ResultsError
        If the decoder is not there, or is neither of the two.
    """
    if decoder == "general":
        general_delta = int(results.attrs.get("general_delta", 0))
        if general_delta not in scores.train_delta:
            raise ResultsError(
                f"The results have no General decoder: train_delta {general_delta} is not among "
                f"{scores.train_delta.to_numpy().tolist()}. Train it first."
            )
        return scores.sel(train_delta=general_delta)
    if decoder == "specialized":
        both = np.intersect1d(scores.train_delta, scores.test_delta)
        if both.size == 0:
            raise ResultsError(
                "No decoder was tested at its own lag. Evaluate the Specialized decoders first."
            )
        along = xr.DataArray(both, dims="test_delta")
        return scores.sel(train_delta=along, test_delta=along).assign_coords(test_delta=both)
    raise ResultsError(f"There is no decoder {decoder!r}; choose 'general' or 'specialized'.")


def scored_decoders(scores: xr.DataArray, results: xr.Dataset) -> list[Decoder]:
    """Which of the two were scored, of scores with dims (train_delta, test_delta, ...)."""
    decoders: tuple[Decoder, ...] = ("general", "specialized")
    found = []
    for name in decoders:
        try:
            chosen = select_decoder(scores, results, name)
        except ResultsError:  # there is no such row, or no diagonal
            continue
        if chosen.notnull().any():
            found.append(name)
    return found


def unit_of_trials(scores: xr.DataArray, unit: str) -> NDArray[Any]:
    """What each trial belongs to, shape (n_trials,): a coordinate of the trials, or each trial itself (``"trial"``).

    Raises
    ------
    ResultsError
        If the trials have no such coordinate.
    """
    if unit == "trial":
        return np.arange(scores.sizes["trial"])
    if unit not in scores.coords or scores.coords[unit].dims != ("trial",):
        available = [str(name) for name, coord in scores.coords.items() if coord.dims == ("trial",)]
        raise ResultsError(
            f"Trials have no coordinate {unit!r}; choose trial or one of {', '.join(available)}."
        )
    return scores.coords[unit].to_numpy()


def decodes_labels(results: xr.Dataset) -> bool:
    """Whether the result is of decoders that name one of a few labels, and make no image."""
    return bool(results.attrs.get("decoder_target") == "labels")


def independent_unit(results: xr.Dataset) -> str:
    """What is drawn for intervals: images are independent; labels are too few, so runs are drawn instead."""
    return "run" if decodes_labels(results) else "image_id"


def cell_chance(results: xr.Dataset, metric: str) -> xr.DataArray:
    """Chance of each cell: as measured beside the scores, else the metric's fixed level, else NaN."""
    axes = {name: results[name] for name in SCORE_DIMS[:2]}
    shape = tuple(results.sizes[name] for name in axes)
    everywhere = xr.DataArray(np.ones(shape), coords=axes, dims=tuple(axes))
    measured = results.get(f"{metric}_chance")
    if measured is None:
        return everywhere * float(results[metric].attrs.get("chance", np.nan))
    return everywhere * measured


def require_chance(chance: NDArray[np.float64], mean: NDArray[np.float64], metric: str) -> None:
    """Refuse to subtract a chance level that is not known wherever there is a mean score (arrays of one shape)."""
    n_unknown = np.count_nonzero(np.isnan(chance) & ~np.isnan(mean))
    if n_unknown:
        raise ResultsError(
            f"Chance is not known at {n_unknown} of the {np.count_nonzero(~np.isnan(mean))} scored places of {metric}, "
            f"so nothing can be subtracted there. Evaluate again, which measures {metric}_chance, or leave above_chance out."
        )


def mean_over_trials(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what was scored; NaN, without a warning, where nothing was."""
    n_scored = np.count_nonzero(~np.isnan(values), axis=-1)
    mean = np.where(n_scored > 0, np.nansum(values, axis=-1) / np.maximum(n_scored, 1), np.nan)
    return cast("NDArray[np.float64]", mean)


def inherited_attrs(results: xr.Dataset, metric: str, target: str, *, above_chance: bool) -> dict[str, Any]:
    """What a figure says of the data and of the metric."""
    attrs = {
        name: results.attrs[name]
        for name in (
            "subject",
            "data_kind",
            "note_code",
            "tr_s",
            "start_tr",
            "n_tr",
            "stimulus_duration_s",
            "soa_s",
        )
        if name in results.attrs
    }
    kept = {
        name: value
        for name, value in results[metric].attrs.items()
        if name in ("long_name", "units", "direction")
    }
    if above_chance:
        kept["long_name"] = f"{kept.get('long_name', metric)} above chance"
    measured = f"{metric}_chance" in results and not np.isfinite(
        float(results[metric].attrs.get("chance", np.nan))
    )
    return (
        attrs
        | kept
        | {
            "metric": metric,
            "target": target,
            "general_delta": int(results.attrs.get("general_delta", 0)),
            "chance_label": "chance (images of other trials)" if measured else "chance",
        }
    )
