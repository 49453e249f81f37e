"""Results of several groups of trials as one array: score[train_group, test_group, train_delta, test_delta, target, trial]."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.errors import ResultsError

GROUP_DIMS = ("train_group", "test_group")
KEYS_OF_TRIAL = ("run", "onset_tr")
"""What tells the trials of a subject apart."""
ALL = "all"
"""What stands for the condition of a group that has none."""


def combine_groups(
    results: Mapping[tuple[str, str], xr.Dataset],
    *,
    train_groups: Mapping[str, str | None],
    test_groups: Mapping[str, str | None],
) -> xr.Dataset:
    """One dataset of the results of all pairs of a training and a test group.

    The axis ``trial`` holds the test trials of all groups, each once, by run and onset. A score is NaN where the trial is
    not one of the test group: means over ``trial`` that leave NaN out are means over the group, and a trial that belongs
    to two groups stands at one place in both. The coordinate ``in_test_group`` (test_group, trial) says which is which
    (a score can be NaN for other reasons, such as a neighbour that is none).

    Parameters
    ----------
    results : mapping of (train_group, test_group) to Dataset
        Ordinary results of one subject, all pairs, at the same lags; the test trials of a group are the same whatever
        the training group.
    train_groups, test_groups : mapping of str to str or None
        Names in the order of the axes, and their conditions.

    Returns
    -------
    xarray.Dataset
        All variables of the results with the dims ``train_group`` and ``test_group`` in front. Coordinates beside those
        of a result: ``train_where`` and ``n_train`` (train_group), ``test_where`` and ``n_test`` (test_group),
        ``in_test_group``; averaged presentations have ``n_repetitions`` (test_group, trial). Attributes on which the
        results agree; where they differ, ``group_attrs`` holds each pair's as JSON.

    Raises
    ------
    ResultsError
        If a pair is missing, or the results differ in lags or subject, or a group in its trials.
    """
    pairs = [(train, test) for train in train_groups for test in test_groups]
    missing = [pair for pair in pairs if pair not in results]
    if missing:
        raise ResultsError(
            f"No result of groups {missing[0]} (trained on, tested on) came: all pairs are needed."
        )
    tables = {pair: _trials(results[pair]) for pair in pairs}
    for (train, test), table in tables.items():
        if not table.index.equals(tables[next(iter(train_groups)), test].index):
            raise ResultsError(
                f"Trained on {train!r}, other trials of {test!r} were tested than with another training group: evaluate them "
                "on the same test trials."
            )
    union = pd.concat(tables.values())
    union = union[~union.index.duplicated()].sort_index()
    n_trials = len(union)
    aligned = {
        pair: _aligned(results[pair], union.index.get_indexer(tables[pair].index), n_trials) for pair in pairs
    }
    try:
        rows = [
            xr.concat([aligned[train, test] for test in test_groups], "test_group", **_EXACTLY)
            for train in train_groups
        ]
        combined = xr.concat(rows, "train_group", **_EXACTLY)
    except ValueError as error:
        raise ResultsError(
            f"The results do not fit together ({error}): evaluate them at the same lags."
        ) from error
    first = next(iter(train_groups))
    member = np.stack([union.index.isin(tables[first, test].index) for test in test_groups])
    n_train = [_count(results[train, next(iter(test_groups))], "n_train") for train in train_groups]
    coords: dict[str, Any] = {
        **{str(name): ("trial", union[name].to_numpy()) for name in union},
        "train_group": ("train_group", np.array(list(train_groups), dtype=object)),
        "test_group": ("test_group", np.array(list(test_groups), dtype=object)),
        "train_where": ("train_group", _texts(train_groups)),
        "test_where": ("test_group", _texts(test_groups)),
        "n_train": ("train_group", n_train),
        "n_test": ("test_group", member.sum(axis=1)),
        "in_test_group": (("test_group", "trial"), member),
    }
    if "n_repetitions" in union:  # groups average other presentations
        of_groups = [tables[first, test]["n_repetitions"] for test in test_groups]
        counts = np.stack([one.reindex(union.index, fill_value=-1) for one in of_groups])
        coords["n_repetitions"] = (("test_group", "trial"), counts)
    combined = combined.assign_coords(coords)
    combined = combined.transpose(*GROUP_DIMS, ...)
    combined.attrs = _attributes({pair: results[pair].attrs for pair in pairs})
    return combined


_EXACTLY: dict[str, Any] = {
    "data_vars": "all",
    "coords": "minimal",
    "compat": "equals",
    "join": "exact",
    "combine_attrs": "override",  # of variables: their metrics; those of the datasets are put together here
}


def group_result(results: xr.Dataset, *, train_group: str, test_group: str) -> xr.Dataset:
    """One pair of groups as an ordinary result, for everything that takes one.

    Parameters
    ----------
    results : Dataset
        From :func:`combine_groups`.

    Returns
    -------
    xarray.Dataset
        Dims (train_delta, test_delta, target, trial), the trials of the test group.

    Raises
    ------
    ResultsError
        If there is no such group, or ``results`` has no groups.
    """
    for dim, name in zip(GROUP_DIMS, (train_group, test_group), strict=True):
        if dim not in results.dims:
            raise ResultsError(f"The result has no dimension {dim}: it is no result of groups of trials.")
        if name not in results[dim].values:
            raise ResultsError(f"{dim} has no {name!r}; there are: {', '.join(results[dim].values)}.")
    pair = results.sel(train_group=train_group, test_group=test_group)
    pair = pair.isel(trial=np.flatnonzero(pair["in_test_group"].values))
    of_groups = (*GROUP_DIMS, "train_where", "test_where", "n_train", "n_test", "in_test_group")
    attrs = {name: value for name, value in results.attrs.items() if name != "group_attrs"}
    own = json.loads(results.attrs["group_attrs"])[train_group][test_group]
    ordinary = pair.drop_vars(of_groups)
    ordinary.attrs = {**attrs, **own}
    return ordinary


def _texts(groups: Mapping[str, str | None]) -> Any:
    return np.array([condition or ALL for condition in groups.values()], dtype=object)


def _count(result: xr.Dataset, name: str) -> int:
    return int(result.attrs.get(name, -1))


def _trials(result: xr.Dataset) -> pd.DataFrame:
    """Coordinates of the trials, indexed by run and onset."""
    names = [str(name) for name, coord in result.coords.items() if coord.dims == ("trial",)]
    table = pd.DataFrame({name: result[name].values for name in names})
    index = pd.MultiIndex.from_frame(table[list(KEYS_OF_TRIAL)])
    subjects = table["subject"].unique() if "subject" in table else ()
    if len(subjects) > 1 or index.has_duplicates:
        raise ResultsError("Groups are combined within one subject, whose trials run and onset tell apart.")
    return table.set_index(index)


def _aligned(result: xr.Dataset, positions: Any, n_trials: int) -> xr.Dataset:
    """A result with NaN in place of the trials that it lacks, without the coordinates of its trials."""
    own = [name for name, coord in result.coords.items() if coord.dims == ("trial",)]
    placed = result.drop_vars(own).assign_coords(trial=positions)
    return placed.reindex(trial=np.arange(n_trials)).drop_vars("trial")


def _attributes(of_pairs: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    """Attributes on which all pairs agree, and the others as JSON by pair."""
    everything = list(of_pairs.values())
    names = list(dict.fromkeys(name for attrs in everything for name in attrs))
    same = [
        name
        for name in names
        if all(_equal(attrs.get(name), everything[0].get(name)) for attrs in everything)
    ]
    differing: dict[str, dict[str, Any]] = {}
    for (train, test), attrs in of_pairs.items():
        own = {name: _plain(value) for name, value in attrs.items() if name not in same}
        differing.setdefault(train, {})[test] = own
    return {
        **{name: everything[0][name] for name in same},
        "group_attrs": json.dumps(differing, sort_keys=True),
    }


def _equal(first: Any, second: Any) -> bool:
    return bool(np.array_equal(np.asarray(first), np.asarray(second)))


def _plain(value: Any) -> Any:
    """A number, text or list, as JSON takes it."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
