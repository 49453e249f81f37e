"""Colours that survive colour blindness and grey print: of decoders, of targets, of sequences, of distances from chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = [
    "DECODER_LINES",
    "DIVERGING",
    "SEQUENTIAL",
    "TARGET_LINES",
    "UNKNOWN",
    "Line",
    "chance_colours",
]

SEQUENTIAL = "viridis"
"""Map of values without a middle; its lightness rises steadily. Source: matplotlib's default."""
DIVERGING = "RdBu_r"
"""Map of values about chance: white there, red above, blue below. Source: ColorBrewer 2.0, marked colour-blind safe."""
UNKNOWN = "0.88"
"""Grey of places without a value, no colour of either map."""


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


def chance_colours(low: float, high: float, chance: float) -> tuple[Colormap, float, float]:
    """Colour map for scores from ``low`` to ``high``, and the range that it covers.

    Chance is white, and the same distance from it has the same strength above and below; of the map no more is taken than
    the scores reach.

    Parameters
    ----------
    low, high : float
        Smallest and largest score.
    chance : float
        Score that is white; NaN: a sequential map.

    Returns
    -------
    (Colormap, float, float)
        With ``vmin`` and ``vmax``, between which chance lies.

    Examples
    --------
    >>> colours, low, high = chance_colours(0.4, 0.9, 0.5)
    >>> low, high, [round(float(part), 1) for part in colours(0.2)]
    (0.4, 0.9, [1.0, 1.0, 1.0, 1.0])
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    if not np.isfinite(chance):
        return colormaps[SEQUENTIAL], low, high
    low, high = min(low, chance), max(high, chance)
    reach = max(high - chance, chance - low) or 1.0
    shares = 0.5 + 0.5 * (np.linspace(low, high, 256) - chance) / reach
    return ListedColormap(colormaps[DIVERGING](shares)), low, high
