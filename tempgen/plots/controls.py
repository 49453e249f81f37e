"""Verdicts of controls at a glance: what each judged, with its interval, beside the decoder's own effect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.style import draw_legend_below, own_axes, stamp_data_kind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_controls"]

_MARKS = {"passed": ("#009E73", "o"), "failed": ("#D55E00", "X"), "not decided": ("#7F7F7F", "s")}
"""Colour (Okabe and Ito) and marker of each verdict."""
_ROW_MM, _FRAME_MM = 5.0, 27.0


def plot_controls(verdicts: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what each control judged, above chance, with its interval; a tick marks what it was compared with.

    Parameters
    ----------
    verdicts : Dataset
        From `tempgen.workflow.controls.run_controls` or `open_controls`.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If no control has a number to draw.
    """
    drawn = verdicts.isel(control=np.flatnonzero(np.isfinite(verdicts["statistic"].values)))
    if drawn.sizes["control"] == 0:
        raise ResultsError(
            "None of the controls has a number to draw: run more of them with 'tempgen controls'."
        )
    names = drawn["control"].values.tolist()
    place = np.arange(len(names))
    own_figure = ax is None
    with own_axes(ax, height_mm=_FRAME_MM + _ROW_MM * len(names)) as ax:
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=1, label="no effect")
        ax.plot(drawn["reference"], place, "|", color="black", markersize=7, label="compared with", zorder=2)
        for word, (colour, marker) in _MARKS.items():
            rows = np.flatnonzero(drawn["verdict"].values == word)
            if rows.size:
                ax.hlines(place[rows], drawn["low"][rows], drawn["high"][rows], color=colour, zorder=3)
                ax.plot(drawn["statistic"][rows], place[rows], marker, color=colour, label=word, zorder=4)
        ax.plot([], [], color="0.5", label=_interval_words(drawn))
        ax.set_yticks(place, names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlabel(f"{drawn.attrs.get('long_name') or 'score'},\nabove chance or difference")
        stamp_data_kind(ax, drawn.attrs)
        draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
    return ax


def _interval_words(verdicts: xr.Dataset) -> str:
    """What the horizontal lines are: the level stands in the rules by which verdicts were reached."""
    level = json.loads(str(verdicts.attrs.get("rules", "{}"))).get("level")
    return "interval" if level is None else f"{100 * float(level):g} % interval"
