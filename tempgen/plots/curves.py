"""Score by lag: General beside Specialized, and one decoder scored against neighbouring images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.style import (
    COLUMN_MM,
    DECODER_LINES,
    MM_PER_INCH,
    TARGET_LINES,
    Line,
    figure_style,
    stamp_data_kind,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_lag_curves", "plot_targets"]

X_LABEL = "time from image onset to the window's end (s)"
_HEIGHT_MM = 78.0
_STRIP = 0.11  # share of the axes' height, at the bottom, kept for the stimuli
_BAR_HEIGHT = 0.03
_OTHER_LINES = (
    Line("#E69F00", ":", "^", filled=True),
    Line("#56B4E9", "-.", "D", filled=True),
    Line("#000000", "-", "v", filled=False),
)
_NEEDED_ATTRS = ("tr_s", "start_tr", "n_tr", "interval", "long_name")


def plot_lag_curves(curves: Mapping[str, xr.Dataset], *, ax: Axes | None = None) -> Axes:
    """Draw a score by lag, one curve a decoder.

    The x axis is the time from image onset to the end of the decoder's window, the upper one the window's shift. The
    strip at the bottom shows when the image was on the screen, and the images before and after it.

    Parameters
    ----------
    curves : mapping of str to Dataset
        Legend label to a curve of `lag_curve`: ``{"General": ..., "Specialized": ...}``.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If there is no curve, a curve lacks a variable or attribute, or the curves are of different metrics.
    """
    return _plot_curves(
        curves, [curve.attrs.get("decoder", "") for curve in curves.values()], DECODER_LINES, ax
    )


def plot_targets(curves: Mapping[str, xr.Dataset], *, ax: Axes | None = None) -> Axes:
    """Draw how well one decoder's reconstructions match the previous, the current and the next image, by lag.

    Parameters
    ----------
    curves : mapping of str to Dataset
        Legend label to a curve of `lag_curve`, each with another ``target``.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If there is no curve, a curve lacks a variable or attribute, or the curves are of different metrics.
    """
    return _plot_curves(
        curves, [curve.attrs.get("target", "") for curve in curves.values()], TARGET_LINES, ax
    )


def _plot_curves(
    curves: Mapping[str, xr.Dataset], kinds: list[str], lines: Mapping[str, Line], ax: Axes | None
) -> Axes:
    from matplotlib import pyplot as plt

    _check(curves)
    with figure_style() if ax is None else nullcontext():
        if ax is None:
            _, ax = plt.subplots(figsize=(COLUMN_MM / MM_PER_INCH, _HEIGHT_MM / MM_PER_INCH))
        spare = iter(_OTHER_LINES * len(curves))
        for (label, curve), kind in zip(curves.items(), kinds, strict=True):
            line = lines.get(kind) or next(spare)
            ax.fill_between(curve.lag_s, curve.low, curve.high, color=line.colour, alpha=0.2, linewidth=0)
            ax.plot(curve.lag_s, curve["mean"], label=label, clip_on=False, zorder=3, **line.settings())
        first = next(iter(curves.values()))
        _draw_chance(ax, curves)
        _draw_stimuli(ax, first.attrs, last_s=max(float(curve.lag_s.max()) for curve in curves.values()))
        _draw_shift_axis(ax, first)
        ax.set_xlabel(X_LABEL)
        ax.set_ylabel(first.attrs["long_name"])
        _draw_legend(ax, curves)
        stamp_data_kind(ax, first.attrs)
    return ax


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


def _draw_chance(ax: Axes, curves: Mapping[str, xr.Dataset]) -> None:
    """One line if all curves have one level, else a line for each; a single legend entry."""
    drawn: list[Any] = []
    for curve in curves.values():
        if bool(curve.chance.isnull().all()) or any(
            np.allclose(curve.chance, c, equal_nan=True) for c in drawn if c.shape == curve.chance.shape
        ):
            continue
        ax.plot(
            curve.lag_s,
            curve.chance,
            color="0.25",
            linewidth=0.9,
            linestyle=(0, (1, 1.5)),
            zorder=2,
            label="_nolegend_" if drawn else curve.attrs.get("chance_label", "chance"),
        )
        drawn.append(curve.chance)


def _draw_stimuli(ax: Axes, attrs: Mapping[str, Any], *, last_s: float) -> None:
    """Bars of the image that is decoded and of its neighbours, at the times when they are on the screen."""
    soa_s, duration_s = float(attrs.get("soa_s", np.nan)), float(attrs.get("stimulus_duration_s", np.nan))
    before_s = soa_s if np.isfinite(soa_s) else 0.0
    ax.set_xlim(-before_s - 0.02 * last_s, last_s * 1.03)
    low, high = ax.get_ylim()
    ax.set_ylim(low - _STRIP / (1 - _STRIP) * (high - low), high)
    across = ax.get_xaxis_transform()  # x in seconds, y as a share of the axes
    if not np.isfinite(duration_s):
        return
    n_after = int(np.floor(last_s / soa_s)) if np.isfinite(soa_s) else 0
    for position in range(-1 if before_s else 0, n_after + 1):
        onset_s = position * soa_s if position else 0.0
        ax.plot(
            [onset_s, onset_s],
            [0, _BAR_HEIGHT + 0.012],
            transform=across,
            color="0.2",
            linewidth=0.6,
            zorder=1,
        )
        ax.fill_between(
            [onset_s, min(onset_s + duration_s, last_s * 1.03)],
            0.008,
            _BAR_HEIGHT,
            transform=across,
            facecolor="0.15" if position == 0 else "0.85",
            edgecolor="0.15" if position == 0 else "0.55",
            linewidth=0.4,
            zorder=1,
        )
    for onset_s, word in ((-soa_s, "previous"), (0.0, "image"), (soa_s, "next")):
        if np.isfinite(onset_s):
            ax.annotate(
                word,
                xy=(onset_s + duration_s / 2, _BAR_HEIGHT),
                xycoords=across,
                xytext=(0, 1.5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=6.0,
                color="0.15" if onset_s == 0 else "0.4",
            )


def _draw_shift_axis(ax: Axes, curve: xr.Dataset) -> None:
    """Upper axis: the window's shift in TRs, the key under which the scores are stored."""
    tr_s, end_tr = float(curve.attrs["tr_s"]), int(curve.attrs["start_tr"]) + int(curve.attrs["n_tr"])
    shift = ax.secondary_xaxis(
        "top", functions=(lambda s: s / tr_s - end_tr, lambda delta: (delta + end_tr) * tr_s)
    )
    deltas = curve.test_delta.to_numpy()
    every = max(1, round(len(deltas) / 6))
    shift.set_xticks([int(delta) for delta in deltas if delta % every == 0])
    shift.set_xlabel("shift of the window, delta (TRs)")


def _draw_legend(ax: Axes, curves: Mapping[str, xr.Dataset]) -> None:
    """Below the axes, where it can hide nothing; the band is named there."""
    from matplotlib.patches import Patch
    from matplotlib.transforms import ScaledTranslation

    handles, labels = ax.get_legend_handles_labels()
    for interval in dict.fromkeys(str(curve.attrs["interval"]) for curve in curves.values()):
        handles.append(Patch(facecolor="0.8", edgecolor="none"))
        labels.append(interval)
    below = ScaledTranslation(0, -27 / 72, ax.figure.dpi_scale_trans)  # points, below the ticks and the label
    ax.legend(
        handles,
        labels,
        ncols=2,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
    )
