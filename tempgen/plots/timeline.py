"""Where and when: scores of regions by lag, and when each begins and peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tempgen.errors import ResultsError
from tempgen.generalization.selection import UNIT_PLURALS
from tempgen.plots.curves import X_LABEL
from tempgen.plots.palettes import chance_colours
from tempgen.plots.style import draw_legend_below, is_narrow, own_axes, stamp_data_kind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_region_lags", "plot_region_latencies"]

_ROW_MM = 5.5
_LAGS_FRAME_MM, _LATENCIES_FRAME_MM = 36.0, 27.0
_NEEDED = ("mean", "onset_s", "onset_low_s", "onset_high_s", "peak_s", "peak_low_s", "peak_high_s", "lag_s")
_ONSET, _PEAK = "#009E73", "#D55E00"
"""Of Okabe and Ito's palette, as in tempgen.plots.palettes."""


def plot_region_lags(
    curves: xr.Dataset,
    *,
    ax: Axes | None = None,
    limits: tuple[float, float] | None = None,
    legend: bool = True,
) -> Axes:
    """Draw score above chance as colour, regions downwards, lags to the right; marks are onset and peak.

    Parameters
    ----------
    curves : Dataset
        From `tempgen.generalization.regions.region_curves`.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    limits : (float, float), optional
        Range of the colours, to share between figures; by default that of the scores.
    legend : bool
        Whether to draw one.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If the dataset is of another kind or has no score.
    """
    from matplotlib import pyplot as plt

    _check(curves)
    own_figure = ax is None
    values, lag_s = curves["mean"].to_numpy(), curves["lag_s"].to_numpy()
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    colours, low, high = chance_colours(low, high, 0.0)
    n_regions = curves.sizes["region"]
    with own_axes(ax, height_mm=_LAGS_FRAME_MM + _ROW_MM * n_regions) as ax:
        edges = np.concatenate([lag_s[:1], (lag_s[1:] + lag_s[:-1]) / 2, lag_s[-1:]])
        edges[[0, -1]] += (np.diff(lag_s).mean() if len(lag_s) > 1 else 1.0) * np.array([-0.5, 0.5])
        mesh = ax.pcolormesh(
            edges,
            np.arange(n_regions + 1) - 0.5,
            np.ma.masked_invalid(values),
            cmap=colours,
            vmin=low,
            vmax=high,
            edgecolors="face",
            linewidth=0.1,
        )
        rows = np.arange(n_regions)
        marks = {"onset (half of the peak)": ("onset_s", "|", "none"), "peak": ("peak_s", "o", "white")}
        for label, (name, marker, face) in marks.items():
            ax.plot(
                curves[name],
                rows,
                marker,
                color="black",
                markerfacecolor=face,
                markersize=7 if marker == "|" else 3.5,
                markeredgewidth=1.1 if marker == "|" else 0.7,
                label=label,
            )
        ax.set(xlim=(edges[0], edges[-1]), ylim=(n_regions - 0.5, -0.5))
        ax.set_yticks(rows, labels=[str(name) for name in curves["region"].to_numpy()])
        ax.set_xlabel(X_LABEL.replace(" onset ", " onset\n") if is_narrow(ax) else X_LABEL)
        bar = plt.colorbar(mesh, ax=ax, location="top", aspect=30, pad=0.02)
        bar.set_label(str(curves.attrs.get("long_name", "score above chance")))
        bar.ax.axvline(0, color="black", linewidth=0.8)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(bar.ax, curves.attrs)
    return ax


def plot_region_latencies(curves: xr.Dataset, *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw onset and peak of each region with their intervals, in seconds.

    Parameters
    ----------
    curves : Dataset
        From `tempgen.generalization.regions.region_curves`.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    legend : bool
        Whether to draw one.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If the dataset is of another kind, or no region has an onset or a peak.
    """
    _check(curves)
    if not bool(np.isfinite(curves["peak_s"]).any() or np.isfinite(curves["onset_s"]).any()):
        raise ResultsError("No region is above chance, so that none has an onset or a peak to draw.")
    own_figure = ax is None
    n_regions = curves.sizes["region"]
    unit = str(curves.attrs.get("interval_unit", "image_id"))
    over = UNIT_PLURALS.get(unit, f"values of {unit}")
    level = f"{100 * float(curves.attrs.get('interval_level', 0.95)):g} % interval over {over}"
    with own_axes(ax, height_mm=_LATENCIES_FRAME_MM + _ROW_MM * n_regions) as ax:
        looks = {
            "onset": (_ONSET, "|", -0.14, f"onset, {level}"),
            "peak": (_PEAK, "o", 0.14, f"peak, {level}"),
        }
        for name, (colour, marker, offset, label) in looks.items():
            rows = np.arange(n_regions) + offset
            ax.hlines(rows, curves[f"{name}_low_s"], curves[f"{name}_high_s"], color=colour, linewidth=1.4)
            ax.plot(
                curves[f"{name}_s"],
                rows,
                marker,
                color=colour,
                markersize=6 if marker == "|" else 3.5,
                markeredgewidth=1.4,
                label=label,
            )
        lag_s = curves["lag_s"].to_numpy()
        ax.spines["top"].set_visible(False)
        ax.set(xlim=(lag_s[0], lag_s[-1]), ylim=(n_regions - 0.5, -0.5))
        ax.set_yticks(np.arange(n_regions), labels=[str(name) for name in curves["region"].to_numpy()])
        ax.set_xlabel(X_LABEL.replace(" onset ", " onset\n") if is_narrow(ax) else X_LABEL)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, curves.attrs)
    return ax


def _check(curves: xr.Dataset) -> None:
    lacking = [name for name in _NEEDED if name not in curves.variables]
    if lacking or "region" not in curves.dims:
        raise ResultsError(
            f"The curves lack {', '.join(lacking) or 'the dimension region'}: make them with region_curves."
        )
    if bool(curves["mean"].isnull().all()):
        raise ResultsError("The regions have no score at any lag; nothing can be drawn.")
