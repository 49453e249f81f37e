"""Score by lag: General beside Specialized, and one decoder scored against neighbouring images."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.stimuli import draw_stimuli, time_limits
from tempgen.plots.style import (
    DECODER_LINES,
    TARGET_LINES,
    Line,
    draw_legend_below,
    is_narrow,
    own_axes,
    round_shifts,
    stamp_data_kind,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["plot_lag_curves", "plot_targets"]

X_LABEL = "time from image onset to the window's end (s)"
SHIFT_LABEL = "shift of the window, delta (TRs)"
_HEIGHT_MM = 78.0
_NARROW_LETTERS = 24  # to a line beside a narrow panel
_SUBJECT_WIDTH = 0.5  # points, of the trace of one subject among several
_OTHER_LINES = (
    Line("#E69F00", ":", "^", filled=True),
    Line("#56B4E9", "-.", "D", filled=True),
    Line("#000000", "-", "v", filled=False),
)
_NEEDED_ATTRS = ("tr_s", "start_tr", "n_tr", "interval", "long_name")


def plot_lag_curves(curves: Mapping[str, xr.Dataset], *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw a score by lag, one curve a decoder.

    The x axis is the time from image onset to the end of the decoder's window, the upper one the window's shift. The
    strip at the bottom shows when the image was on the screen, and the images before and after it. Where a curve is a mean
    over subjects (`subject_curve`), thin lines are the subjects.

    Parameters
    ----------
    curves : mapping of str to Dataset
        Legend label to a curve of `lag_curve`: ``{"General": ..., "Specialized": ...}``.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    legend : bool
        Whether to draw one; `plot_row` draws one for all its panels.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If there is no curve, a curve lacks a variable or attribute, or the curves are of different metrics.
    """
    kinds = [str(curve.attrs.get("decoder", "")) for curve in curves.values()]
    return _plot_curves(curves, kinds, DECODER_LINES, ax=ax, legend=legend)


def plot_targets(curves: Mapping[str, xr.Dataset], *, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw how well one decoder's reconstructions match the previous, the current and the next image, by lag.

    Parameters
    ----------
    curves : mapping of str to Dataset
        Legend label to a curve of `lag_curve`, each with another ``target``.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    legend : bool
        Whether to draw one; `plot_row` draws one for all its panels.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If there is no curve, a curve lacks a variable or attribute, or the curves are of different metrics.
    """
    kinds = [str(curve.attrs.get("target", "")) for curve in curves.values()]
    return _plot_curves(curves, kinds, TARGET_LINES, ax=ax, legend=legend)


def _plot_curves(
    curves: Mapping[str, xr.Dataset],
    kinds: list[str],
    lines: Mapping[str, Line],
    *,
    ax: Axes | None,
    legend: bool,
) -> Axes:
    from matplotlib.ticker import MaxNLocator

    _check(curves)
    own_figure = ax is None
    with own_axes(ax, height_mm=_HEIGHT_MM) as ax:
        spare = iter(_OTHER_LINES * len(curves))
        chosen = [lines.get(kind) or next(spare) for kind in kinds]
        for (label, curve), line in zip(curves.items(), chosen, strict=True):
            _draw_band(ax, curve, line.colour)
            _draw_subjects(ax, curve, line)
            settings = line.settings() | {"markevery": _marked(curve, narrow=is_narrow(ax))}
            ax.plot(curve.lag_s, curve["mean"], label=label, clip_on=False, zorder=3, **settings)
        _draw_chance(ax, curves, [line.colour for line in chosen])
        for interval in dict.fromkeys(str(curve.attrs["interval"]) for curve in curves.values()):
            ax.fill_between([], [], color="0.8", linewidth=0, label=interval)  # for the legend
        if any("subject_mean" in curve for curve in curves.values()):
            ax.plot([], [], color="0.5", linewidth=_SUBJECT_WIDTH, label="single subjects")
        first = next(iter(curves.values()))
        lags_s = np.concatenate([curve.lag_s.to_numpy() for curve in curves.values()])
        ax.set_xlim(time_limits(first.attrs, first_s=float(lags_s.min()), last_s=float(lags_s.max())))
        draw_stimuli(ax, first.attrs)
        _draw_shift_axis(ax, first)
        ax.set_xlabel(X_LABEL.replace(" onset ", " onset\n") if is_narrow(ax) else X_LABEL)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        name = str(first.attrs["long_name"])
        ax.set_ylabel(fill(name, _NARROW_LETTERS) if is_narrow(ax) else name)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, first.attrs)
    return ax


def _marked(curve: xr.Dataset, *, narrow: bool) -> list[int]:
    """Points that bear a marker: where they crowd every other one, so that dashes are seen between them."""
    scored = np.flatnonzero(curve["mean"].notnull().to_numpy())
    every = 2 if narrow and len(scored) > 8 else 1
    zero = np.flatnonzero(curve.test_delta.to_numpy()[scored] == 0)
    first = int(zero[0]) % every if zero.size else 0
    return [int(k) for k in scored[first::every]]


def _check(curves: Mapping[str, xr.Dataset]) -> None:
    if not curves:
        raise ResultsError("There is no curve to draw; give at least one, as lag_curve makes them.")
    for label, curve in curves.items():
        lacking = [name for name in ("mean", "low", "high", "chance", "lag_s") if name not in curve.variables]
        lacking += [name for name in _NEEDED_ATTRS if name not in curve.attrs]
        if lacking:
            raise ResultsError(f"Curve {label!r} lacks {', '.join(lacking)}; make it with lag_curve.")
    metrics = {curve.attrs["long_name"] for curve in curves.values()}
    if len(metrics) > 1:
        raise ResultsError(f"One axis cannot show {' and '.join(sorted(metrics))}; draw one figure a metric.")


def _draw_band(ax: Axes, curve: xr.Dataset, colour: str) -> None:
    """Interval of each lag; one without neighbours has no area and gets a bar."""
    ax.fill_between(curve.lag_s, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
    there = np.concatenate([[False], curve["mean"].notnull().to_numpy(), [False]])
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    ax.vlines(curve.lag_s[alone], curve.low[alone], curve.high[alone], color=colour, alpha=0.35, linewidth=4)


def _draw_subjects(ax: Axes, curve: xr.Dataset, line: Line) -> None:
    """A thin trace of each subject, where the curve is a mean over several."""
    if "subject_mean" not in curve:
        return
    for subject in curve["subject_mean"].transpose("subject", "test_delta"):
        ax.plot(
            curve.lag_s,
            subject,
            color=line.colour,
            linestyle=line.dashes,
            linewidth=_SUBJECT_WIDTH,
            alpha=0.55,
            zorder=2.5,
        )


def _draw_chance(ax: Axes, curves: Mapping[str, xr.Dataset], colours: list[str]) -> None:
    """One line where all curves share chance, else one for each, in its colour; one legend entry."""
    label = next(iter(curves.values())).attrs.get("chance_label", "chance")
    settings: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1.5)), "zorder": 2}
    levels = np.concatenate([curve.chance.to_numpy() for curve in curves.values()])
    levels = levels[~np.isnan(levels)]
    if levels.size == 0:
        return
    if np.ptp(levels) < 1e-3 * max(1e-3, np.ptp(ax.get_ylim())):  # thinner than the line
        ax.axhline(levels.mean(), color="0.25", label=label, **settings)
        return
    first, *others = curves.values()
    same = [
        np.array_equal(curve.lag_s, first.lag_s)
        and np.array_equal(curve.chance, first.chance, equal_nan=True)
        for curve in others
    ]
    if all(same):  # as for the targets of one decoder
        ax.plot(first.lag_s, first.chance, color="0.25", label=label, **settings)
        return
    for curve, colour in zip(curves.values(), colours, strict=True):
        ax.plot(curve.lag_s, curve.chance, color=colour, **settings)
    ax.plot([], [], color="0.25", label=label, **settings)


def _draw_shift_axis(ax: Axes, curve: xr.Dataset) -> None:
    """Upper axis: the window's shift in TRs, the key under which the scores are stored."""
    tr_s, end_tr = float(curve.attrs["tr_s"]), int(curve.attrs["start_tr"]) + int(curve.attrs["n_tr"])

    def to_delta(lag_s: ArrayLike) -> ArrayLike:
        return np.asarray(lag_s) / tr_s - end_tr

    def to_lag_s(delta: ArrayLike) -> ArrayLike:
        return (np.asarray(delta) + end_tr) * tr_s

    shift = ax.secondary_xaxis("top", functions=(to_delta, to_lag_s))
    deltas = curve.test_delta.to_numpy()
    shift.set_xticks(deltas[round_shifts(deltas, n_ticks=6)])
    shift.set_xlabel(SHIFT_LABEL)
