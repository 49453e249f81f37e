"""Seen images beside what a decoder made of them: its best cases and its failures."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.style import (
    MM_PER_INCH,
    PAGE_MM,
    STAMP_SETTINGS,
    TARGET_LINES,
    figure_style,
    stamp_data_kind,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["plot_pairs"]

_GAP = 0.06  # between images, as a share of their width
_WORDS = 0.42  # over each pair, for rank and scores
_MARGIN_MM, _HEAD_MM, _RULE_MM = 17.0, 5.0, 3.0
_RULE_LETTERS = 150  # to a line under a page
_LARGEST_MM = 22.0  # of an image, where there are few in a row
_ROWS = ("seen", "reconstruction", "closest_image")


def plot_pairs(pairs: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw each chosen trial as a column: seen above, reconstructed below, with rank and score; one block a rule.

    A block of trials whose reconstruction scores better with the previous or the next image has that image in a third row.

    Parameters
    ----------
    pairs : Dataset
        From `tempgen.generalization.exemplar_images.exemplar_pairs`.
    ax : Axes, optional
        Where to draw; by default a new figure of a page's width in tempgen's style, as high as the rows need.

    Returns
    -------
    Axes
        One unit is the width of an image.

    Raises
    ------
    ResultsError
        If there is no trial to draw, or the dataset is of another kind.
    """
    lacking = [name for name in (*_ROWS, "rule", "rank", "score", "closest") if name not in pairs]
    if lacking or not pairs.sizes.get("trial", 0):
        raise ResultsError(
            f"There are no pairs to draw ({', '.join(lacking) or 'no trial'}): make them with exemplar_pairs."
        )
    blocks = _blocks(pairs)
    height = sum(_height(pairs, rows) for rows in blocks.values()) - _GAP
    width = max(len(rows) for rows in blocks.values()) * (1 + _GAP) - _GAP
    if ax is None:
        with figure_style():
            return _draw(_page(width, height, pairs), pairs, blocks)
    return _draw(ax, pairs, blocks)


def _blocks(pairs: xr.Dataset) -> dict[str, NDArray[np.int64]]:
    """Rule to its trials, in the order of the dataset."""
    rules = pairs["rule"].to_numpy()
    return {str(rule): np.flatnonzero(rules == rule) for rule in dict.fromkeys(rules)}


def _has_neighbours(pairs: xr.Dataset, rows: NDArray[np.int64]) -> bool:
    return bool((pairs["closest"].to_numpy()[rows] != "current").any())


def _height(pairs: xr.Dataset, rows: NDArray[np.int64]) -> float:
    n_images = 3 if _has_neighbours(pairs, rows) else 2
    return _WORDS + n_images * (1 + _GAP)


def _page(width: float, height: float, pairs: xr.Dataset) -> Axes:
    from matplotlib import pyplot as plt

    image_mm = min((PAGE_MM - _MARGIN_MM - 1) / width, _LARGEST_MM)
    foot_mm = 2 + _RULE_MM * (1 + _rule(pairs).count("\n"))
    height_mm = _HEAD_MM + height * image_mm + foot_mm
    figure = plt.figure(figsize=(PAGE_MM / MM_PER_INCH, height_mm / MM_PER_INCH), layout="none")
    share = (PAGE_MM - _MARGIN_MM - 1) / PAGE_MM
    ax = figure.add_axes((_MARGIN_MM / PAGE_MM, foot_mm / height_mm, share, height * image_mm / height_mm))
    ax.set(xlim=(0, (PAGE_MM - _MARGIN_MM - 1) / image_mm), ylim=(height, 0))
    return ax


def _rule(pairs: xr.Dataset) -> str:
    return fill(f"Trials: {pairs.attrs.get('rule', 'chosen without a rule')}.", _RULE_LETTERS)


def _draw(ax: Axes, pairs: xr.Dataset, blocks: dict[str, NDArray[np.int64]]) -> Axes:
    right, bottom = ax.get_xlim()[1], ax.get_ylim()[0]
    ax.set(xticks=[], yticks=[])
    ax.set_axis_off()
    top = 0.0
    for rule, rows in blocks.items():
        third = _has_neighbours(pairs, rows)
        _words_of_rows(ax, rule, top, with_neighbour=third)
        for column, trial in enumerate(rows):
            left = column * (1 + _GAP)
            _column(ax, pairs.isel(trial=int(trial)), left=left, top=top, with_neighbour=third)
        top += _height(pairs, rows)
    widest = max(len(rows) for rows in blocks.values()) * (1 + _GAP)
    ax.set(xlim=(0, max(right, widest)), ylim=(max(bottom, top - _GAP), 0), aspect="equal", anchor="NW")
    stamp_data_kind(ax, pairs.attrs)
    ax.annotate(
        _rule(pairs),
        xy=(0, 0),
        xycoords=("figure fraction", "figure fraction"),
        xytext=(4, 3),
        textcoords="offset points",
        va="bottom",
        **STAMP_SETTINGS,
    )
    return ax


def _words_of_rows(ax: Axes, rule: str, top: float, *, with_neighbour: bool) -> None:
    words = ["seen", "recon-\nstructed", *(["neighbour\nscored best"] if with_neighbour else [])]
    for row, word in enumerate(words):
        middle = top + _WORDS + row * (1 + _GAP) + 0.5
        ax.annotate(
            word,
            (0, middle),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=6.5,
            annotation_clip=False,
        )
    ax.annotate(
        rule,
        (0, top + _WORDS),
        xytext=(-3, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7.5,
        fontweight="bold",
        annotation_clip=False,
    )


def _column(ax: Axes, trial: xr.Dataset, *, left: float, top: float, with_neighbour: bool) -> None:
    from matplotlib.patches import Rectangle

    score = f"rank {int(trial['rank'])}\n{float(trial['score']):.2f}".replace("-", "\N{MINUS SIGN}")
    ax.annotate(
        score,
        (left + 0.5, top + _WORDS),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6.5,
        linespacing=1.05,
    )
    closest = str(trial["closest"].item())
    shown = _ROWS if closest != "current" else _ROWS[:2]
    uppers = [top + _WORDS + row * (1 + _GAP) for row in range(len(_ROWS))]
    for name, upper in zip(shown, uppers, strict=False):
        ax.imshow(trial[name].to_numpy(), extent=(left, left + 1, upper + 1, upper), aspect="equal", zorder=1)
    if closest != "current":
        line, last = TARGET_LINES[closest], uppers[-1]
        look: dict[str, Any] = {"edgecolor": line.colour, "linestyle": line.dashes, "linewidth": 1.2}
        ax.add_patch(Rectangle((left, last), 1, 1, fill=False, zorder=3, **look))
        box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "alpha": 0.85, "linewidth": 0}
        ax.text(left + 0.06, last + 0.94, closest, fontsize=6, va="bottom", bbox=box, zorder=4)
    elif with_neighbour:
        ax.text(
            left + 0.5,
            uppers[-1] + 0.5,
            "own image\nscored best",
            ha="center",
            va="center",
            fontsize=6,
            color="0.5",
        )
