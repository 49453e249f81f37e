"""The gain of rank 2 over rank 1 by region, beside what a static code would show."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.plots.style import Line, draw_legend_below, own_axes, stamp_data_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["VERDICT_LINES", "plot_separability"]

VERDICT_LINES: Mapping[str, Line] = MappingProxyType(
    {
        "dynamic": Line("#D55E00", "none", "s", filled=True),
        "static": Line("#0072B2", "none", "o", filled=True),
        "undecided": Line("#000000", "none", "D", filled=False),
    }
)
"""Colours of Okabe and Ito's palette; marker and filling differ as well."""
_ROW_MM, _AROUND_MM = 7.0, 32.0
_DOTS = 0.28  # of a row, to either side of its middle


def plot_separability(result: xr.Dataset, *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw each voxel's gain, the mean over the responsive voxels of each region, and the null interval of that mean.

    Parameters
    ----------
    result : Dataset
        From :func:`tempgen.generalization.separability.separability_test`.
    ax : Axes, optional
        New ones, one column wide, unless given.
    legend : bool
        Whether to draw the legend under the axes.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If the dataset is no such result.
    """
    if "in_roi" not in result or "gain" not in result:
        raise ResultsError("Separability is drawn of a result of 'tempgen separability' (separability_test).")
    regions = [str(name) for name in result["roi"].values]
    alpha, between = float(result.attrs["alpha"]), 1 - 2 * float(result.attrs["alpha"])
    with own_axes(ax, height_mm=_AROUND_MM + _ROW_MM * len(regions)) as axes:
        for row, roi in enumerate(regions):
            one = result.sel(roi=roi)
            counts = (one["in_roi"].values > 0) & (one["responsive"].values > 0)
            gain, significant = one["gain"].values, one["p_corrected"].values <= alpha
            spread = row + _DOTS * np.linspace(-1, 1, max(2, int(counts.sum())))[: int(counts.sum())]
            marked = significant[counts]
            for chosen, colour, label in (
                (~marked, "0.72", "voxel"),
                (marked, "#E69F00", f"voxel, corrected p ≤ {alpha:g}"),
            ):
                if chosen.any():
                    axes.plot(
                        gain[counts][chosen], spread[chosen], ".", color=colour, markersize=1.6, label=label, zorder=1,
                        rasterized=True,
                    )  # fmt: skip
            low, high = float(one["mean_gain_null_low"]), float(one["mean_gain_null_high"])
            if np.isfinite(low):
                axes.fill_betweenx(
                    [row - 0.42, row + 0.42], low, high, facecolor="0.35", edgecolor="0.1", linewidth=0.8, zorder=0.5,
                    label=f"mean, {between:.0%} of static surrogates",
                )  # fmt: skip
            verdict = str(one["verdict"].item())
            axes.plot(
                [float(one["mean_gain"])], [row], **VERDICT_LINES[verdict].settings(), label=f"mean: {verdict}", zorder=3
            )  # fmt: skip
        axes.axvline(0, color="0.3", linestyle=":", linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(regions)), [_words(result.sel(roi=roi)) for roi in regions])
        axes.set_ylim(len(regions) - 0.45, -0.55)
        axes.set_xlabel("Cross-validated gain\n(R² of rank 2 minus rank 1)")
        stamp_data_kind(axes, result.attrs)
        if legend:
            handles, labels = axes.get_legend_handles_labels()
            once = dict(zip(labels, handles, strict=True))
            draw_legend_below(axes, list(once.values()), list(once), own_figure=ax is None)
    return axes


def _words(one: xr.Dataset) -> str:
    return f"{one['roi'].item()} ({int(one['n_responsive'])})"
