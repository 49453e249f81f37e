"""Scores above chance by trial, and their means and differences with intervals: what verdicts are made of."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.controls import ControlsConfig
from tempgen.errors import ResultsError
from tempgen.generalization.controls.verdict import Estimate
from tempgen.generalization.selection import Decoder, independent_unit
from tempgen.generalization.statistics.bootstrap import bootstrap_means, percentile_interval
from tempgen.generalization.statistics.tested import Against, above_chance
from tempgen.results import metrics_of

__all__ = [
    "against_of",
    "cluster_test_of_verdicts",
    "effect_by_trial",
    "effect_difference",
    "home_effect",
    "mean_effect",
    "metric_of_verdicts",
    "unit_of_verdicts",
]

Cell = tuple[int, int]


def metric_of_verdicts(results: xr.Dataset, rules: ControlsConfig) -> str:
    """The metric asked for, else identification where it was scored, else the first.

    Raises
    ------
    ResultsError
        If the results lack the one asked for.
    """
    there = metrics_of(results)
    wanted = rules.metric or ("identification" if "identification" in there else there[0])
    if wanted not in there:
        raise ResultsError(f"controls.metric is {wanted!r}, the results have {', '.join(there)}.")
    return wanted


def unit_of_verdicts(results: xr.Dataset, rules: ControlsConfig) -> str:
    """What is resampled: images, or runs where labels were decoded."""
    return rules.unit or independent_unit(results)


def against_of(results: xr.Dataset, metric: str, target: str = "current") -> Against:
    """Each trial's own level where it was measured (for the current image), else that of its cell."""
    return "baseline" if target == "current" and f"{metric}_baseline" in results else "chance"


def cluster_test_of_verdicts(
    results: xr.Dataset, rules: ControlsConfig, *, decoder: Decoder
) -> xr.Dataset | None:
    """The cluster test of a decoder's scores over lags, by the rules of the verdicts.

    Returns
    -------
    Dataset or None
        See `tempgen.generalization.statistics.cluster.cluster_test`; its warning that few units put small p out of reach is
        the caller's to deal with, by the attribute ``smallest_p``. None of fewer than two units.
    """
    from tempgen.generalization.statistics.cluster import cluster_test

    metric = metric_of_verdicts(results, rules)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return cluster_test(
                results,
                metric,
                decoder=decoder,
                unit=unit_of_verdicts(results, rules),
                against=against_of(results, metric),
                n_permutations=rules.n_draws,
                seed=rules.seed,
                alpha=rules.alpha,
            )
    except ResultsError:
        return None


def effect_by_trial(
    results: xr.Dataset,
    rules: ControlsConfig,
    cells: Sequence[Cell],
    *,
    target: str = "current",
    against: Against | None = None,
) -> xr.DataArray:
    """Scores above chance, mean over cells, signed so that better is larger.

    Parameters
    ----------
    results : Dataset
        See `tempgen.results`.
    cells : sequence of (train_delta, test_delta)
    against : {"baseline", "chance"}, optional
        What is subtracted; the trial's own level where it is there.

    Returns
    -------
    DataArray, dims (trial,)
        With the coordinates of the trials; NaN where a trial was not scored.

    Raises
    ------
    ResultsError
        If a cell is not on the axes or was not scored.
    """
    metric = metric_of_verdicts(results, rules)
    train, test = (np.array(axis, dtype=int) for axis in zip(*cells, strict=True))
    absent = [
        cell for cell in cells if cell[0] not in results.train_delta or cell[1] not in results.test_delta
    ]
    if absent:
        raise ResultsError(
            f"The results have no cell {absent[0]} (train_delta, test_delta): evaluate it first."
        )
    pick = {"train_delta": xr.DataArray(train, dims="cell"), "test_delta": xr.DataArray(test, dims="cell")}
    if results[metric].sel(target=target).sel(pick).isnull().all("trial").any():
        raise ResultsError(f"One of the cells {list(cells)} (train_delta, test_delta) was not scored.")
    rows = results.sel(train_delta=np.unique(train), test_delta=np.unique(test))
    level = against or against_of(results, metric, target)
    chosen = above_chance(rows, metric, decoder="matrix", target=target, against=level).sel(pick)
    lower_is_better = str(results[metric].attrs.get("direction", "")).startswith("lower")
    effect = chosen.mean("cell") * (-1 if lower_is_better else 1)
    unit = unit_of_verdicts(results, rules)
    units = np.arange(effect.sizes["trial"]) if unit == "trial" else results[unit].to_numpy()
    return effect.assign_coords(unit=("trial", units))


def home_effect(results: xr.Dataset, rules: ControlsConfig) -> xr.DataArray:
    """Effect of the General decoder at the lag that it was trained at, by trial."""
    general_delta = int(results.attrs.get("general_delta", 0))
    return effect_by_trial(results, rules, [(general_delta, general_delta)])


def mean_effect(effect: xr.DataArray, rules: ControlsConfig) -> Estimate:
    """Mean over trials with its bootstrap interval over units.

    Parameters
    ----------
    effect : DataArray, dims (trial,)
        From :func:`effect_by_trial`.
    """
    values, units = _scored(effect)
    mean = float(values.mean()) if len(values) else np.nan
    return _estimate(mean, values[np.newaxis], units, rules, n_trials=len(values), contrast=np.array([1.0]))


def effect_difference(first: xr.DataArray, second: xr.DataArray, rules: ControlsConfig) -> Estimate:
    """Mean of ``first`` minus mean of ``second``, with an interval over units that both are drawn by.

    A unit (image) that is in both is drawn for both at once, so that the difference is paired as far as the trials are the
    same.
    """
    (a, a_units), (b, b_units) = _scored(first), _scored(second)
    values = np.full((2, len(a) + len(b)), np.nan)
    values[0, : len(a)], values[1, len(a) :] = a, b
    mean = float(a.mean() - b.mean()) if len(a) and len(b) else np.nan
    units = np.concatenate([a_units, b_units])
    return _estimate(mean, values, units, rules, n_trials=max(len(a), len(b)), contrast=np.array([1.0, -1.0]))


def _scored(effect: xr.DataArray) -> tuple[NDArray[np.float64], NDArray[Any]]:
    values = effect.to_numpy().astype(np.float64)
    there = ~np.isnan(values)
    return values[there], effect["unit"].to_numpy()[there]


def _estimate(
    mean: float,
    values: NDArray[np.float64],
    units: NDArray[Any],
    rules: ControlsConfig,
    *,
    n_trials: int,
    contrast: NDArray[np.float64],
) -> Estimate:
    n_units = len(np.unique(units))
    low = high = np.nan
    # of fewer than three units the interval would be two of their means
    if n_units > 2 and np.isfinite(mean):
        drawn = bootstrap_means(values, units, n_draws=rules.n_draws, seed=rules.seed) @ contrast
        low, high = (float(limit) for limit in percentile_interval(drawn, level=rules.level))
    return Estimate(mean, low, high, n_trials, n_units, rules.level)
