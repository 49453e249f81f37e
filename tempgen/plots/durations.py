"""How long a window must be: score by window duration, and by lag for each duration."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.palettes import SEQUENTIAL
from tempgen.plots.stimuli import draw_stimuli, time_limits
from tempgen.plots.style import DECODER_LINES, draw_legend_below, is_narrow, own_axes, stamp_data_kind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_duration_curves", "plot_durations"]

_HEIGHT_MM = 78.0
_NARROW_LETTERS = 24
_X_LABEL = "time from image onset to the window's end (s)"
_DARKEST, _LIGHTEST = 0.0, 0.85  # of the map: the longest window is the lightest, and still seen on white
_MARKERS = "osD^vP"


def plot_durations(scores: xr.Dataset, *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw the score of General decoders at their own lag against the duration of their windows.

    Parameters
    ----------
    scores : Dataset
        One metric, ``.sel(metric=...)``, of `tempgen.generalization.variants.variant_scores`: a variant for each duration.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    legend : bool
        Whether to draw one; `plot_row` draws one for all its panels.

    Raises
    ------
    ResultsError
        If the variants do not differ in the duration of their windows.
    """
    chosen = scores.sortby("duration_s")
    durations_s = chosen["duration_s"].to_numpy()
    if len(np.unique(durations_s)) < len(durations_s) or len(durations_s) < 2:
        raise ResultsError(
            f"Windows of {np.round(durations_s, 2).tolist()} s came: give a study of at least 2 different durations."
        )
    own_figure = ax is None
    with own_axes(ax, height_mm=_HEIGHT_MM) as ax:
        line = DECODER_LINES["general"]
        if chosen.sizes["subject"] > 1:
            for subject in chosen["subject_mean"].transpose("subject", "variant"):
                ax.plot(durations_s, subject, color=line.colour, linewidth=0.5, alpha=0.55, zorder=2)
        ax.plot(durations_s, chosen["mean"], label="General at its own lag", clip_on=False, **line.settings())
        reach = np.abs(np.stack([chosen["mean"] - chosen["low"], chosen["high"] - chosen["mean"]]))
        ax.errorbar(
            durations_s,
            chosen["mean"],
            yerr=reach,
            fmt="none",
            ecolor=line.colour,
            capsize=2,
            label=str(scores.attrs["interval"]),
        )
        if chosen.sizes["subject"] > 1:
            ax.plot([], [], color="0.5", linewidth=0.5, label="single subjects")
        _draw_chance(ax, durations_s, chosen)
        ax.set_xlim(0, durations_s.max() * 1.06)
        ax.set_xlabel("duration of the window (s)")
        n_tr = ax.secondary_xaxis("top", functions=_as_trs(float(scores.attrs["tr_s"])))
        n_tr.set_xticks(chosen["n_tr"].to_numpy())
        n_tr.set_xlabel("duration of the window (TRs)")
        name = str(chosen["long_name"].item())
        ax.set_ylabel(fill(name, _NARROW_LETTERS) if is_narrow(ax) else name)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, scores.attrs)
    return ax


def plot_duration_curves(
    curves: Mapping[str, xr.Dataset], *, ax: Axes | None = None, legend: bool = True
) -> Axes:
    """Draw the General decoder's score by lag, one curve for each duration of the window.

    Curves stand at the end of their windows, so that a short and a long window at one place have seen the same last volume.

    Parameters
    ----------
    curves : mapping of str to Dataset
        Legend label to a curve of `lag_curve` or `subject_curve`, of one metric, in the order of the legend.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    legend : bool
        Whether to draw one; `plot_row` draws one for all its panels.

    Raises
    ------
    ResultsError
        If there is no curve, or the curves are of different metrics.
    """
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    if len({curve.attrs["long_name"] for curve in curves.values()}) != 1:
        raise ResultsError("Curves of one metric are needed, at least one; draw one figure a metric.")
    own_figure = ax is None
    by_duration = sorted(curves, key=lambda label: int(curves[label].attrs["n_tr"]))
    places = np.linspace(_DARKEST, _LIGHTEST, len(curves))
    colours = dict(zip(by_duration, colormaps[SEQUENTIAL](places), strict=True))
    with own_axes(ax, height_mm=_HEIGHT_MM) as ax:
        for k, (label, curve) in enumerate(curves.items()):
            look: dict[str, Any] = {
                "color": colours[label],
                "marker": _MARKERS[k % len(_MARKERS)],
                "markersize": 2.5,
            }
            if curve.sizes["test_delta"] > 1:
                ax.fill_between(
                    curve.lag_s, curve.low, curve.high, color=colours[label], alpha=0.15, linewidth=0
                )
            else:  # a point has no area
                ax.vlines(curve.lag_s, curve.low, curve.high, color=colours[label], alpha=0.35, linewidth=4)
            ax.plot(curve.lag_s, curve["mean"], label=label, clip_on=False, linewidth=1.0, **look)
        for interval in dict.fromkeys(str(curve.attrs["interval"]) for curve in curves.values()):
            ax.fill_between([], [], color="0.8", linewidth=0, label=interval)
        _draw_curves_chance(ax, curves, colours)
        first = next(iter(curves.values()))
        lags_s = np.concatenate([curve.lag_s.to_numpy() for curve in curves.values()])
        ax.set_xlim(time_limits(first.attrs, first_s=float(lags_s.min()), last_s=float(lags_s.max())))
        draw_stimuli(ax, first.attrs)
        ax.spines["top"].set_visible(False)
        ax.set_xlabel(_X_LABEL.replace(" onset ", " onset\n") if is_narrow(ax) else _X_LABEL)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        name = str(first.attrs["long_name"])
        ax.set_ylabel(fill(name, _NARROW_LETTERS) if is_narrow(ax) else name)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, first.attrs)
    return ax


def _as_trs(tr_s: float) -> Any:
    return (lambda seconds: np.asarray(seconds) / tr_s, lambda n_tr: np.asarray(n_tr) * tr_s)


def _draw_chance(ax: Axes, durations_s: Any, chosen: xr.Dataset) -> None:
    """Chance of each duration, as it was measured; one line across where it is fixed."""
    fixed = bool(np.isfinite(chosen["fixed_chance"]))
    settings: dict[str, Any] = {"color": "0.25", "linewidth": 0.9, "linestyle": (0, (1, 1.5))}
    if fixed:
        ax.axhline(float(chosen["fixed_chance"]), label="chance", **settings)
    else:
        ax.plot(durations_s, chosen["chance"], label="chance (images of other trials)", **settings)


def _draw_curves_chance(ax: Axes, curves: Mapping[str, xr.Dataset], colours: Mapping[str, Any]) -> None:
    """One line where chance is the same for all, else one for each in its colour; one legend entry."""
    settings: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1.5)), "zorder": 1.5}
    first = next(iter(curves.values()))
    levels = np.concatenate([curve.chance.to_numpy() for curve in curves.values()])
    label = str(first.attrs.get("chance_label", "chance"))
    if np.ptp(levels[np.isfinite(levels)]) == 0:
        ax.axhline(levels[np.isfinite(levels)][0], color="0.25", label=label, **settings)
        return
    for name, curve in curves.items():
        ax.plot(curve.lag_s, curve.chance, color=colours[name], **settings)
    ax.plot([], [], color="0.25", label=label, **settings)
