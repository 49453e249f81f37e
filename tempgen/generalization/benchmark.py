"""Decoders side by side: our own scores with their uncertainty, and beside them what papers print, with how it was made.

Published numbers are compared with results on the same recording alone. Beside simulated subjects they stand apart and are
compared with nothing. What was decoded (BOLD or betas, single presentations or their average) makes another task, and a table of
its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.study import StudyResults

__all__ = ["benchmark_table", "benchmark_tables", "protocol_table", "published_scores"]

_FILE = Path(__file__).with_name("published_scores.yaml")
OURS = "this study"
_SIGNALS = {"bold": "BOLD", "deconvolved": "deconvolved activity", "betas": "betas"}
_REPETITIONS = {
    "all": "each presentation by itself",
    "one": "one presentation of each image",
    "average": "presentations averaged",
}
_TABLES = ("single", "averaged", "deconvolved", "betas")


def published_scores(table: str = "dynadiff") -> xr.Dataset:
    """Scores that a paper prints, in the units of the metrics of this package.

    Parameters
    ----------
    table : str
        Of ``published_scores.yaml``.

    Returns
    -------
    Dataset, dims (row, metric)
        ``mean``. Attributes: ``source``, ``title``, ``data_source`` and ``identification_direction`` as of our own results, the
        protocol as ``protocol_...``, and ``not_comparable_METRIC`` with the reason.

    Raises
    ------
    ResultsError
        If there is no such table.

    Examples
    --------
    >>> published = published_scores()
    >>> float(published["mean"].sel(row="Dynadiff", metric="clip_12"))
    0.9353
    """
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    if table not in content["tables"]:
        raise ResultsError(
            f"There is no published table {table!r}; there are: {', '.join(content['tables'])}."
        )
    one = content["tables"][table]
    percent = [name in content["units"]["percent"] for name in one["metrics"]]
    scores = np.array(list(one["rows"].values()), dtype=np.float64)
    return xr.Dataset(
        {"mean": (("row", "metric"), np.round(np.where(percent, scores / 100, scores), 6))},
        coords={
            "row": np.array(list(one["rows"]), dtype=object),
            "metric": np.array(one["metrics"], dtype=object),
        },
        attrs={"source": one["source"], "title": one["title"], "data_source": one["data source"]}
        | {"identification_direction": one["identification"]}
        | {f"not_comparable_{name}": why for name, why in one["not comparable"].items()}
        | {f"protocol_{name}": text for name, text in one["protocol"].items()},
    )


def benchmark_tables(scores: xr.Dataset, *, published: xr.Dataset | None = None) -> dict[str, xr.Dataset]:
    """A table for each kind of data that the variants decode.

    Parameters
    ----------
    scores : Dataset
        From `tempgen.generalization.variants.variant_scores`.
    published : Dataset, optional
        From `published_scores`: of single presentations of BOLD.

    Returns
    -------
    dict of str to Dataset
        Of ``"single"`` presentations (with the published scores), ``"averaged"`` ones, ``"deconvolved"`` activity and ``"betas"``
        (each of either) those that are there, as `benchmark_table` gives them.
    """
    signal, averaged = scores["signal"].to_numpy(), scores["repetitions"].to_numpy() == "average"
    kinds = np.where(signal == "bold", np.where(averaged, "averaged", "single"), signal)
    return {
        kind: benchmark_table(
            scores.isel(variant=np.flatnonzero(kinds == kind)),
            published=published if kind == "single" else None,
        )
        for kind in _TABLES
        if kind in kinds
    }


def benchmark_table(scores: xr.Dataset, *, published: xr.Dataset | None = None) -> xr.Dataset:
    """Our decoders, and those of a paper below them, with the best of each metric marked.

    Parameters
    ----------
    scores : Dataset
        From `tempgen.generalization.variants.variant_scores`: a variant for each decoder.
    published : Dataset, optional
        From `published_scores`; rows without a score in any of our metrics are left out.

    Returns
    -------
    Dataset, dims (row, metric)
        ``mean``, ``sem`` (NaN of published rows), ``best``: whether no other row that it is compared with is better. Coordinate
        ``group`` (row): ``"this study"`` with what was decoded, or the published table's title; our rows of a group stand
        together, those of different groups are not compared. Real data of the same recording are compared with the published
        ones, except for metrics that are made otherwise (``not_compared``: by another network, or identification in the other
        direction); simulated subjects and other recordings are not: attributes ``compared`` and ``other_recording`` say so.
    """
    protocols = _protocols(scores)
    scores = scores.isel(variant=sorted(range(len(protocols)), key=lambda k: protocols.index(protocols[k])))
    groups = _protocols(scores)
    ours = scores[["mean", "sem"]].rename({"variant": "row"})
    ours = ours.drop_vars(
        [
            name
            for name in ours.coords
            if name not in ("row", "metric", "long_name", "direction", "fixed_chance")
        ]
    )
    elsewhere = published is not None and _other_recording(scores.attrs, published.attrs)
    alone = elsewhere or len(set(groups)) > 1
    rows = ours
    if published is not None:
        theirs = published.reindex(metric=ours["metric"].values)
        theirs = theirs.isel(row=np.flatnonzero(theirs["mean"].notnull().any("metric").to_numpy()))
        groups += [str(published.attrs["title"])] * theirs.sizes["row"]
        rows = xr.concat(
            [ours, theirs.assign(sem=theirs["mean"] * np.nan)],
            "row",
            coords="minimal",
            compat="override",
            combine_attrs="override",
        )
    apart = {} if published is None else _made_otherwise(ours, scores.attrs, published.attrs)
    lower = np.array([str(name).startswith("lower") for name in rows["direction"].values])
    within = np.array([alone or name in apart for name in rows["metric"].values])
    best = np.where(
        within,
        _best(rows["mean"].to_numpy(), np.array(groups), lower=lower),
        _best(rows["mean"].to_numpy(), np.full(len(groups), "all"), lower=lower),
    )
    attrs = {name: value for name, value in scores.attrs.items() if name != "interval"}
    attrs["compared"] = "within each group" if alone else "with all rows"
    attrs["other_recording"] = int(elsewhere)
    if published is not None:
        attrs["published_source"] = str(published.attrs["source"])
        attrs["not_compared"] = "" if alone else ", ".join(dict.fromkeys(apart.values()))
    return (
        rows.assign(best=(("row", "metric"), best)).assign_coords(group=("row", groups)).assign_attrs(attrs)
    )


def _protocols(scores: xr.Dataset) -> list[str]:
    """Of each variant ``"this study"`` and what it decodes, as far as is known."""
    if "signal" not in scores.coords:
        return [OURS] * scores.sizes["variant"]
    pairs = zip(scores["signal"].values, scores["repetitions"].values, strict=True)
    return [_protocol(str(signal), str(repetitions)) for signal, repetitions in pairs]


def _protocol(signal: str, repetitions: str) -> str:
    return f"{OURS}: {_SIGNALS[signal]}, {_REPETITIONS[repetitions]}"


def _other_recording(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    return ours.get("data_kind") != "real" or ours.get("data_source") != theirs["data_source"]


def _made_otherwise(rows: xr.Dataset, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, str]:
    """Metrics that bear one name and are not one metric, and why."""
    apart = {
        str(name): str(theirs[f"not_comparable_{name}"])
        for name in rows["metric"].values
        if f"not_comparable_{name}" in theirs
    }
    if ours.get("identification_direction") == theirs["identification_direction"]:
        return apart
    identified = [str(name) for name in rows["metric"].values[np.isfinite(rows["fixed_chance"].values)]]
    return dict.fromkeys(identified, "two-way identification (in the other direction)") | apart


def _best(
    scores: NDArray[np.float64], groups: NDArray[Any], *, lower: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Best of each column among the rows of each group, ties included; nothing where fewer than two can be compared."""
    towards = np.where(lower, -scores, scores)
    best = np.zeros(scores.shape, dtype=bool)
    for group in np.unique(groups):
        rows = groups == group
        there = np.isfinite(towards[rows]).sum(axis=0) > 1
        top = np.where(np.isfinite(towards[rows]), towards[rows], -np.inf).max(axis=0)
        best[rows] = (towards[rows] == top) & there
    return best


def protocol_table(study: StudyResults, *, published: xr.Dataset | None = None) -> pd.DataFrame:
    """How the scores of a study were made beside how a paper's were: one row for each difference that matters.

    Parameters
    ----------
    study : StudyResults
    published : Dataset, optional
        From `published_scores`.

    Returns
    -------
    DataFrame
        Index: what; columns ``"this study"`` (one for each kind of data that variants decode) and, if given, the published table's
        title. Where variants differ, all are named.
    """
    by_protocol: dict[str, list[dict[str, Any]]] = {}
    for member in study.there:
        attrs = study.result(*member).attrs
        protocol = _protocol(str(attrs.get("signal", "bold")), str(attrs.get("repetitions", "all")))
        by_protocol.setdefault(protocol, []).append(attrs)
    table = {
        protocol if len(by_protocol) > 1 else OURS: _how_made(attrs, study)
        for protocol, attrs in by_protocol.items()
    }
    if published is not None:
        rows = next(iter(table.values()))
        table[str(published.attrs["title"])] = {
            name: str(published.attrs[f"protocol_{name}"]) for name in rows
        }
    return pd.DataFrame(table).rename_axis("protocol")


def _how_made(attrs: list[dict[str, Any]], study: StudyResults) -> dict[str, str]:
    """How results that decode the same kind of data were made."""
    tr_s, repetitions = float(attrs[0]["tr_s"]), str(attrs[0].get("repetitions", "all"))
    start_s, n_tr = float(attrs[0]["start_tr"]) * tr_s, _all(attrs, "n_tr")
    betas = attrs[0].get("signal") == "betas"
    trials = "images" if repetitions != "all" else "trials"
    return {
        "recording": f"{_all(attrs, 'data_kind')} data, subjects {', '.join(study.subjects)}",
        "signal": _all(attrs, "signal"),
        "window": f"{n_tr} beta of each trial"
        if betas
        else f"{n_tr} TRs of {tr_s:.4g} s from {start_s:.4g} s after onset",
        "test trials": f"{_all(attrs, 'split')} split: {_all(attrs, 'n_evaluated')} {trials}, {_REPETITIONS[repetitions]}",
        "image size of metrics": _all(attrs, "image_size"),
        "two-way identification": _all(attrs, "identification_direction"),
        "mIoU segmented by": _all(attrs, "networks"),
        "uncertainty": f"mean of {len(study.subjects)} subjects, SEM over them"
        if len(study.subjects) > 1
        else "SE over images",
    }


def _all(attrs: list[dict[str, Any]], name: str) -> str:
    values = dict.fromkeys(str(one[name]) for one in attrs if name in one)
    return ", ".join(values) or "none"
