"""The view as a figure of a page's width: curves, matrix with the chosen cell, and the trials behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tempgen.exploration.model import Exploration
from tempgen.exploration.pictures import Image, Pictures
from tempgen.plots import TARGET_LINES, figure_style, plot_lag_curves, plot_matrix
from tempgen.plots.style import MM_PER_INCH, PAGE_MM, STAMP_SETTINGS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_view"]

_TOP_MM = 95.0
_TRIAL_MM = 21.0
_HEAD_MM = 13.0
_COLUMNS = {"previous": "previous", "current": "seen", "next": "next"}


def draw_view(exploration: Exploration) -> Figure:
    """Draw what is chosen: the curves with the chosen lag, the matrix with the chosen cell, the trials on the page.

    Parameters
    ----------
    exploration : Exploration

    Returns
    -------
    Figure
        180 mm wide, in tempgen's style.
    """
    from matplotlib import pyplot as plt

    table, pictures = exploration.page()
    chosen = exploration.selection
    n_rows = max(1, -(-len(pictures) // 2))  # two trials beside each other
    heights = [_TOP_MM, _HEAD_MM + n_rows * _TRIAL_MM]
    with figure_style():
        figure = plt.figure(figsize=(PAGE_MM / MM_PER_INCH, sum(heights) / MM_PER_INCH))
        top, bottom = cast("Any", figure.subfigures(2, 1, height_ratios=heights))
        left, right = top.subplots(1, 2, width_ratios=(1.15, 1))
        _draw_curves(left, exploration)
        _draw_matrix(right, exploration)
        words = _head(exploration, n_shown=len(table))
        bottom.suptitle(words, x=0.01, ha="left", fontsize=7.5)
        _draw_trials(
            bottom.subplots(),
            table if pictures else table[:0],
            pictures,
            n_rows,
            chosen.target,
            reconstructed=not exploration.decodes_labels,
        )
    return figure


def _draw_curves(ax: Axes, exploration: Exploration) -> None:
    curves = {name.capitalize(): curve for name, curve in exploration.curves().items()}
    plot_lag_curves(curves, ax=ax)
    lag_s = float(exploration.results["lag_s"].sel(test_delta=exploration.selection.cell[1]))
    ax.axvline(lag_s, color="0.3", linewidth=0.8, zorder=1)
    ax.plot([lag_s], [float(exploration.scores().mean())], "o", ms=8, mfc="none", mec="black", zorder=5)


def _draw_matrix(ax: Axes, exploration: Exploration) -> None:
    from matplotlib.patches import Rectangle

    matrix = exploration.matrix()
    plot_matrix(matrix, ax=ax)
    ax.set_title("", loc="right")  # the curves bear the stamp
    rows, columns = (matrix[name].to_numpy().tolist() for name in ("train_delta", "test_delta"))
    train, test = exploration.selection.cell
    corner = (columns.index(test) - 0.5, rows.index(train) - 0.5)
    ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=1.6, zorder=6))


def _head(exploration: Exploration, *, n_shown: int) -> str:
    chosen = exploration.selection
    train, test = chosen.cell
    lag_s = float(exploration.results["lag_s"].sel(test_delta=test))
    n_trials = len(exploration.trials())
    which = f"trials {chosen.first + 1} to {chosen.first + n_shown} of {n_trials}" if n_trials else "no trial"
    what = (
        f"decoded label beside the {chosen.target} label"
        if exploration.decodes_labels
        else f"reconstruction with the {chosen.target} image"
    )
    return (
        f"Trained at delta {train}, tested at delta {test} (window ends {lag_s:.1f} s after onset): {which}, {chosen.order}.\n"
        f"Numbers: score of the {what} (framed), chance {exploration.chance():.3f}."
    )


def _draw_trials(
    ax: Axes,
    table: pd.DataFrame,
    pictures: list[Pictures],
    n_rows: int,
    framed: str,
    *,
    reconstructed: bool,
) -> None:
    ax.set(xlim=(0, 9.6), ylim=(n_rows * 1.2, -0.15), aspect="equal")
    ax.axis("off")
    if not pictures:
        ax.text(0, 0.5, "The result does not say which trials these are, or none was chosen.", fontsize=7)
    for k, (score, one) in enumerate(zip(table["score"], pictures, strict=True)):
        row, half = k % n_rows, k // n_rows
        left, top = half * 4.9, row * 1.2
        for place, (target, word) in enumerate(_COLUMNS.items()):
            colour = TARGET_LINES[target].colour if target == framed else "0.8"
            _tile(ax, one.seen[target], one.names[target], left + place * 1.05, top, colour)
            if row == 0:
                ax.text(left + place * 1.05 + 0.5, -0.03, word, ha="center", va="bottom", fontsize=7)
        if reconstructed:
            _tile(ax, one.reconstruction, "not kept", left + 3.35, top, "0.8")
        under = 1.02 if reconstructed else 0.45
        ax.text(left + 3.85, top + under, f"{score:.3f}", ha="center", va="top", **STAMP_SETTINGS)
        if row == 0:
            word = "reconstruction" if reconstructed else "score"
            ax.text(left + 3.85, -0.03, word, ha="center", va="bottom", fontsize=7)


def _tile(ax: Axes, image: Image | None, words: str, left: float, top: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    look: dict[str, Any] = {"edgecolor": colour, "linewidth": 1.0}
    if image is None:
        ax.add_patch(Rectangle((left, top), 1, 1, facecolor="0.95", **look))
        ax.text(
            left + 0.5, top + 0.5, words.replace(" ", "\n"), ha="center", va="center", fontsize=6, color="0.4"
        )
        return
    ax.imshow(np.asarray(image), extent=(left, left + 1, top + 1, top), interpolation="nearest")
    ax.add_patch(Rectangle((left, top), 1, 1, fill=False, **look))
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
