"""The tables of a report: summaries with intervals, verdicts of controls, and how the result was made."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import Resampling, summary_table
from tempgen.generalization.controls import verdicts_of
from tempgen.generalization.selection import independent_unit
from tempgen.plots.controls import plot_controls
from tempgen.results import metrics_of
from tempgen.workflow.report.figures import main_target
from tempgen.workflow.report.html import Section, details, figure_html, paragraphs, table_html

__all__ = ["controls_section", "making_section", "summary_section"]

_MINUS, _NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"
_SUMMARY = {
    "peak (s)": ("peak", "_s", 1),
    "peak above chance": ("peak_above_chance", "_score", 3),
    "onset (s)": ("onset", "_s", 1),
    "fall (s)": ("fall", "_s", 1),
    "width (s)": ("width", "_s", 1),
    "gain over General": ("gain", "_score", 3),
    "dynamics index": ("dynamics", "_index", 2),
    "symmetry index": ("symmetry", "_index", 2),
}
"""Columns: stem and unit of `summary_table`, decimals."""
_MADE = {
    "data_kind": "kind of data",
    "subject": "subject",
    "signal": "signal",
    "window": "window",
    "decoder": "decoder",
    "decoder_target": "decodes",
    "backbone": "image model",
    "warm_start": "training started from",
    "sampling": "sampling of images",
    "split": "split",
    "split_fingerprint": "split fingerprint",
    "image_disjoint": "training images kept apart from test images",
    "n_train": "training trials",
    "n_test": "test trials",
    "n_evaluated": "test trials scored",
    "repetitions": "presentations of a test image",
    "n_test_runs": "test runs",
    "n_left_out_window": "left out: window leaves its run",
    "n_left_out_image": "left out: image occurs in test runs",
    "n_train_sharing_volumes": "training trials that share volumes with test windows",
    "suite": "suite of metrics",
    "suite_version": "version of the suite",
    "resize": "images are compared",
    "tr_s": "TR (s)",
    "native_tr_s": "TR of the acquisition (s)",
    "tempgen_version": "made with tempgen",
}
_YES_OR_NO = ("image_disjoint",)


def summary_section(results: xr.Dataset) -> Section:
    """Peak, onset, fall, width, gain and the shape of the matrix, with their intervals."""
    heading, unit = "Summary", independent_unit(results)
    if unit == "run" and "run" in results.coords and np.unique(results["run"]).size == 1:
        words = "There is no summary: all test trials are of one run, which says nothing of others (split.n_test_runs)."
        return Section(heading, paragraphs([words]))
    try:
        table = summary_table(results, target=main_target(results), resampling=Resampling(unit=unit))
    except ResultsError as error:
        return Section(heading, paragraphs([f"There is no summary: {error}"]))
    records = table.reset_index().to_dict("records")
    rows = [
        [
            str(results[row["metric"]].attrs.get("long_name", row["metric"])),
            str(row["decoder"]).capitalize(),
            *_summary_cells(row),
        ]
        for row in records
    ]
    notes = _notes(records)
    resolution_s = float(table["resolution_s"].iloc[0])
    words = (
        f"Below each number its 95 % bootstrap interval over {'runs' if unit == 'run' else 'images'}, given these trained decoders "
        f"and this split. Latencies run from image onset to the window's end, in steps of {resolution_s:.2f} s, the finest that the "
        "acquisition allows. The dynamics and symmetry indices are of the whole matrix."
    )
    heads = ["metric", "decoder", *_SUMMARY]
    told = [k for k in range(len(heads)) if any(row[k] != _NOTHING for row in rows)]
    heads, rows = [heads[k] for k in told], [[row[k] for k in told] for row in rows]
    content = table_html(heads, rows, kinds=dict.fromkeys(_SUMMARY, "range")) + paragraphs([words])
    return Section(
        heading,
        content + (details("What is missing, and why", "\n".join(notes), opened=True) if notes else ""),
    )


def _notes(rows: Sequence[Mapping[Hashable, Any]]) -> list[str]:
    """What is missing of which metrics and decoders, each reason once."""
    of: dict[str, list[str]] = {}
    for row in rows:
        for note in filter(None, str(row["notes"]).split("; ")):
            of.setdefault(note, []).append(f"{row['metric']} ({row['decoder']})")
    return [
        f"{note}\n  {'all' if len(whose) == len(rows) else ', '.join(whose)}" for note, whose in of.items()
    ]


def _summary_cells(row: Mapping[Hashable, Any]) -> Iterator[str]:
    for stem, unit, decimals in _SUMMARY.values():
        values = [row.get(f"{stem}{bound}{unit}", math.nan) for bound in ("", "_low", "_high")]
        yield _estimate([float(value) for value in values], decimals)


def _estimate(values: list[float], decimals: int) -> str:
    """A number with its interval, as far as they are known."""
    value, low, high = (
        f"{each:.{decimals}f}".replace("-", _MINUS) if math.isfinite(each) else "" for each in values
    )
    if not value:
        return _NOTHING
    return f"{value}\n{low} to {high}" if low and high else value


def controls_section(verdicts: xr.Dataset) -> Section:
    """Each control's question, verdict and answer."""
    rows = [[one.name, one.verdict, one.question, one.statement] for one in verdicts_of(verdicts)]
    heads = ["control", "verdict", "question", "answer"]
    words = (
        "Passed needs evidence of absence: an effect above a share of the decoder's own must be excluded. Not decided means that the "
        "data cannot tell."
    )
    content = paragraphs([words]) + table_html(heads, rows, kinds={"verdict": "verdict"})
    if np.isfinite(verdicts["statistic"].to_numpy()).any():
        figure: Any = plot_controls(verdicts).figure
        caption = "What each control judged, with its interval; ticks: what it was compared with."
        content += figure_html(figure, alt="Controls: what each judged, with intervals", caption=caption)
    return Section("Controls", content)


def making_section(results: xr.Dataset) -> Section:
    """How the result was made: data, window, split, decoder, metrics with their chance levels, versions, recipe."""
    attrs = results.attrs
    notes = {name: name.removeprefix("note_") for name in attrs if name.startswith("note_")}
    plain = attrs | {name: "yes" if attrs[name] else "no" for name in _YES_OR_NO if name in attrs}
    plain["window"] = str(attrs.get("window", "")).removeprefix("window: ")
    made = [[words, _plain(plain[name])] for name, words in (_MADE | notes).items() if name in attrs]
    metrics = [_metric_row(results, metric) for metric in metrics_of(results)]
    heads = ["metric", "chance", "better", "what it is", "source"]
    content = (
        paragraphs(
            ["SIMULATED data: the subject, its images and its BOLD were made by a program."]
            if attrs["data_kind"] == "simulated"
            else []
        )
        + table_html(["", ""], made)
        + table_html(heads, metrics)
        + details("The whole analysis", _indented(attrs.get("analysis", "{}")))
        + details("The recipe (what determines the scores)", _indented(attrs.get("recipe", "{}")))
    )
    return Section("How it was made", content)


def _metric_row(results: xr.Dataset, metric: str) -> list[str]:
    attrs = results[metric].attrs
    better = str(attrs.get("direction", "")).removesuffix(" is better")
    return [
        str(attrs.get("long_name", metric)),
        _chance(results, metric),
        better,
        str(attrs.get("description", ""))
        + (f" (networks: {attrs['networks']})" if "networks" in attrs else ""),
        str(attrs.get("source", "")),
    ]


def _chance(results: xr.Dataset, metric: str) -> str:
    """Chance as the metric fixes it, or the range of what was measured."""
    fixed = float(results[metric].attrs.get("chance", math.nan))
    if math.isfinite(fixed):
        return f"{fixed:g}"
    measured = results.get(f"{metric}_chance")
    if measured is None or not measured.notnull().any():
        return "unknown"
    low, high = float(measured.min()), float(measured.max())
    return f"{low:.3f} to {high:.3f}, measured in each cell"


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _indented(text: str) -> str:
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
