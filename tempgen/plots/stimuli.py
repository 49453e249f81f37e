"""The strip under a time axis: when the image was on the screen, and the images before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.plots.style import is_narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_stimuli", "time_limits"]

_STRIP = 0.11  # share of the axes' height, at the bottom, kept free of data
_BAR = (0.008, 0.03)  # lower and upper edge of the bars, as shares of that height
_TICK = 0.042  # upper end of the onset ticks
_MARGIN = 0.03  # share of the time axis left free at either end


def time_limits(attrs: Mapping[str, Any], *, first_s: float, last_s: float) -> tuple[float, float]:
    """Range of a time axis that shows the onset, all lags and, where it is near enough, the previous image.

    Parameters
    ----------
    attrs : mapping
        ``soa_s``: seconds from one image onset to the next.
    first_s, last_s : float
        Lags drawn (seconds from image onset).

    Returns
    -------
    (float, float)
        Seconds from image onset.

    Examples
    --------
    >>> time_limits({"soa_s": 4.0}, first_s=8.0, last_s=26.0)
    (-4.9, 26.9)
    """
    soa_s = float(attrs.get("soa_s", np.nan))
    left = min(first_s, 0.0)
    if soa_s <= 0.3 * (last_s - left):  # farther away it would squeeze the data
        left = min(left, -soa_s)
    margin = _MARGIN * (last_s - left)
    return round(left - margin, 3), round(last_s + margin, 3)


def draw_stimuli(ax: Axes, attrs: Mapping[str, Any]) -> None:
    """Draw a bar for each image on the screen within the limits of the time axis, with a tick at its onset.

    The vertical limits are widened so that no data lie behind the bars. Nothing is drawn if the durations are unknown.
    Words at the bars say which image they are; narrow axes have room for one, and bars get labels for the legend.

    Parameters
    ----------
    ax : Axes
        Seconds from image onset to the right; limits are set.
    attrs : mapping
        ``stimulus_duration_s``, and ``soa_s`` (seconds from one image onset to the next).
    """
    soa_s, duration_s = (float(attrs.get(name, np.nan)) for name in ("soa_s", "stimulus_duration_s"))
    if not np.isfinite(duration_s):
        return
    low, high = ax.get_ylim()
    ax.set_ylim(low - _STRIP / (1 - _STRIP) * (high - low), high)
    left, right = ax.get_xlim()
    positions = [0]
    if np.isfinite(soa_s):
        positions = list(range(int(np.ceil((left - duration_s) / soa_s)), int(np.floor(right / soa_s)) + 1))
    narrow = is_narrow(ax)
    words = {0: "seen"} if narrow else {-1: "prev.", 0: "seen", 1: "next"}
    entries = {True: "seen image on the screen", False: "images of other trials"} if narrow else {}
    across = ax.get_xaxis_transform()  # x in seconds, y as a share of the axes
    for position in sorted(positions, key=bool):  # the seen one first, so that it leads the legend
        onset_s = position * soa_s if position else 0.0
        seen = position == 0
        ax.plot([onset_s] * 2, [0, _TICK], transform=across, color="0.2", linewidth=0.6, zorder=1)
        ax.fill_between(
            [onset_s, onset_s + duration_s],
            *_BAR,
            transform=across,
            facecolor="0.15" if seen else "white",
            edgecolor="0.15" if seen else "0.45",
            linewidth=0.5,
            label=entries.pop(seen, None),  # one entry for each kind
            zorder=1,
        )
        word = words.get(position, "")
        middle_s = (max(onset_s, left) + min(onset_s + duration_s, right)) / 2  # of the part that is visible
        visible = min(onset_s + duration_s, right) - max(onset_s, left)
        if word and visible > 0.6 * min(duration_s, 0.1 * (right - left)):
            ax.annotate(
                word,
                xy=(middle_s, _BAR[1]),
                xycoords=across,
                xytext=(0, 1.5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=6.0,
                color="0.15" if seen else "0.4",
            )
    ax.set_xlim(left, right)
