"""From the outcomes of many data sets to rates, coverage and bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.validation.rates import clopper_pearson, share_interval

__all__ = ["calibrate"]


def calibrate(outcomes: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """How often tests reject and intervals cover, and how far latencies are off, by condition.

    Parameters
    ----------
    outcomes : Dataset
        `dataset_outcomes` of many data sets, along ``dataset``, and along ``condition`` or whatever else. NaN where
        there was no such data set, or nothing to say.
    level : float
        Of the intervals of the rates.

    Returns
    -------
    Dataset
        Each rate with ``_low``, ``_high`` and ``_n``, the number of data sets that it rests on.

        - ``rejection`` (..., test, decoder, metric): share of the data sets in which a test rejects, with the interval of
          Clopper and Pearson. Without signal it is the false positive rate, with signal power.
        - ``coverage`` (..., interval, curve, metric, test_delta): share of the data sets whose interval contains the
          truth, likewise.
        - ``mean_coverage`` (..., interval, curve, metric): mean over lags; data sets are the independent units.
        - ``score_bias`` and ``score_rmse`` (as ``coverage``): mean of estimate - truth over data sets, and the root of the mean square.
        - ``latency_found`` (..., latency, curve, metric): share of the data sets in which there was one to tell;
          ``latency_bias_s`` (estimate - truth, mean over those; interval -+ t SE), ``latency_rmse_s``, ``latency_mean_s``,
          ``latency_true_mean_s``, and ``latency_coverage`` of the intervals as they are told, among those that have one.

    Raises
    ------
    ResultsError
        If there is no dimension ``dataset``.
    """
    if "dataset" not in outcomes.dims:
        raise ResultsError("Outcomes of many data sets lie along a dimension 'dataset'; there is none.")
    covers = _covers(outcomes, "estimate", "low", "high", "true")
    off = outcomes["estimate"] - outcomes["true"]
    latency_off = outcomes["latency_s"] - outcomes["latency_true_s"]
    found = outcomes["latency_s"].notnull().astype(float)
    found = found.where(outcomes["rejects"].notnull().any(("test", "decoder", "metric")))
    latency_covers = _covers(outcomes, "latency_s", "latency_low_s", "latency_high_s", "latency_true_s")
    summary: dict[str, Any] = (
        _rate("rejection", outcomes["rejects"], level)
        | _rate("coverage", covers, level)
        | _share("mean_coverage", covers.mean("test_delta"), level)
        | _rate("latency_found", found, level)
        | _rate("latency_coverage", latency_covers, level)
        | _mean("latency_bias_s", latency_off, level)
    )
    summary |= {
        "score_bias": off.mean("dataset"),
        "score_rmse": (off**2).mean("dataset") ** 0.5,
        "latency_rmse_s": (latency_off**2).mean("dataset") ** 0.5,
        "latency_mean_s": outcomes["latency_s"].mean("dataset"),
        "latency_true_mean_s": outcomes["latency_true_s"].mean("dataset"),
    }
    return xr.Dataset(summary, attrs=outcomes.attrs | {"interval_level": level})


def _covers(outcomes: xr.Dataset, estimate: str, low: str, high: str, true: str) -> xr.DataArray:
    """Whether intervals contain the truth; NaN where an interval or a truth is missing."""
    rounding = 1e-9
    covers = (outcomes[low] <= outcomes[true] + rounding) & (outcomes[true] - rounding <= outcomes[high])
    known = (
        outcomes[estimate].notnull()
        & outcomes[low].notnull()
        & outcomes[high].notnull()
        & outcomes[true].notnull()
    )
    return covers.astype(float).where(known)


def _rate(name: str, events: xr.DataArray, level: float) -> dict[str, xr.DataArray]:
    n = events.notnull().sum("dataset")
    successes = events.sum("dataset")
    low, high = clopper_pearson(successes.to_numpy(), n.to_numpy(), level=level)
    return {
        name: (successes / n).where(n > 0),
        f"{name}_low": n.copy(data=low),
        f"{name}_high": n.copy(data=high),
        f"{name}_n": n,
    }


def _share(name: str, shares: xr.DataArray, level: float) -> dict[str, xr.DataArray]:
    ordered = shares.transpose(..., "dataset")
    mean, low, high = share_interval(ordered.to_numpy(), level=level)
    n = ordered.notnull().sum("dataset")
    return {
        name: n.copy(data=mean),
        f"{name}_low": n.copy(data=low),
        f"{name}_high": n.copy(data=high),
        f"{name}_n": n,
    }


def _mean(name: str, values: xr.DataArray, level: float) -> dict[str, xr.DataArray]:
    from scipy.special import stdtrit

    n = values.notnull().sum("dataset")
    mean = values.mean("dataset")
    error = values.std("dataset", ddof=1) / np.sqrt(n.where(n > 1))
    reach = error * stdtrit(np.maximum(n.to_numpy() - 1, 1), (1 + level) / 2)
    return {name: mean, f"{name}_low": mean - reach, f"{name}_high": mean + reach, f"{name}_n": n}
