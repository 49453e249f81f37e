"""How figures look: one matplotlib style file (``tempgen.mplstyle``) and what the plots share; colours are `tempgen.plots.palettes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.plots.palettes import DECODER_LINES, TARGET_LINES, Line

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLUMN_MM",
    "DECODER_LINES",
    "PAGE_MM",
    "TARGET_LINES",
    "Line",
    "data_kind_words",
    "draw_legend_below",
    "figure_style",
    "fit_height",
    "is_narrow",
    "own_axes",
    "round_shifts",
    "stamp_data_kind",
    "whole_seconds",
]

COLUMN_MM = 85.0
"""Width of one column of a journal page (millimetres). Source: guides of Cell and PNAS."""
PAGE_MM = 180.0
"""Width of a page. Source: Nature's guide to figures."""
MM_PER_INCH = 25.4
_NARROW_MM = 55.0  # of a figure that fills a column the axes take about 66 mm

STAMP_SETTINGS: Mapping[str, Any] = MappingProxyType({"fontsize": 6.5, "color": "0.35"})

_STYLE_FILE = Path(__file__).with_name("tempgen.mplstyle")


@contextmanager
def figure_style() -> Iterator[None]:
    """Settings of tempgen's figures (``tempgen.mplstyle``), for everything drawn inside.

    Examples
    --------
    >>> from matplotlib import rcParams
    >>> with figure_style():
    ...     rcParams["font.size"]
    7.0
    """
    from matplotlib import style

    with style.context(_STYLE_FILE):
        yield


@contextmanager
def own_axes(ax: Axes | None, *, height_mm: float) -> Iterator[Axes]:
    """Give the caller's axes as they are, or new ones of one column's width in tempgen's style."""
    if ax is not None:
        yield ax
        return
    from matplotlib import pyplot as plt

    with figure_style():
        yield plt.subplots(figsize=(COLUMN_MM / MM_PER_INCH, height_mm / MM_PER_INCH))[1]


def stamp_data_kind(ax: Axes, attrs: Mapping[str, Any]) -> None:
    """Write at the top right whether the data are simulated or real; nothing if the result does not say.

    Parameters
    ----------
    ax : Axes
    attrs : mapping
        Of the object drawn: ``data_kind``, and ``subject`` if there is one.
    """
    if "data_kind" in attrs:
        ax.set_title(data_kind_words(attrs), loc="right", pad=3, **STAMP_SETTINGS)


def data_kind_words(attrs: Mapping[str, Any]) -> str:
    """What `stamp_data_kind` writes: ``"simulated data, subject 1"``; empty if the attributes do not say."""
    if "data_kind" not in attrs:
        return ""
    stamp = f"{attrs['data_kind']} data"
    if "subject" not in attrs:
        return stamp
    subject = str(attrs["subject"])
    return f"{stamp}, {subject if subject.startswith('sub') else f'subject {subject}'}"


def is_narrow(ax: Axes) -> bool:
    """Whether axes are narrower than those of a figure that fills a column, so that words must be left out."""
    figure = ax.get_figure(root=True)
    width_mm = (
        ax.get_position().width * figure.get_figwidth() * MM_PER_INCH if figure is not None else COLUMN_MM
    )
    return width_mm < _NARROW_MM


def draw_legend_below(
    ax: Axes, handles: Sequence[Artist], labels: Sequence[str], *, own_figure: bool
) -> None:
    """Draw a legend under the axes, where it can hide nothing.

    Parameters
    ----------
    ax : Axes
    handles : sequence of Artist
    labels : sequence of str
    own_figure : bool
        Whether the legend belongs to the whole figure: it then takes as few rows as fit into its width, else as fit into
        that of the axes, under them.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    if figure is None or not handles:
        return
    below = ScaledTranslation(0, -36 / 72, figure.dpi_scale_trans)  # points, below ticks and label
    widest = figure.bbox.width if own_figure else ax.get_window_extent().width  # with the legend's own margin
    for n_rows in range(1, len(handles) + 1):
        n_columns = -(-len(handles) // n_rows)
        if own_figure:
            legend = figure.legend(handles, labels, ncols=n_columns, loc="outside lower center")
        else:
            legend = ax.legend(
                handles,
                labels,
                ncols=n_columns,
                loc="upper center",
                bbox_to_anchor=(0.5, 0),
                bbox_transform=ax.transAxes + below,
            )
        if legend.get_window_extent().width <= widest or n_rows == len(handles):
            return
        legend.remove()


def fit_height(figure: Figure, axes: Sequence[Axes], *, n_rows: int = 1, ratio: float = 1.0) -> None:
    """Make a figure as high as its axes need at its width, whatever words and legends surround them.

    Parameters
    ----------
    figure : Figure
        With constrained layout.
    axes : sequence of Axes
        Panels of one grid.
    n_rows : int
        Of that grid.
    ratio : float
        Height by width of axes whose aspect is free; that of the others follows from their limits.
    """
    wanted = []
    aspects = [ax.get_aspect() for ax in axes]
    for ax, aspect in zip(axes, aspects, strict=True):
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        wanted.append(ratio if isinstance(aspect, str) else aspect * abs((top - bottom) / (right - left)))
        ax.set_aspect("auto")  # to fill the place that the layout gives it, which is what is measured
    for _ in range(10):  # words do not scale, so that a few rounds are needed
        figure.draw_without_rendering()
        sizes = [ax.get_window_extent() for ax in axes]
        # halved at most, so that the layout never finds less room than the words of the last round took
        lacking = max(
            max(share * size.width - size.height, -0.5 * size.height)
            for share, size in zip(wanted, sizes, strict=True)
        )
        if abs(lacking) < 0.005 * figure.dpi:
            break
        figure.set_figheight(figure.get_figheight() + n_rows * lacking / figure.dpi)
    for ax, aspect in zip(axes, aspects, strict=True):
        ax.set_aspect(aspect)


def whole_seconds(lags_s: NDArray[np.float64], *, n_ticks: int) -> list[int]:
    """Positions of lags to label: those of whole seconds, thinned evenly, where there are enough of them.

    Parameters
    ----------
    lags_s : array of float, shape (n_lags,)
        Seconds, ascending.
    n_ticks : int
        How many to label at most.

    Returns
    -------
    list of int
        Positions in ``lags_s``; evenly spaced ones of any length if fewer than three are whole.

    Examples
    --------
    >>> whole_seconds(np.arange(6, 22) * 4 / 3, n_ticks=6)
    [0, 3, 6, 9, 12, 15]
    """
    whole = np.flatnonzero(np.abs(lags_s - np.round(lags_s)) < 1e-3)
    positions = whole if len(whole) >= 3 else np.arange(len(lags_s))
    return [int(k) for k in positions[:: -(-len(positions) // n_ticks)]]


def round_shifts(deltas: NDArray[np.int64], *, n_ticks: int) -> list[int]:
    """Positions of shifts to label: evenly spaced, delta 0 among them if it is there.

    Parameters
    ----------
    deltas : array of int, shape (n_deltas,)
        Shifts in TRs, ascending.
    n_ticks : int
        How many to label, about.

    Returns
    -------
    list of int
        Positions in ``deltas``.

    Examples
    --------
    >>> round_shifts(np.arange(-2, 14), n_ticks=6)
    [2, 5, 8, 11, 14]
    """
    every = max(1, round(len(deltas) / n_ticks))
    zero = np.flatnonzero(deltas == 0)
    first = int(zero[0]) % every if zero.size else 0
    return list(range(first, len(deltas), every))
