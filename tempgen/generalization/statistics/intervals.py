"""Means of all metrics at all lags with their intervals, from the same draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from tempgen.generalization.selection import UNIT_PLURALS, mean_over_trials, unit_of_trials
from tempgen.generalization.statistics.bootstrap import IntervalMethod, cluster_bootstrap
from tempgen.generalization.statistics.tested import (
    Against,
    TestedDecoder,
    above_chance,
    inherited_attrs,
    trial_scores,
)
from tempgen.results import metrics_of

__all__ = ["score_intervals"]

_METHOD_WORDS = {"percentile": "percentile", "bca": "bias-corrected and accelerated (BCa)"}


def score_intervals(
    results: xr.Dataset,
    metrics: Sequence[str] | None = None,
    *,
    decoder: TestedDecoder = "general",
    target: str = "current",
    against: Against | None = None,
    unit: str = "image_id",
    method: IntervalMethod = "percentile",
    n_draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """Mean score of several metrics at every lag, or in every cell of the matrix, with bootstrap intervals over images.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metrics : sequence of str or None
        Score variables; None for all.
    decoder : {"general", "specialized", "matrix"}
        Row of the decoder trained at ``general_delta``, diagonal, or all cells.
    target : str
        Image that reconstructions are compared with.
    against : {"baseline", "chance"} or None
        Subtract each trial's own level ``METRIC_baseline`` (for the current image; its sampling error is then in the
        interval), or the level of the cell, taken as known; None: scores as they are.
    unit : str
        Coordinate of the trials whose distinct values are drawn; ``"run"`` for labels, which have few images.
    method : {"percentile", "bca"}
        See `cluster_bootstrap`.
    n_draws : int
        Bootstrap samples, the same for all metrics and cells.
    level : float
        Coverage, between 0 and 1.
    seed : int

    Returns
    -------
    Dataset, dims (metric, cells)
        ``mean`` over trials, ``low`` and ``high``; NaN where nothing was scored.

    Raises
    ------
    ResultsError
        If the results lack a metric, the target, the decoder, the unit or what is subtracted; if there are fewer than
        two units; or if an argument is out of range.
    """
    names = metrics_of(results) if metrics is None else list(metrics)
    scores = [
        trial_scores(results, name, decoder=decoder, target=target)
        if against is None
        else above_chance(results, name, decoder=decoder, target=target, against=against)
        for name in names
    ]
    values = np.stack([array.to_numpy() for array in scores])
    scored = ~np.isnan(values).all(axis=tuple(range(values.ndim - 1)))
    values = values[..., scored]
    units = unit_of_trials(scores[0], unit)[scored]
    low, high = cluster_bootstrap(
        values.reshape(-1, values.shape[-1]), units, n_draws=n_draws, level=level, seed=seed, method=method
    )
    cells = scores[0].isel(trial=0, drop=True)
    shape, dims = values.shape[:-1], ("metric", *cells.dims)
    shared = inherited_attrs(results, names[0], target)
    return xr.Dataset(
        {
            "mean": (dims, mean_over_trials(values)),
            "low": (dims, low.reshape(shape)),
            "high": (dims, high.reshape(shape)),
        },
        coords=dict(cells.coords) | {"metric": names},
        attrs={
            key: value
            for key, value in shared.items()
            if key not in ("metric", "long_name", "direction", "units")
        }
        | {
            "decoder": decoder,
            "test": f"cluster bootstrap of the mean over trials, {_METHOD_WORDS[method]} interval",
            "interval": f"{100 * level:g} % bootstrap interval over {UNIT_PLURALS.get(unit, f'values of {unit}')}",
            "interval_method": method,
            "interval_level": level,
            "alpha": 1 - level,
            "tail": "two-sided",
            "against": against or "nothing",
            "unit": unit,
            "n_units": len(np.unique(units)),
            "n_trials": int(scored.sum()),
            "n_draws": n_draws,
            "seed": seed,
        },
    )
