"""Scores above chance of a whole result, as measured, in every bootstrap draw and without each unit: what summaries are made of.

All summaries of a result rest on the same draws, so that their intervals are of the same resampled experiments and
differences between them are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import (
    UNIT_PLURALS,
    Decoder,
    inherited_attrs,
    mean_over_trials,
    select_decoder,
    unit_of_trials,
)
from tempgen.generalization.statistics.bootstrap import bootstrap_means
from tempgen.generalization.statistics.tested import (
    Against,
    above_chance,
    resolve_tail,
    trial_scores,
)

__all__ = ["DEFAULT_RESAMPLING", "ResampledCells", "ResampledCurve", "Resampling", "resample_cells"]


@dataclass(frozen=True)
class Resampling:
    """How intervals of summaries are made.

    Attributes
    ----------
    unit : str
        Coordinate of the trials whose distinct values are drawn and left out; ``"run"`` for labels, which have few images.
    n_draws : int
        Bootstrap samples.
    level : float
        Coverage of intervals, and 1 - the error rate of the test that decides whether anything is above chance.
    seed : int

    Raises
    ------
    ResultsError
        If there are fewer than 2 draws, or the level is not between 0 and 1.
    """

    unit: str = "image_id"
    n_draws: int = 2000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_draws < 2 or not 0 < self.level < 1:
            raise ResultsError(
                f"Summaries need 2 draws or more and a level between 0 and 1, got {self.n_draws} and {self.level}."
            )


DEFAULT_RESAMPLING = Resampling()


@dataclass(frozen=True)
class ResampledCurve:
    """Mean score above chance by test lag, at the lags that were scored.

    Attributes
    ----------
    deltas : array of int, shape (n_lags,)
        Test lags (TRs), ascending.
    lag_s : array, shape (n_lags,)
        Seconds from image onset to the window's end.
    mean : array, shape (n_lags,)
        Positive is better than chance, also for metrics of which lower is better.
    drawn : array, shape (n_draws, n_lags)
    left_out : array, shape (n_units, n_lags)
        Without each unit in turn.
    score : array, shape (n_lags,)
        Mean score as it stands.
    decoder : str
    cells : ResampledCells
        Where it was cut from.
    """

    deltas: NDArray[np.int64]
    lag_s: NDArray[np.float64]
    mean: NDArray[np.float64]
    drawn: NDArray[np.float64]
    left_out: NDArray[np.float64]
    score: NDArray[np.float64]
    decoder: Decoder
    cells: ResampledCells


@dataclass(frozen=True)
class ResampledCells:
    """Mean score above chance of every cell; NaN where a cell was not scored.

    Attributes
    ----------
    results : Dataset
        Axes and attributes alone, for `select_decoder`.
    mean, score : DataArray, dims (train_delta, test_delta)
        Above chance (positive is better), and as it stands.
    drawn : DataArray, dims (train_delta, test_delta, draw)
    left_out : DataArray, dims (train_delta, test_delta, unit)
    level : float
    resolution_s : float
        No latency is told more finely: see `tempgen.generalization.summaries.latency`.
    attrs : dict
        Where the numbers come from.
    """

    results: xr.Dataset
    mean: xr.DataArray
    score: xr.DataArray
    drawn: xr.DataArray
    left_out: xr.DataArray
    level: float
    resolution_s: float
    attrs: dict[str, Any]

    def has(self, decoder: Decoder) -> bool:
        """Whether anything of a decoder was scored."""
        try:
            return bool(select_decoder(self.mean, self.results, decoder).notnull().any())
        except ResultsError:
            return False

    def curve(self, decoder: Decoder) -> ResampledCurve:
        """The row (General) or diagonal (Specialized), without the lags that were not scored.

        Raises
        ------
        ResultsError
            If the decoder is not there.
        """
        mean, score, drawn, left_out = (
            select_decoder(of, self.results, decoder).sortby("test_delta")
            for of in (self.mean, self.score, self.drawn, self.left_out)
        )
        there = np.flatnonzero(mean.notnull().to_numpy())
        if not len(there):
            raise ResultsError(
                f"The results have no {self.attrs['metric']} of the {decoder} decoder. Train and evaluate it first."
            )
        return ResampledCurve(
            deltas=mean["test_delta"].to_numpy()[there],
            lag_s=mean["lag_s"].to_numpy().astype(np.float64)[there],
            mean=mean.to_numpy()[there],
            drawn=drawn.transpose("draw", "test_delta").to_numpy()[:, there],
            left_out=left_out.transpose("unit", "test_delta").to_numpy()[:, there],
            score=score.to_numpy()[there],
            decoder=decoder,
            cells=self,
        )


def resample_cells(
    results: xr.Dataset, metric: str, *, target: str = "current", resampling: Resampling = DEFAULT_RESAMPLING
) -> ResampledCells:
    """Means of all cells over trials, over the trials of drawn units, and over those of all units but one.

    Above chance is score - ``METRIC_baseline`` of each trial where it was measured (for the current image), else score -
    ``METRIC_chance`` of the cell, which is then taken as known. Its sign is turned where lower is better. Means over drawn
    units are ``sum_u w_u s_u / sum_u w_u n_u`` (`bootstrap_means`), those without unit v ``(S - s_v) / (N - n_v)``.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    resampling : Resampling

    Raises
    ------
    ResultsError
        If the results lack the metric, the target, the unit, every score, the chance level or the TR; or if fewer than
        two units were scored.
    """
    against: Against = "baseline" if target == "current" and f"{metric}_baseline" in results else "chance"
    scores = trial_scores(results, metric, decoder="matrix", target=target)
    above = above_chance(results, metric, decoder="matrix", target=target, against=against)
    scored = np.flatnonzero(scores.notnull().any(scores.dims[:-1]).to_numpy())
    scores, above = scores.isel(trial=scored), above.isel(trial=scored)
    dims = ("train_delta", "test_delta", "trial")
    sign = -1.0 if resolve_tail(results, metric, None) == "less" else 1.0
    values = sign * above.transpose(*dims).to_numpy()
    shape = values.shape[:2]
    cells = np.flatnonzero(~np.isnan(values).all(axis=2).ravel())
    flat = values.reshape(-1, values.shape[2])[cells]
    units = unit_of_trials(scores, resampling.unit)
    drawn = bootstrap_means(flat, units, n_draws=resampling.n_draws, seed=resampling.seed)
    left_out = _left_out_means(flat, units)
    axes = {name: results[name] for name in dims[:2]}
    if "lag_s" in results.coords:
        axes["lag_s"] = results["lag_s"]
    else:
        raise ResultsError("The results have no coordinate lag_s (seconds of the test lags). Evaluate again.")
    resolution_s, resolution_from = _resolution(results)

    def at_cells(columns: NDArray[np.float64], name: str) -> xr.DataArray:
        full = np.full((shape[0] * shape[1], len(columns)), np.nan)
        full[cells] = columns.T
        return xr.DataArray(full.reshape(*shape, -1), dims=(*dims[:2], name), coords=axes)

    by_cell = {
        "mean": mean_over_trials(values),
        "score": mean_over_trials(scores.transpose(*dims).to_numpy()),
    }
    mean, score = (xr.DataArray(of, dims=dims[:2], coords=axes) for of in by_cell.values())
    return ResampledCells(
        results=xr.Dataset(coords=axes, attrs=results.attrs),
        mean=mean,
        score=score,
        drawn=at_cells(drawn, "draw"),
        left_out=at_cells(left_out, "unit"),
        level=resampling.level,
        resolution_s=resolution_s,
        attrs={
            name: value
            for name, value in inherited_attrs(results, metric, target, above_chance=False).items()
            if name != "chance_label"
        }
        | {
            "against": f"{metric}_baseline of each trial"
            if against == "baseline"
            else "chance of the cell, taken as known",
            "unit": resampling.unit,
            "units_in_words": UNIT_PLURALS.get(resampling.unit, f"values of {resampling.unit}"),
            "n_units": len(left_out),
            "n_trials": len(units),
            "n_draws": resampling.n_draws,
            "level": resampling.level,
            "seed": resampling.seed,
            "resolution_s": resolution_s,
            "resolution_from": resolution_from,
        },
    )


def _left_out_means(values: NDArray[np.float64], units: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the trials of all units but one, shape (n_units, n_curves), of values (n_curves, n_trials)."""
    distinct, unit = np.unique(units, return_inverse=True)
    there = ~np.isnan(values)
    sums, counts = (np.zeros((len(distinct), len(values))) for _ in range(2))
    np.add.at(sums, unit, np.where(there, values, 0).T)
    np.add.at(counts, unit, there.T.astype(np.float64))
    others = counts.sum(axis=0) - counts
    return np.where(others > 0, (sums.sum(axis=0) - sums) / np.maximum(others, 1), np.nan)


def _resolution(results: xr.Dataset) -> tuple[float, str]:
    """The larger of the volume grid's step and the acquisition's TR (seconds), and which attributes said so."""
    if "tr_s" not in results.attrs:
        raise ResultsError("The results do not say their TR (attribute tr_s). Evaluate again.")
    tr_s = float(results.attrs["tr_s"])
    native_s = float(results.attrs.get("native_tr_s", np.nan))
    if native_s > tr_s:
        return native_s, "native_tr_s"
    return tr_s, "tr_s" if np.isfinite(native_s) else "tr_s, as the results have no native_tr_s"
