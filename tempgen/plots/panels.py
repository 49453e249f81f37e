"""Several metrics side by side: panels with one legend, one stamp and shared labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tempgen.errors import ResultsError
from tempgen.plots.style import (
    COLUMN_MM,
    MM_PER_INCH,
    STAMP_SETTINGS,
    draw_legend_below,
    figure_style,
    fit_height,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["plot_row"]

_WIDTH_MM = {1: COLUMN_MM, 2: 120.0, 3: 180.0}
"""By panels in a row: one column, a column and a half, a page. Source: Nature's guide to figures (120 and 180 mm)."""
_HEIGHT_MM = 75.0  # to begin with, then what the panels need
_CURVES_RATIO = 0.85  # height by width of a panel with curves: room for the name of a metric
_PAD_INCH = 0.025  # over and under each of the figure's parts; words come in several layers
_LETTER_LEFT_PT = -18.0  # from the axes' left edge, over the tick labels
_LETTER_UP_PT = 13.0  # from the axes' upper edge to a letter's, clear of the highest tick label


def plot_row(plot: Callable[..., Axes], panels: Mapping[str, Any], **settings: Any) -> Figure:
    """Draw one panel for each metric with the same plot function.

    What all panels say is said once: one legend, one stamp of simulated or real data, labels of shared axes. Panels
    bear letters; more than three continue in the next row.

    Parameters
    ----------
    plot : callable
        ``plot_lag_curves``, ``plot_targets`` or ``plot_matrix``.
    panels : mapping of str to what ``plot`` draws
        By metric, from left to right; each panel names its own metric.
    **settings
        Passed on to ``plot``.

    Returns
    -------
    Figure
        In tempgen's style: 85 mm wide for one panel, 120 for two, 180 for three, as high as they need.

    Raises
    ------
    ResultsError
        If there is no panel, or ``plot`` cannot draw one.
    """
    from matplotlib import pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if not panels:
        raise ResultsError("There is no panel to draw; give at least one metric.")
    n_columns = min(len(panels), max(_WIDTH_MM))
    n_rows = -(-len(panels) // n_columns)
    size_mm = (_WIDTH_MM[n_columns], _HEIGHT_MM * n_rows)
    with figure_style():
        figure = plt.figure(
            figsize=(size_mm[0] / MM_PER_INCH, size_mm[1] / MM_PER_INCH),
            layout=ConstrainedLayoutEngine(h_pad=_PAD_INCH),
        )
        # a part of its own, so that shared labels stay clear of the legend
        part = figure.add_subfigure(figure.add_gridspec()[0])
        axes = [part.add_subplot(n_rows, n_columns, k + 1) for k in range(len(panels))]
        for ax, panel in zip(axes, panels.values(), strict=True):
            plot(panel, ax=ax, legend=False, **settings)
        _share_stamp(figure, axes)
        _share_labels(part, axes, n_columns=n_columns)
        draw_legend_below(axes[0], *_legend_entries(axes), own_figure=True)
        if len(axes) > 1:
            _draw_letters(figure, axes)
        fit_height(figure, axes, n_rows=n_rows, ratio=_CURVES_RATIO)
    return figure


def _share_stamp(figure: Figure, axes: Sequence[Axes]) -> None:
    stamps = dict.fromkeys(ax.get_title("right") for ax in axes)
    for ax in axes:
        ax.set_title("", loc="right")
    figure.suptitle("; ".join(filter(None, stamps)), x=0.995, horizontalalignment="right", **STAMP_SETTINGS)


def _share_labels(part: SubFigure, axes: Sequence[Axes], *, n_columns: int) -> None:
    """Once for all panels where all have the same: x label, label of the upper axis, and y label with its ticks."""
    from matplotlib import rcParams

    look = {"fontsize": rcParams["axes.labelsize"]}
    # of curves the axis of shifts, of a matrix the colour bar
    uppers = [child for ax in axes for child in ax.child_axes]
    for group, write in ((list(axes), part.supxlabel), (uppers, part.suptitle)):
        words = {" ".join(ax.get_xlabel().split()) for ax in group}
        if len(words) == 1 and len(group) > 1:
            write(words.pop(), **look)
            for ax in group:
                ax.set_xlabel("")
    scales = {
        (ax.get_ylabel(), ax.get_ylim(), *(tick.get_text() for tick in ax.get_yticklabels())) for ax in axes
    }
    for k, ax in enumerate(axes):
        if len(scales) == 1 and k % n_columns:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)


def _legend_entries(axes: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """Each label once; levels of chance, which look alike, under one label."""
    entries: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    kinds_of_chance = [label for label in entries if label.startswith("chance")]
    if len(kinds_of_chance) > 1:
        names = {kinds_of_chance[0]: "chance (fixed, or images of other trials)"}
        names |= {label: label for label in entries if label not in kinds_of_chance}
        entries = {names[label]: handle for label, handle in entries.items() if label in names}
    return list(entries.values()), list(entries)


def _draw_letters(figure: Figure, axes: Sequence[Axes]) -> None:
    """Bold a, b, c at the upper left, all at one height, as far up as the panels' own words."""
    figure.draw_without_rendering()
    tops = [box.y1 - ax.get_window_extent().y1 for ax in axes if (box := ax.get_tightbbox()) is not None]
    for k, ax in enumerate(axes):
        ax.annotate(
            chr(ord("a") + k),
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(_LETTER_LEFT_PT, max(max(tops) * 72 / figure.dpi, _LETTER_UP_PT)),
            textcoords="offset points",
            verticalalignment="top",
            fontsize=9,
            fontweight="bold",
            annotation_clip=False,
        )
