"""All summaries of a result in a table, for notebooks and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.generalization.selection import Decoder
from tempgen.generalization.summaries.difference import difference_of
from tempgen.generalization.summaries.onset import crossing_of, significant_onset_of
from tempgen.generalization.summaries.peak import peak_of
from tempgen.generalization.summaries.resampling import (
    DEFAULT_RESAMPLING,
    ResampledCells,
    Resampling,
    resample_cells,
)
from tempgen.generalization.summaries.shape import dynamics_of, symmetry_of
from tempgen.generalization.summaries.width import width_of
from tempgen.results import metrics_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["summary_table"]

_DECODERS: tuple[Decoder, ...] = ("general", "specialized")


def summary_table(
    results: xr.Dataset,
    metrics: Sequence[str] | None = None,
    *,
    target: str = "current",
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> pd.DataFrame:
    """Peak, onset, fall, width and gain of each decoder, and the shape of the matrix, with their intervals.

    All on the same draws. Latencies are in multiples of the resolution (`tempgen.generalization.summaries.latency`), from
    image onset to the window's end.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metrics : sequence of str or None
        Score variables; None: all.
    target : str
        Image that reconstructions are compared with.
    resampling : Resampling

    Returns
    -------
    DataFrame
        Index (metric, decoder), a row for each decoder that was scored. Columns by unit: ``_s`` seconds, ``_tr`` TRs, ``_score``
        units of the metric, ``_lags`` numbers of lags, ``_index`` without unit; intervals end in ``_low_...`` and ``_high_...``.
        ``peak_...``, ``first_significant_s``, ``onset_...`` (jackknife), ``fall_...``, ``width_...`` (General alone), ``gain_...``
        (Specialized alone: the largest difference to General at one lag, with its simultaneous band), and
        ``dynamics_...``, ``symmetry_...``, ``asymmetry_...``, of the metric's whole matrix, the same in both rows. ``resolution_s``; ``peak_at_edge``;
        ``notes``: why numbers are missing. NaN where there is nothing to tell.

    Raises
    ------
    ResultsError
        If the results lack a metric, the target, the unit, every score of a metric, chance or the TR.
    """
    import pandas as pd

    rows = []
    for metric in metrics_of(results) if metrics is None else metrics:
        cells = resample_cells(results, metric, target=target, resampling=resampling)
        there = [decoder for decoder in _DECODERS if cells.has(decoder)]
        shape, shape_notes = _shape_columns(cells) if "specialized" in there else ({}, [])
        for decoder in there:
            columns, notes = _curve_columns(cells, decoder)
            if decoder == "specialized" and "general" in there:
                columns |= _gain_columns(cells)
            rows.append(
                {"metric": metric, "decoder": decoder}
                | columns
                | shape
                | {"resolution_s": cells.resolution_s, "notes": "; ".join(dict.fromkeys(notes + shape_notes))}
            )
    table = pd.DataFrame(rows).set_index(["metric", "decoder"])
    last = ["resolution_s", "notes"]
    return table[[name for name in table.columns if name not in last] + last]


def _curve_columns(cells: ResampledCells, decoder: Decoder) -> tuple[dict[str, Any], list[str]]:
    curve = cells.curve(decoder)
    peak, first = peak_of(curve), significant_onset_of(curve)
    onset, fall = crossing_of(curve, "onset"), crossing_of(curve, "fall")
    columns: dict[str, Any] = {
        "peak_delta_tr": _number(peak, "peak_delta"),
        **_latency(peak, "peak"),
        "peak_score": _number(peak, "peak_score"),
        "peak_above_chance_score": _number(peak, "peak_above_chance"),
        "peak_above_chance_low_score": _number(peak, "peak_above_chance_low"),
        "peak_above_chance_high_score": _number(peak, "peak_above_chance_high"),
        "peak_at_edge": bool(peak["at_edge"]),
        "first_significant_s": _number(first, "first_s"),
        **_latency(onset, "onset"),
        **_latency(fall, "fall"),
    }
    told = {"onset": onset, "fall": fall}
    if decoder == "general":
        width = width_of(curve)
        columns |= _latency(width, "width")
        columns |= {
            name: _number(width, name) for name in ("width_lags", "width_low_lags", "width_high_lags")
        }
        told["width"] = width
    at_chance = str(peak.attrs["reason"])
    if at_chance:
        return columns, [at_chance]
    return columns, [f"{name}: {of.attrs['reason']}" for name, of in told.items() if of.attrs["reason"]]


def _gain_columns(cells: ResampledCells) -> dict[str, float]:
    by_lag = difference_of(cells)
    if not by_lag.sizes["test_delta"]:
        return {}
    best = by_lag.isel(test_delta=int(np.argmax(by_lag["difference"].to_numpy())))
    return {
        "gain_delta_tr": float(best["test_delta"]),
        "gain_score": _number(best, "difference"),
        "gain_low_score": _number(best, "band_low"),
        "gain_high_score": _number(best, "band_high"),
    }


def _shape_columns(cells: ResampledCells) -> tuple[dict[str, float], list[str]]:
    columns: dict[str, float] = {}
    notes = []
    dynamics = dynamics_of(cells) if "n_tr" in cells.attrs else None
    symmetry = symmetry_of(cells)
    for of, names in ((dynamics, ["dynamics"]), (symmetry, ["symmetry", "asymmetry"])):
        if of is None:
            continue
        for name in names:
            for bound in ("", "_low", "_high"):
                columns[f"{name}{bound}_index"] = _number(of, f"{name}{bound}")
        if of.attrs["reason"]:
            notes.append(f"{names[0]}: {of.attrs['reason']}")
    return columns, notes


def _latency(of: xr.Dataset, name: str) -> dict[str, float]:
    return {f"{name}{bound}_s": _number(of, f"{name}{bound}_s") for bound in ("", "_low", "_high")}


def _number(of: xr.Dataset, name: str) -> float:
    return float(of[name])
