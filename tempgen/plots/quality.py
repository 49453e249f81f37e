"""Quality of a recording: its runs one by one, and the response that images evoke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.palettes import Line
from tempgen.plots.stimuli import draw_stimuli, time_limits
from tempgen.plots.style import (
    COLUMN_MM,
    MM_PER_INCH,
    draw_legend_below,
    figure_style,
    own_axes,
    stamp_data_kind,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_evoked", "plot_run_quality"]

_PANEL_MM, _FRAME_MM = 26.0, 14.0
_EVOKED_MM = 82.0
_ROOM = 1.15  # height of an axis by its largest value
_BLUE, _PALE = "#0072B2", "0.8"
# Okabe and Ito's colours; dashes and markers differ too
_REGION_LINES = (
    Line("#000000", "-", "", filled=True),
    Line("#0072B2", "-", "o", filled=True),
    Line("#D55E00", "--", "s", filled=False),
    Line("#009E73", "-.", "^", filled=True),
    Line("#CC79A7", ":", "v", filled=False),
    Line("#E69F00", "-", "D", filled=False),
    Line("#56B4E9", "--", "<", filled=True),
    Line("#7F7F7F", "-.", ">", filled=False),
)


def plot_run_quality(quality: xr.Dataset, *, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw what is known of each run: trials and blanks, temporal SNR, motion of the head; thin lines part sessions.

    Parameters
    ----------
    quality : Dataset
        From `tempgen.data.quality.store_quality`.
    axes : sequence of Axes, optional
        Where to draw, one for each panel there is something for (1 to 3); by default a new figure of one column's width in
        tempgen's style.

    Returns
    -------
    list of Axes
        Panels without data are left out.

    Raises
    ------
    ResultsError
        If the dataset is of another kind, or the axes are too few.
    """
    if "n_trials" not in quality:
        raise ResultsError("The dataset lacks n_trials: make it with store_quality.")
    panels: dict[str, Any] = {
        "n_trials": _draw_trials,
        "tsnr_of_run": _draw_tsnr,
        "displacement_mm": _draw_motion,
    }
    there = [draw for name, draw in panels.items() if name in quality]
    if axes is None:
        from matplotlib import pyplot as plt

        height_mm = _FRAME_MM + _PANEL_MM * len(there)
        with figure_style():
            _, grid = plt.subplots(
                len(there),
                1,
                sharex=True,
                squeeze=False,
                figsize=(COLUMN_MM / MM_PER_INCH, height_mm / MM_PER_INCH),
            )
            return _draw_runs(list(grid[:, 0]), quality, there)
    if len(axes) < len(there):
        raise ResultsError(f"There are {len(there)} panels to draw and {len(axes)} axes: give as many.")
    return _draw_runs(list(axes[: len(there)]), quality, there)


def _draw_runs(axes: list[Axes], quality: xr.Dataset, panels: Sequence[Any]) -> list[Axes]:
    from matplotlib.ticker import MaxNLocator

    run = np.arange(1, quality.sizes["run"] + 1)
    for draw, ax in zip(panels, axes, strict=True):
        draw(ax, quality, run)
        ax.spines["top"].set_visible(False)
        _part_sessions(ax, quality)
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.2)
    axes[0].set_xlim(0.3, len(run) + 0.7)
    several = len(np.unique(quality["session"].to_numpy())) > 1
    axes[-1].set_xlabel("run (lines part sessions)" if several else "run")
    axes[-1].xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    stamp_data_kind(axes[0], quality.attrs)
    return axes


def plot_evoked(quality: xr.Dataset, *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw the mean response of each region to an image, with its standard error.

    Parameters
    ----------
    quality : Dataset
        From `tempgen.data.quality.store_quality`.
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
        If the response could not be told.
    """
    if "evoked" not in quality:
        raise ResultsError(
            "There is no evoked response to draw; the attribute 'missing' of the quality says why."
        )
    own_figure = ax is None
    time_s = quality["time_s"].to_numpy()
    with own_axes(ax, height_mm=_EVOKED_MM) as ax:
        ax.axhline(0, color="0.6", linewidth=0.6, zorder=1)
        for k, region in enumerate(quality["region"].to_numpy()):
            line, of = _REGION_LINES[k % len(_REGION_LINES)], quality.sel(region=region)
            mean, error = of["evoked"].to_numpy(), of["evoked_se"].to_numpy()
            settings = line.settings() | {"markevery": (k % 4, 4), "linewidth": 1.6 if k == 0 else 1.0}
            ax.plot(
                time_s,
                mean,
                label=f"{region} ({int(of['n_voxels'])} voxels)"
                if k == 0
                else f"{region} ({int(of['n_voxels'])})",
                zorder=3,
                **settings,
            )
            ax.fill_between(time_s, mean - error, mean + error, color=line.colour, alpha=0.15, linewidth=0)
        ax.fill_between(
            [], [], color="0.8", linewidth=0, label="\N{PLUS-MINUS SIGN} SE (jackknife over runs)"
        )
        ax.set_xlim(time_limits(quality.attrs, first_s=float(time_s[0]), last_s=float(time_s[-1])))
        draw_stimuli(ax, quality.attrs)
        ax.spines["top"].set_visible(False)
        ax.set_xlabel("time from image onset (s)")
        ax.set_ylabel("evoked response\n(SDs of the run, from its mean)")
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, quality.attrs)
    return ax


def _draw_trials(ax: Axes, quality: xr.Dataset, run: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    n_trials = quality["n_trials"].to_numpy()
    ax.bar(run, n_trials, width=0.8, color=_BLUE, label="trials")
    if bool(quality["n_blanks"].any()):
        ax.bar(run, quality["n_blanks"], bottom=n_trials, width=0.8, color=_PALE, label="blanks")
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.set_ylabel("count")


def _draw_tsnr(ax: Axes, quality: xr.Dataset, run: Any) -> None:
    ax.plot(run, quality["tsnr_of_run"], "o-", color=_BLUE, linewidth=0.8, label="median\nof voxels")
    ax.set_ylim(0, _ROOM * float(quality["tsnr_of_run"].max()))
    ax.set_ylabel("temporal SNR")


def _draw_motion(ax: Axes, quality: xr.Dataset, run: Any) -> None:
    ax.plot(
        run, quality["displacement_median_mm"], "o-", color=_BLUE, linewidth=0.8, label="median\nof volumes"
    )
    ax.plot(
        run, quality["displacement_p95_mm"], "^--", color="#D55E00", linewidth=0.8, label="95th per-\ncentile"
    )
    ax.set_ylim(0, _ROOM * float(quality["displacement_p95_mm"].max()))
    ax.set_ylabel("frame-wise\ndisplacement (mm)")


def _part_sessions(ax: Axes, quality: xr.Dataset) -> None:
    session = quality["session"].to_numpy()
    for run in np.flatnonzero(np.diff(session)) + 1:
        ax.axvline(run + 0.5, color="0.6", linewidth=0.5, zorder=0)
