"""What a part of a decoder is worth: paired differences from the full one."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.style import draw_legend_below, own_axes, stamp_data_kind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_differences"]

_BETTER, _WORSE, _OPEN = ("#009E73", "o"), ("#D55E00", "v"), ("#7F7F7F", "s")
"""Colour (Okabe and Ito) and marker by whether the interval leaves out 0, and on which side."""
_ROW_MM, _FRAME_MM = 5.5, 30.0
_LETTERS = 34  # to a line under a narrow panel


def plot_differences(differences: xr.Dataset, *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw each variant's difference from the reference with its interval, a row for each.

    Parameters
    ----------
    differences : Dataset
        One metric, ``.sel(metric=...)``, of `tempgen.generalization.variants.variant_differences`.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    legend : bool
        Whether to draw one; `plot_row` draws one for all its panels.

    Raises
    ------
    ResultsError
        If there is no difference to draw.
    """
    there = np.flatnonzero(np.isfinite(differences["difference"].to_numpy()))
    if not there.size:
        raise ResultsError(
            f"No variant has a difference in {differences['metric'].item()}: run the study's analyses first."
        )
    rows = np.arange(differences.sizes["variant"])
    own_figure = ax is None
    better = -1.0 if str(differences["direction"].item()).startswith("lower") else 1.0
    with own_axes(ax, height_mm=_FRAME_MM + _ROW_MM * len(rows)) as ax:
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=1)
        if differences.sizes["subject"] > 1:
            by_subject = differences["subject_difference"].transpose("variant", "subject").to_numpy()
            ax.plot(
                by_subject,
                np.repeat(rows[:, np.newaxis], by_subject.shape[1], axis=1),
                "|",
                color="0.45",
                markersize=4,
                markeredgewidth=0.6,
                zorder=2,
            )
            ax.plot([], [], "|", color="0.45", markersize=4, markeredgewidth=0.6, label="single subjects")
        low, high = differences["low"].to_numpy(), differences["high"].to_numpy()
        above, below = (
            better * np.where(better > 0, low, high) > 0,
            better * np.where(better > 0, high, low) < 0,
        )
        for label, (colour, marker), which in (
            ("better than the reference", _BETTER, above),
            ("worse", _WORSE, below),
            ("interval holds 0", _OPEN, ~above & ~below),
        ):
            of = [row for row in there if which[row]]
            if not of:
                continue
            ax.hlines(rows[of], low[of], high[of], color=colour, linewidth=1.2, zorder=3)
            ax.plot(
                differences["difference"].to_numpy()[of],
                rows[of],
                marker,
                color=colour,
                markersize=4,
                label=label,
                zorder=4,
            )
        ax.plot([], [], color="0.4", linewidth=1.2, label=str(differences.attrs["interval"]))
        ax.set_yticks(rows, differences["variant"].to_numpy().tolist())
        ax.set_ylim(len(rows) - 0.5, -0.5)
        direction = "lower is better" if better < 0 else "higher is better"
        name = fill(str(differences["long_name"].item()), _LETTERS)
        ax.set_xlabel(f"{name}\nminus that of {differences.attrs['reference']}\n({direction})")
        ax.spines["top"].set_visible(False)
        ax.locator_params(axis="x", nbins=4)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, differences.attrs)
    return ax
