"""Views of a result to draw and to tabulate: curves with intervals, and the generalization matrix.

An interval must not take repeated presentations of one image for independent evidence, see `cluster_bootstrap`.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.bootstrap import cluster_bootstrap
from tempgen.results import SCORE_DIMS, metrics_of
from tempgen.windows import shares_volumes

__all__ = ["Decoder", "generalization_matrix", "lag_curve"]

Decoder = Literal["general", "specialized"]

_UNIT_PLURALS = {
    "image_id": "images",
    "run": "runs",
    "session": "sessions",
    "subject": "subjects",
    "trial": "trials",
}


def lag_curve(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: Decoder,
    target: str = "current",
    n_draws: int = 2000,
    level: float = 0.95,
    unit: str = "image_id",
    seed: int = 0,
    above_chance: bool = False,
) -> xr.Dataset:
    """Mean score of a decoder by test lag, with a bootstrap interval over images.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized"}
        General: the row of the decoder trained at ``general_delta`` (an attribute of the results, 0 without it), at
        all test lags. Specialized: the diagonal, at the lags that have a decoder of their own.
    target : str
        Image that reconstructions are compared with.
    n_draws : int
        Bootstrap samples.
    level : float
        Coverage of the interval, between 0 and 1.
    unit : str
        Coordinate of the trials whose distinct values are drawn; ``"run"`` for labels, which have few images.
    seed : int
        The same seed draws the same images, for all lags, decoders and metrics of one result.
    above_chance : bool
        Subtract the chance level of each lag from mean and interval. The interval is shifted and not widened: the
        chance level's own sampling error is not in it.

    Returns
    -------
    Dataset
        ``mean``, ``low``, ``high`` and ``chance`` along ``test_delta`` (TRs), with coordinate ``lag_s`` (seconds from
        image onset to the window's end). NaN where nothing was scored. Attributes name the interval and the counts.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target, the unit or every score of the decoder; or if fewer than two units
        were scored, ``n_draws`` is below 1 or ``level`` is not between 0 and 1; or if ``above_chance`` is asked for
        where chance is not known.
    """
    scores = _select_decoder(_scores(results, metric, target), results, decoder).transpose(
        "test_delta", "trial"
    )
    values = scores.to_numpy().astype(np.float64)
    scored = ~np.isnan(values).all(axis=0)
    if not scored.any():
        raise ResultsError(
            f"The results have no {metric} of the {decoder} decoder for the {target} image. "
            f"Train and evaluate it first; it needs train_delta {_needed_deltas(results, decoder)}."
        )
    units = _unit_of_trials(scores, unit)
    mean = _mean_over_trials(values)
    n_units = len(np.unique(units[scored]))
    plural = _UNIT_PLURALS.get(unit, f"values of {unit}")
    if n_units == 1:
        low = high = np.full_like(mean, np.nan)
        interval = f"no interval: all trials are of one of the {plural}"
    else:
        low, high = cluster_bootstrap(
            values[:, scored], units[scored], n_draws=n_draws, level=level, seed=seed
        )
        interval = f"{100 * level:g} % bootstrap interval over {plural}"
    chance = _chance(results, metric, target, decoder, scores)
    method = "percentile cluster bootstrap of the mean over trials"
    if above_chance:
        _require_chance(chance, mean, metric)
        mean, low, high, chance = mean - chance, low - chance, high - chance, chance - chance
        method += "; chance is taken as known"
    made = {
        "decoder": decoder,
        "interval": interval,
        "interval_method": method,
        "interval_unit": unit,
        "interval_level": level,
        "n_draws": n_draws,
        "seed": seed,
        "n_trials": int(scored.sum()),
        "n_units": n_units,
        "n_images": len(np.unique(_unit_of_trials(scores, "image_id")[scored])),
    }
    columns = {"mean": mean, "low": low, "high": high, "chance": chance}
    return xr.Dataset(
        {name: ("test_delta", values) for name, values in columns.items()},
        coords={name: scores.coords[name] for name in ("test_delta", "lag_s") if name in scores.coords},
        attrs=_inherited_attrs(results, metric, target, above_chance=above_chance) | made,
    )


def generalization_matrix(
    results: xr.Dataset, metric: str, *, target: str = "current", above_chance: bool = False
) -> xr.DataArray:
    """Mean score of every decoder at every test lag.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    above_chance : bool
        Subtract each cell's own chance level. Where chance is measured it differs between cells: a decoder that found
        nothing gives the mean image, which is a little like any image.

    Returns
    -------
    DataArray, dims (train_delta, test_delta)
        Mean over trials, NaN where a cell was not computed. Coordinates ``train_lag_s`` and ``lag_s`` (seconds from
        image onset to the window's end), ``chance`` of each cell (0 once it is subtracted), and ``shares_volumes``:
        whether the training and the test window have volumes in common, |train_delta - test_delta| < n_tr. Attribute
        ``chance``: mean over the cells.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target or ``n_tr``, or nothing was scored; or if ``above_chance`` is asked
        for where chance is not known.
    """
    scores = _scores(results, metric, target).transpose("train_delta", "test_delta", "trial")
    mean = _mean_over_trials(scores.to_numpy().astype(np.float64))
    if np.isnan(mean).all():
        raise ResultsError(
            f"The results have no {metric} for the {target} image in any cell. Evaluate a decoder first."
        )
    if "n_tr" not in results.attrs:
        raise ResultsError("The results do not say how wide the window is (attribute n_tr). Evaluate again.")
    overlap = shares_volumes(
        scores.train_delta.to_numpy()[:, np.newaxis],
        scores.test_delta.to_numpy(),
        n_tr=int(results.attrs["n_tr"]),
    )
    cells = ("train_delta", "test_delta")
    chance = np.where(np.isnan(mean), np.nan, _cell_chance(results, metric).transpose(*cells))
    if above_chance:
        _require_chance(chance, mean, metric)
        mean, chance = mean - chance, chance - chance
    known = chance[~np.isnan(chance)]
    labels = {name: scores.coords[name] for name in (*cells, "train_lag_s", "lag_s") if name in scores.coords}
    return xr.DataArray(
        mean,
        dims=cells,
        coords=labels | {"chance": (cells, chance), "shares_volumes": (cells, overlap)},
        name=metric,
        attrs=_inherited_attrs(results, metric, target, above_chance=above_chance)
        | {"chance": float(known.mean()) if known.size else np.nan},
    )


def _scores(results: xr.Dataset, metric: str, target: str) -> xr.DataArray:
    available = metrics_of(results)
    if metric not in available:
        raise ResultsError(f"The results have no metric {metric!r}; they have {', '.join(available)}.")
    targets = [str(name) for name in results["target"].to_numpy()]
    if target not in targets:
        raise ResultsError(f"The results have no target {target!r}; they have {', '.join(targets)}.")
    return results[metric].sel(target=target)


def _select_decoder(scores: xr.DataArray, results: xr.Dataset, decoder: Decoder) -> xr.DataArray:
    """Row (general) or diagonal (specialized) of anything with dims (train_delta, test_delta, ...)."""
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


def _needed_deltas(results: xr.Dataset, decoder: Decoder) -> str:
    return str(results.attrs.get("general_delta", 0)) if decoder == "general" else "equal to test_delta"


def _unit_of_trials(scores: xr.DataArray, unit: str) -> NDArray[Any]:
    if unit == "trial":
        return np.arange(scores.sizes["trial"])
    if unit not in scores.coords or scores.coords[unit].dims != ("trial",):
        available = [str(name) for name, coord in scores.coords.items() if coord.dims == ("trial",)]
        raise ResultsError(
            f"Trials have no coordinate {unit!r}; choose trial or one of {', '.join(available)}."
        )
    return scores.coords[unit].to_numpy()


def _cell_chance(results: xr.Dataset, metric: str) -> xr.DataArray:
    """Chance of each cell: as measured beside the scores, else the metric's fixed level, else NaN."""
    axes = {name: results[name] for name in SCORE_DIMS[:2]}
    shape = tuple(results.sizes[name] for name in axes)
    everywhere = xr.DataArray(np.ones(shape), coords=axes, dims=tuple(axes))
    measured = results.get(f"{metric}_chance")
    if measured is None:
        return everywhere * float(results[metric].attrs.get("chance", np.nan))
    return everywhere * measured


def _chance(
    results: xr.Dataset, metric: str, target: str, decoder: Decoder, scores: xr.DataArray
) -> NDArray[np.float64]:
    chance = _select_decoder(_cell_chance(results, metric), results, decoder)
    return chance.sel(test_delta=scores.test_delta).to_numpy().astype(np.float64)


def _require_chance(chance: NDArray[np.float64], mean: NDArray[np.float64], metric: str) -> None:
    n_unknown = np.count_nonzero(np.isnan(chance) & ~np.isnan(mean))
    if n_unknown:
        raise ResultsError(
            f"Chance is not known at {n_unknown} of the {np.count_nonzero(~np.isnan(mean))} scored places of {metric}, "
            f"so nothing can be subtracted there. Evaluate again, which measures {metric}_chance, or leave above_chance out."
        )


def _mean_over_trials(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what was scored; NaN, without a warning, where nothing was."""
    n_scored = np.count_nonzero(~np.isnan(values), axis=-1)
    mean = np.where(n_scored > 0, np.nansum(values, axis=-1) / np.maximum(n_scored, 1), np.nan)
    return cast("NDArray[np.float64]", mean)


def _inherited_attrs(results: xr.Dataset, metric: str, target: str, *, above_chance: bool) -> dict[str, Any]:
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
