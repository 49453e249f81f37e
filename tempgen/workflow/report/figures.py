"""The figures of a report, each with what it shows in words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import generalization_matrix, lag_curve, lag_images
from tempgen.generalization.selection import Decoder, decodes_labels, independent_unit, scored_decoders
from tempgen.plots import plot_lag_curves, plot_matrix, plot_reconstructions, plot_row, plot_targets
from tempgen.plots.faces import FACES_HINT, can_blur_faces, with_blurred_faces
from tempgen.reconstructions import open_reconstructions
from tempgen.results import decoder_name, metrics_of
from tempgen.workflow.report.html import Section, figure_html, paragraphs

__all__ = [
    "curves_section",
    "main_target",
    "matrix_section",
    "reconstructions_section",
    "targets_section",
]

N_TRIALS = 6
"""Of the reconstructions: what fits on a page beside its words. Source: house choice."""
_COLUMNS, _MOST_ROWS = 3, 3
"""Panels of a figure: as `plot_row` sets them, and as many rows as a printed page holds with their caption."""


def main_target(results: xr.Dataset) -> str:
    """The trial's own image, or the first of the others where that was not compared."""
    targets = [str(name) for name in results["target"].to_numpy()]
    return "current" if "current" in targets else targets[0]


def _row_html(plot: Callable[..., Any], panels: Mapping[str, Any], *, alt: str, caption: str) -> str:
    """Panels of metrics as figures, each of which fits on a page of paper."""
    n_rows = math.ceil(len(panels) / _COLUMNS)
    n_each = _COLUMNS * math.ceil(n_rows / math.ceil(n_rows / _MOST_ROWS))
    names = list(panels)
    parts = [names[first : first + n_each] for first in range(0, len(names), n_each)]
    return "".join(
        figure_html(
            plot_row(plot, {name: panels[name] for name in part}),
            alt=alt,
            caption=caption if part is parts[-1] else "Continued below.",
        )
        for part in parts
    )


def curves_section(results: xr.Dataset) -> Iterator[Section]:
    """General and Specialized by lag, one panel a metric; none where neither was scored."""
    target, unit = main_target(results), independent_unit(results)
    panels = {
        metric: {
            name.capitalize(): lag_curve(results, metric, decoder=name, target=target, unit=unit)
            for name in scored_decoders(results[metric].sel(target=target), results)
        }
        for metric in metrics_of(results)
    }
    panels = {metric: curves for metric, curves in panels.items() if curves}
    if not panels:
        return
    caption = (
        "Mean over test trials by the time from image onset to the end of the decoder's window; the upper axis is the window's "
        "shift. Every lag scores the same trials. Marks at the bottom: when images were on the screen. Dotted: chance. Read "
        "the distance from chance, not the height."
    )
    what = "label" if decodes_labels(results) else "image"
    yield Section(
        f"When can the {what} be decoded?",
        _row_html(
            plot_lag_curves, panels, alt="General and Specialized decoders: score by lag", caption=caption
        ),
    )


def targets_section(results: xr.Dataset) -> Iterator[Section]:
    """The General decoder beside the previous, the current and the next image, where it was scored."""
    what, made = ("label", "labels") if decodes_labels(results) else ("image", "reconstructions")
    panels: dict[str, dict[str, Any]] = {}
    for metric in metrics_of(results):
        if "general" not in scored_decoders(results[metric].sel(target=main_target(results)), results):
            continue
        panels[metric] = {
            f"{target} {what}": lag_curve(
                results, metric, decoder="general", target=target, unit=independent_unit(results)
            )
            for target in (str(name) for name in results["target"].to_numpy())
            if results[metric].sel(target=target).notnull().any()
        }
    if not panels:
        return
    caption = (
        f"The General decoder's {made} compared with the {what} before, the trial's own and the one after. Shifted by one "
        "trial, the window holds a neighbour's response. Neighbours across a blank do not count."
    )
    alt = f"General decoder: score with the previous, current and next {what} by lag"
    yield Section(f"Whose {what} is it?", _row_html(plot_targets, panels, alt=alt, caption=caption))


def matrix_section(results: xr.Dataset) -> Section:
    """Every decoder at every lag, above the chance of each cell where that is known."""
    target = main_target(results)
    panels, unknown = {}, []
    for metric in metrics_of(results):
        scored = generalization_matrix(results, metric, target=target)
        known = bool((scored["chance"].notnull() | scored.isnull()).all())
        panels[metric] = generalization_matrix(results, metric, target=target, above_chance=known)
        unknown += [] if known else [str(scored.attrs.get("long_name", metric))]
    caption = (
        "Training lag upwards, test lag to the right, mean score minus chance. The diagonal is Specialized, the marked row General. "
        "Cells between the stepped lines come from windows that share volumes. Hatched: not computed."
    )
    if unknown:
        caption += f" Chance is not known of {', '.join(unknown)}, whose mean scores are shown as they are."
    alt = "Generalization matrix: training by test lag"
    return Section("The whole matrix", _row_html(plot_matrix, panels, alt=alt, caption=caption))


def reconstructions_section(results: xr.Dataset, home: Path) -> Iterator[Section]:
    """Reconstructions of the first trials in time, of each decoder whose reconstructions were kept.

    Where faces are to be blurred and cannot be, simulated scenes, which have none, are shown with a note; of real images
    there is the note alone.
    """
    wishes = json.loads(results.attrs.get("analysis", "{}")).get("figures") or {}
    unblurred = bool(wishes.get("blur_faces")) and not can_blur_faces()
    if unblurred and results.attrs["data_kind"] != "simulated":
        yield Section(
            "Reconstructions",
            paragraphs([f"Images are left out: the analysis asks that faces be blurred, and {FACES_HINT}."]),
        )
        return
    kept = open_reconstructions(home)
    notes = []
    figures = []
    decoders: tuple[Decoder, ...] = ("general", "specialized")
    for name in decoders:
        try:
            images = lag_images(kept, decoder=name, n_trials=N_TRIALS)
        except ResultsError:  # of this decoder none were kept at these lags
            continue
        if wishes.get("blur_faces") and not unblurred:
            images = with_blurred_faces(images)
        figure: Any = plot_reconstructions({decoder_name(kept): images}).figure
        caption = f"{name.capitalize()} decoder, by shift of the window; on the left what was on the screen."
        figures.append(
            figure_html(figure, alt=f"{name.capitalize()} decoder: reconstructions by lag", caption=caption)
        )
    if unblurred:
        notes.append("Faces are not blurred, although the analysis asks for it: OpenCV is not installed.")
    notes.append(
        "The first test trials in time that have both neighbours, not the best ones. The initial noise is the same at every shift. A "
        "clean picture is no evidence: look at what changes with the shift and agrees with the screen."
    )
    if figures:
        yield Section("Reconstructions", paragraphs(notes) + "".join(figures))
