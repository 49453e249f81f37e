"""All results of a study as one array: score[variant, subject, train_delta, test_delta, target, trial]."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

__all__ = ["combine_results", "shared_attrs"]

_SECONDS = {"train_lag_s": "train_delta", "lag_s": "test_delta"}


def combine_results(results: Mapping[tuple[str, str], xr.Dataset]) -> xr.Dataset:
    """One dataset of the results of variants and subjects; what it holds is said at `StudyResults.combined`.

    Parameters
    ----------
    results : mapping of (variant, subject) to Dataset
        Ordinary results, at least one.
    """
    variants = list(dict.fromkeys(variant for variant, _ in results))
    averaged = any("n_repetitions" in one.coords for one in results.values())
    by_variant = []
    for variant in variants:
        rows = {
            subject: _countable(one, averaged=averaged)
            for (name, subject), one in results.items()
            if name == variant
        }
        by_variant.append(_concat(rows.values(), list(rows), "subject"))
    whole = _concat(by_variant, variants, "variant")
    first = {
        variant: next(one for (name, _), one in results.items() if name == variant) for variant in variants
    }
    seconds = {
        name: (
            ("variant", delta),
            [
                _lags_s(one.attrs, whole[delta].to_numpy(), tested=one[delta].to_numpy())
                for one in first.values()
            ],
        )
        for name, delta in _SECONDS.items()
        if delta in whole.coords
    }
    whole = whole.assign_coords(seconds).transpose("variant", "subject", ...)
    whole.attrs = shared_attrs({member: one.attrs for member, one in results.items()})
    return whole


def shared_attrs(of_results: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    """Attributes on which all results agree, and in ``differing_attrs`` the others as JSON: variant to subject to attributes."""
    everything = list(of_results.values())
    names = list(dict.fromkeys(name for attrs in everything for name in attrs))
    same = [
        name for name in names if all(_same(attrs.get(name), everything[0].get(name)) for attrs in everything)
    ]
    differing: dict[str, dict[str, Any]] = {}
    for (variant, subject), attrs in of_results.items():
        own = {name: _plain(value) for name, value in attrs.items() if name not in same}
        differing.setdefault(variant, {})[subject] = own
    return {
        **{name: everything[0][name] for name in same},
        "differing_attrs": json.dumps(differing, sort_keys=True),
    }


def _countable(result: xr.Dataset, *, averaged: bool) -> xr.Dataset:
    """A result whose trials and permutations are counted, so that those of another number can stand beside them.

    Where some results average presentations, single trials say that they are means over one.
    """
    if averaged and "n_repetitions" not in result.coords:
        result = result.assign_coords(n_repetitions=("trial", np.ones(result.sizes["trial"], dtype=np.int64)))
    own = result.drop_vars([name for name in _SECONDS if name in result.coords])
    # `subject` of the trials would be a dimension's name
    own = own.drop_vars([name for name in ("subject",) if name in own.coords])
    return own.assign_coords(
        {dim: np.arange(own.sizes[dim]) for dim in ("trial", "permutation") if dim in own.dims}
    )


def _concat(datasets: Iterable[xr.Dataset], names: list[str], dim: str) -> xr.Dataset:
    of_trials = {
        name: -1 if coord.dtype.kind in "iu" else ""
        for one in datasets
        for name, coord in one.coords.items()
        if name not in one.dims and coord.dtype.kind in "iuOU"
    }
    return xr.concat(
        list(datasets),
        pd.Index(names, name=dim, dtype=object),
        data_vars="all",
        coords="all",
        compat="override",
        join="outer",
        combine_attrs="override",
        fill_value={**dict.fromkeys(_variables(datasets), np.nan), **of_trials},
    )


def _variables(datasets: Iterable[xr.Dataset]) -> set[Any]:
    return {name for one in datasets for name in one.variables}


def _lags_s(attrs: Mapping[str, Any], deltas: Any, *, tested: Any) -> Any:
    """Seconds from onset to the window's end; NaN at lags that the variant was not tested at."""
    lags_s = (int(attrs["start_tr"]) + deltas + int(attrs["n_tr"])) * float(attrs["tr_s"])
    return np.where(np.isin(deltas, tested), lags_s, np.nan)


def _same(first: Any, second: Any) -> bool:
    return bool(np.array_equal(np.asarray(first), np.asarray(second)))


def _plain(value: Any) -> Any:
    """A number, text or list, as JSON takes it."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
