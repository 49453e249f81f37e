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

__all__ = [
    "COLUMN_MM",
    "DECODER_LINES",
    "TARGET_LINES",
    "Line",
    "draw_legend_below",
    "figure_style",
    "is_narrow",
    "round_shifts",
    "stamp_data_kind",
]

COLUMN_MM = 85.0
"""Width of one column of a journal page (millimetres); 174 is the whole page. Source: guides of Cell and PNAS."""
MM_PER_INCH = 25.4
_NARROW_MM = 55.0  # of a figure that fills a column the axes take about 66 mm

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
    "legend.handlelength": 2.3,
    "legend.columnspacing": 1.0,
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
        stamp = f"{stamp}, {attrs['subject']}"
    ax.set_title(stamp, loc="right", fontsize=6.5, color="0.35", pad=3)


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
        Whether the axes are alone in their figure: the legend then takes two columns and the figure's width, else one
        column under the axes.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    if figure is None:
        return
    if own_figure:
        figure.legend(handles, labels, ncols=2, loc="outside lower center")
        return
    below = ScaledTranslation(0, -36 / 72, figure.dpi_scale_trans)  # points, below ticks and label
    ax.legend(
        handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=ax.transAxes + below
    )


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
