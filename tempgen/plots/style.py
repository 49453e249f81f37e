"""How figures look: one set of matplotlib settings, and colours that survive colour blindness and grey print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLUMN_MM",
    "DECODER_LINES",
    "TARGET_LINES",
    "Line",
    "draw_legend_below",
    "figure_style",
    "fit_height",
    "is_narrow",
    "round_shifts",
    "stamp_data_kind",
    "whole_seconds",
]

COLUMN_MM = 85.0
"""Width of one column of a journal page (millimetres). Source: guides of Cell and PNAS."""
MM_PER_INCH = 25.4
_NARROW_MM = 55.0  # of a figure that fills a column the axes take about 66 mm

STAMP_SETTINGS: Mapping[str, Any] = MappingProxyType({"fontsize": 6.5, "color": "0.35"})

_SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 7.0,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.right": False,
    "axes.labelpad": 3.0,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 2.1,
    "legend.handletextpad": 0.6,
    "legend.columnspacing": 0.9,
    "legend.labelspacing": 0.35,
    "hatch.linewidth": 0.4,
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Line:
    """How one curve is drawn: colour, dashes and marker all differ, so that any one of them may be lost.

    Attributes
    ----------
    colour : str
        Of Okabe and Ito's palette.
    dashes : str
        Matplotlib line style.
    marker : str
        Matplotlib marker.
    filled : bool
        Whether the marker is filled.
    """

    colour: str
    dashes: str
    marker: str
    filled: bool

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``Axes.plot``."""
        return {
            "color": self.colour,
            "linestyle": self.dashes,
            "marker": self.marker,
            "markerfacecolor": self.colour if self.filled else "white",
            "markeredgewidth": 0.8,
        }


# Colours: Okabe and Ito 2008, "Color Universal Design", https://jfly.uni-koeln.de/color/
DECODER_LINES: Mapping[str, Line] = MappingProxyType(
    {
        "general": Line("#0072B2", "-", "o", filled=True),
        "specialized": Line("#D55E00", "--", "s", filled=False),
    }
)
TARGET_LINES: Mapping[str, Line] = MappingProxyType(
    {
        "previous": Line("#009E73", "--", "<", filled=False),
        "current": Line("#0072B2", "-", "o", filled=True),
        "next": Line("#CC79A7", "-.", ">", filled=False),
    }
)


@contextmanager
def figure_style() -> Iterator[None]:
    """Settings of tempgen's figures, for everything drawn inside.

    Examples
    --------
    >>> with figure_style():
    ...     mpl.rcParams["font.size"]
    7.0
    """
    with mpl.rc_context(_SETTINGS):
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
    if "data_kind" not in attrs:
        return
    stamp = f"{attrs['data_kind']} data"
    if "subject" in attrs:
        subject = str(attrs["subject"])
        stamp = f"{stamp}, {subject if subject.startswith('sub') else f'subject {subject}'}"
    ax.set_title(stamp, loc="right", pad=3, **STAMP_SETTINGS)


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
        Whether the legend belongs to the whole figure: it then takes as few rows as fit into its width, else one
        column under the axes.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    if figure is None or not handles:
        return
    if not own_figure:
        below = ScaledTranslation(0, -36 / 72, figure.dpi_scale_trans)  # points, below ticks and label
        ax.legend(
            handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=ax.transAxes + below
        )
        return
    for n_rows in range(1, len(handles) + 1):
        legend = figure.legend(handles, labels, ncols=-(-len(handles) // n_rows), loc="outside lower center")
        if legend.get_window_extent().width <= 0.99 * figure.bbox.width or n_rows == len(handles):
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
