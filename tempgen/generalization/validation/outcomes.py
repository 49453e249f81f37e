"""What the tests, intervals and summaries made of one data set whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.generalization.selection import Decoder, select_decoder
from tempgen.generalization.statistics import (
    cluster_test,
    max_statistic_test,
    score_intervals,
)
from tempgen.generalization.statistics.tested import Against, TestedDecoder
from tempgen.generalization.summaries import (
    Resampling,
    curve_peak,
    half_amplitude_fall,
    half_amplitude_onset,
    significant_onset,
)
from tempgen.generalization.summaries.latency import half_crossings, peak_positions
from tempgen.generalization.validation.truth import CURVES

__all__ = ["INTERVALS", "LATENCIES", "TESTS", "dataset_outcomes"]

TESTS = {
    "cluster": "cluster-based sign flips over all lags or cells",
    "max_statistic": "permuted images, largest z over all lags or cells",
    "fdr": "permuted images, Benjamini-Hochberg over all lags or cells",
    "band": "simultaneous bootstrap bound over all lags",
    "cluster_before_onset": "cluster-based sign flips over windows that end before the image appears",
}
"""Tests by name; each rejects if any lag or cell is above chance."""

INTERVALS: dict[str, tuple[str, Against | None]] = {
    "percentile": ("percentile", "baseline"),
    "bca": ("bca", "baseline"),
    "percentile_of_scores": ("percentile", None),
}
"""Bootstrap intervals by name: method, and what is subtracted from the scores."""

LATENCIES = ("peak", "onset", "fall")
DECODERS: tuple[TestedDecoder, ...] = ("general", "specialized", "matrix")


def dataset_outcomes(
    results: xr.Dataset,
    metrics: Sequence[str],
    truth: xr.Dataset | None,
    *,
    alpha: float,
    level: float,
    n_permutations: int,
    n_draws: int,
    seed: int,
) -> xr.Dataset:
    """Apply every test, interval and latency to one result.

    Parameters
    ----------
    results : Dataset
        With ``METRIC_baseline``, and ``METRIC_null`` for the tests that permute images.
    metrics : sequence of str
    truth : Dataset or None
        From `chance_truth` or `measured_truth`; None where it is not known.
    alpha, level : float
        Of the tests and of the intervals.
    n_permutations, n_draws, seed : int
        Of the cluster tests and of the bootstrap.

    Returns
    -------
    Dataset
        ``p`` and ``rejects`` (test, decoder, metric), the latter 1, 0 or NaN where a test does not apply; ``estimate``, ``low``, ``high``,
        ``true`` (interval, curve, metric, test_delta); ``latency_s``, ``latency_low_s``, ``latency_high_s``, ``latency_true_s``
        (latency, curve, metric), intervals as they are told, rounded outwards. Coordinate ``lag_s``.
    """
    reached = _tests(results, metrics, alpha=alpha, n_permutations=n_permutations, seed=seed)
    resampling = Resampling(n_draws=n_draws, level=level, seed=seed)
    of_bands = Resampling(n_draws=n_draws, level=1 - alpha, seed=seed)
    for metric in metrics:
        for decoder in CURVES:
            found = significant_onset(results, metric, decoder=decoder, resampling=of_bands)
            reached["rejects"].loc["band", decoder, metric] = float(found["n_significant"] > 0)
    intervals = _intervals(results, metrics, truth, n_draws=n_draws, level=level, seed=seed)
    latencies = _latencies(results, metrics, truth, resampling)
    return xr.merge([reached, intervals, latencies], join="outer")


def _tests(
    results: xr.Dataset, metrics: Sequence[str], *, alpha: float, n_permutations: int, seed: int
) -> xr.Dataset:
    """Smallest corrected p of each test, and whether it rejects."""
    p = _nan({"test": list(TESTS), "decoder": list(DECODERS), "metric": list(metrics)})
    options: dict[str, Any] = {"n_permutations": n_permutations, "alpha": alpha, "seed": seed}
    before = results.isel(test_delta=np.flatnonzero(results["lag_s"].to_numpy() <= 1e-6))
    for metric in metrics:
        for decoder in DECODERS:
            if not _is_scored(results, metric, decoder):
                continue
            tested = cluster_test(results, metric, decoder=decoder, **options)
            p.loc["cluster", decoder, metric] = float(tested["p"].min())
            if f"{metric}_null" in results:
                tested = max_statistic_test(results, metric, decoder=decoder, alpha=alpha)
                p.loc["max_statistic", decoder, metric] = float(tested["p"].min())
                p.loc["fdr", decoder, metric] = float(tested["q"].min())
            if before.sizes["test_delta"] and _is_scored(before, metric, decoder):
                tested = cluster_test(before, metric, decoder=decoder, **options)
                p.loc["cluster_before_onset", decoder, metric] = float(tested["p"].min())
    rounding = 1e-9  # p are multiples of 1 / n_permutations
    return xr.Dataset({"p": p, "rejects": (p <= alpha + rounding).where(p.notnull()).astype(float)})


def _is_scored(results: xr.Dataset, metric: str, decoder: TestedDecoder) -> bool:
    """Whether all cells of a decoder were scored (of the matrix: all there are; of the diagonal: any)."""
    scored = results[metric].sel(target="current").notnull().any("trial")
    if decoder == "matrix":
        return bool(scored.all()) and min(scored.shape) > 1
    if decoder == "specialized" and not np.intersect1d(results.train_delta, results.test_delta).size:
        return False
    return bool(select_decoder(scored, results, decoder).any())


def _intervals(
    results: xr.Dataset,
    metrics: Sequence[str],
    truth: xr.Dataset | None,
    *,
    n_draws: int,
    level: float,
    seed: int,
) -> xr.Dataset:
    made = []
    for method, against in INTERVALS.values():
        curves = [
            score_intervals(
                results,
                metrics,
                decoder=decoder,
                against=against,
                method=method,  # type: ignore[arg-type]
                n_draws=n_draws,
                level=level,
                seed=seed,
            ).drop_attrs()
            for decoder in CURVES
        ]
        made.append(xr.concat(curves, dim=xr.Variable("curve", list(CURVES)), join="outer"))
    intervals = xr.concat(made, dim=xr.Variable("interval", list(INTERVALS))).rename(mean="estimate")
    if truth is None:
        return intervals.assign(true=intervals["estimate"] * np.nan)
    true = [
        truth["score" if against is None else "above_chance"].reset_coords(drop=True)
        for _, against in INTERVALS.values()
    ]
    return intervals.assign(true=xr.concat(true, dim=xr.Variable("interval", list(INTERVALS))))


def _latencies(
    results: xr.Dataset, metrics: Sequence[str], truth: xr.Dataset | None, resampling: Resampling
) -> xr.Dataset:
    axes: dict[str, list[str]] = {"latency": list(LATENCIES), "curve": list(CURVES), "metric": list(metrics)}
    names = ("latency_s", "latency_low_s", "latency_high_s", "latency_true_s")
    found = xr.Dataset({name: _nan(axes) for name in names})
    functions = {"peak": curve_peak, "onset": half_amplitude_onset, "fall": half_amplitude_fall}
    for metric in metrics:
        for decoder in CURVES:
            true = _true_latencies(results, truth, metric, decoder)
            for latency, function in functions.items():
                made = function(results, metric, decoder=decoder, resampling=resampling)
                place = (latency, decoder, metric)
                found["latency_s"].loc[place] = float(made[f"{latency}_unrounded_s"])
                found["latency_low_s"].loc[place] = float(made[f"{latency}_low_s"])
                found["latency_high_s"].loc[place] = float(made[f"{latency}_high_s"])
                found["latency_true_s"].loc[place] = true[latency]
    return found


def _true_latencies(
    results: xr.Dataset, truth: xr.Dataset | None, metric: str, decoder: Decoder
) -> dict[str, float]:
    """Peak, onset and fall of the expected curve (s); NaN where it has none within the lags, or is not known."""
    unknown = dict.fromkeys(LATENCIES, np.nan)
    if truth is None:
        return unknown
    curve = truth["above_chance"].sel(curve=decoder, metric=metric).dropna("test_delta")
    lag_s: NDArray[np.float64] = results["lag_s"].sel(test_delta=curve["test_delta"]).to_numpy()
    expected = curve.to_numpy()[np.newaxis]
    if not expected.size:
        return unknown
    peak = int(peak_positions(expected)[0])
    if peak < 0:
        return unknown
    rise, fall = (float(crossing[0]) for crossing in half_crossings(expected, lag_s))
    times = {"peak": float(lag_s[peak]), "onset": rise, "fall": fall}
    return {name: seconds if np.isfinite(seconds) else np.nan for name, seconds in times.items()}


def _nan(axes: dict[str, list[str]]) -> xr.DataArray:
    shape = tuple(len(names) for names in axes.values())
    return xr.DataArray(np.full(shape, np.nan), coords=axes, dims=tuple(axes))
