"""How often each method calls a code what it is: from the outcomes of many simulated data sets to rates."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.generalization.validation.rates import clopper_pearson

__all__ = ["CLASSIFIERS", "classification_rates", "classification_table"]

CLASSIFIERS = {
    "raw": "index on BOLD, against thresholds",
    "deconvolved_true": "index after deconvolution, true HRFs",
    "deconvolved_wrong": "index after deconvolution, HRFs with the condition's error",
    "deconvolved": "index after deconvolution, estimated HRFs",
    "separability": "separability test",
    "static_null": "index on BOLD, against the static null",
}
"""Methods by name; verdicts are static, dynamic or undecided."""

_RATES = ("right", "wrong", "rejects")


def classification_rates(outcomes: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """Share of the data sets that each method calls right, wrong, and in which its test rejects a static code.

    Parameters
    ----------
    outcomes : Dataset, dims (condition, dataset, classifier)
        ``says_static``, ``says_dynamic``, ``statistic`` and ``p``; coordinate ``code`` (condition): only ``rotating`` is dynamic. NaN where there was no such
        data set. Attribute ``alpha``, the level of the tests.
    level : float
        Of the intervals (Clopper and Pearson).

    Returns
    -------
    Dataset, dims (condition, classifier)
        ``right``, ``wrong`` (the rest is undecided) and ``rejects`` (p <= alpha), each with ``_low``, ``_high`` and ``_n``, NaN for methods
        without a test; ``statistic_mean``, ``statistic_low`` and ``statistic_high`` (its 2.5 and 97.5 percentiles).
    """
    is_dynamic = xr.DataArray(outcomes["code"].to_numpy() == "rotating", dims="condition")
    static, dynamic, p = (outcomes[name] for name in ("says_static", "says_dynamic", "p"))
    happened = {
        "right": xr.where(is_dynamic, dynamic, static),
        "wrong": xr.where(is_dynamic, static, dynamic),
        "rejects": (p <= float(outcomes.attrs["alpha"]) + 1e-9).where(p.notnull()).astype(float),
    }
    dims = ("condition", "classifier")
    variables: dict[str, Any] = {}
    for name in _RATES:
        values = happened[name].transpose("condition", "classifier", "dataset").to_numpy()
        n = np.count_nonzero(~np.isnan(values), axis=-1)
        hits = np.nansum(values, axis=-1)
        low, high = clopper_pearson(hits, n, level=level)
        rate = np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)
        variables |= {
            name: (dims, rate),
            f"{name}_low": (dims, low),
            f"{name}_high": (dims, high),
            f"{name}_n": (dims, n),
        }
    statistic = outcomes["statistic"]
    variables["statistic_mean"] = statistic.mean("dataset")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a method that says nothing of any data set has no percentile
        for name, share in (("low", 0.025), ("high", 0.975)):
            variables[f"statistic_{name}"] = statistic.quantile(share, dim="dataset").drop_vars("quantile")
    coords = {
        name: one for name, one in outcomes.coords.items() if one.dims in (("condition",), ("classifier",))
    }
    return xr.Dataset(variables, coords=coords, attrs=outcomes.attrs | {"interval_level": level})


def classification_table(rates: xr.Dataset) -> pd.DataFrame:
    """One row for each condition and method, for a Markdown table."""
    rows = []
    for condition in rates["condition"].to_numpy():
        for method in rates["classifier"].to_numpy():
            one = rates.sel(condition=condition, classifier=method)
            row: dict[str, Any] = {
                "condition": str(condition),
                "method": str(method),
                "n": int(one["right_n"]),
            }
            for name in _RATES:
                row[name] = float(one[name])
                row[f"{name}_interval"] = f"{float(one[f'{name}_low']):.2f}-{float(one[f'{name}_high']):.2f}"
            row["statistic"] = float(one["statistic_mean"])
            if not int(one["rejects_n"]):
                row["rejects_interval"] = ""
            rows.append(row)
    return pd.DataFrame(rows)
