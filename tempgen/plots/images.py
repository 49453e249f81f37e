"""Reconstructions by lag beside the seen images: Figure 4 of the Dynadiff paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from textwrap import fill, wrap
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

__all__ = ["plot_reconstructions"]

_GAP = 0.05  # between images, as a share of their width
_GROUP_GAP = 0.45  # between the seen images and the reconstructions
_TRIAL_GAP = 0.22  # between trials where each has several rows
_SEEN = {"previous": "previous", "current": "seen", "next": "next"}
_NAMED_GAP = 0.7  # the same with names of decoders between them
_MARGIN_MM = 9.0  # left of the images, for the numbers of trials
_LABEL_MM = 14.0  # the same for labels of trials
_RULE_LETTERS = 150  # to a line under a page
_RULE_MM = 3.0  # height of such a line
_HEAD_MM, _FOOT_MM = 14.0, 9.0
_LINE_LETTERS = 14  # of a decoder's name to a line beside its row


def plot_reconstructions(decoders: Mapping[str, xr.Dataset], *, ax: Axes | None = None) -> Axes:
    """Draw what decoders made of shifted windows, one row a trial, beside the image seen and its neighbours.

    Columns on the right are shifts of the window, in TRs above and as the time from image onset to the window's end below.
    Frames say which reconstruction is expected to show which image: the unshifted window the seen one, and a window
    shifted by one trial the previous or the next one; colour and dashes both differ.

    Parameters
    ----------
    decoders : mapping of str to Dataset
        Name to what `lag_images` or `exemplar_images` gives, all of the same trials and lags. With several, each trial has one
        row a decoder. A coordinate ``label`` stands beside the trials, an attribute ``rule`` under the images.
    ax : Axes, optional
        Where to draw; by default a new figure of a page's width in tempgen's style, as high as the rows need.

    Returns
    -------
    Axes
        One unit is the width of an image.

    Raises
    ------
    ResultsError
        If there is nothing to draw, or the decoders were given other trials or lags.
    """
    first = _check(decoders)
    n_trials, deltas = first.sizes["trial"], first["test_delta"].to_numpy()
    lefts = _lefts(len(deltas), gap=_NAMED_GAP if len(decoders) > 1 else _GROUP_GAP)
    tops = list(_tops(n_trials, len(decoders)))
    width, height = lefts[-1] + 1, tops[-1] + 1
    if ax is None:
        with figure_style():
            return _draw(_page(width, height, first), decoders, lefts, tops)
    return _draw(ax, decoders, lefts, tops)


def _check(decoders: Mapping[str, xr.Dataset]) -> xr.Dataset:
    if not decoders:
        raise ResultsError(
            "There are no reconstructions to draw; give at least one decoder's, of lag_images."
        )
    for name, images in decoders.items():
        lacking = [
            key for key in ("reconstruction", "seen", "shown", "lag_s", "image_id") if key not in images
        ]
        if lacking:
            raise ResultsError(
                f"The reconstructions of {name!r} lack {', '.join(lacking)}; make them with lag_images."
            )
    for one, other in pairwise(decoders):
        for key in ("test_delta", "image_id", "onset_tr"):
            if key in decoders[one] and not np.array_equal(decoders[one][key], decoders[other][key]):
                raise ResultsError(
                    f"{one!r} and {other!r} differ in {key}: choose the same trials and lags with lag_images."
                )
    first = next(iter(decoders.values()))
    if not first.sizes["trial"] or not first.sizes["test_delta"]:
        raise ResultsError("The reconstructions have no trial or no lag; nothing can be drawn.")
    return first


def _lefts(n_deltas: int, *, gap: float) -> list[float]:
    """Left edges of the columns: the three seen images, then the reconstructions."""
    seen = [column * (1 + _GAP) for column in range(len(_SEEN))]
    start = seen[-1] + 1 + gap
    return [*seen, *(start + column * (1 + _GAP) for column in range(n_deltas))]


def _tops(n_trials: int, n_decoders: int) -> Iterator[float]:
    """Upper edges of the rows, trial by trial, decoder by decoder."""
    apart = _TRIAL_GAP if n_decoders > 1 else _GAP
    for trial in range(n_trials):
        for row in range(n_decoders):
            yield trial * (n_decoders + (n_decoders - 1) * _GAP + apart) + row * (1 + _GAP)


def _page(width: float, height: float, images: xr.Dataset) -> Axes:
    from matplotlib import pyplot as plt

    margin_mm = _LABEL_MM if "label" in images.coords else _MARGIN_MM
    foot_mm = _FOOT_MM + _RULE_MM * len(_rule_lines(images))
    image_mm = (PAGE_MM - margin_mm - 1.0) / width
    height_mm = _HEAD_MM + height * image_mm + foot_mm
    figure = plt.figure(figsize=(PAGE_MM / MM_PER_INCH, height_mm / MM_PER_INCH), layout="none")
    place = (
        margin_mm / PAGE_MM,
        foot_mm / height_mm,
        width * image_mm / PAGE_MM,
        height * image_mm / height_mm,
    )
    return figure.add_axes(place)


def _draw(ax: Axes, decoders: Mapping[str, xr.Dataset], lefts: list[float], tops: list[float]) -> Axes:
    first = next(iter(decoders.values()))
    n_decoders, n_seen = len(decoders), len(_SEEN)
    ax.set(xlim=(-0.02, lefts[-1] + 1.02), ylim=(tops[-1] + 1.02, -0.02), aspect="equal")
    for trial in range(first.sizes["trial"]):
        own = tops[trial * n_decoders : (trial + 1) * n_decoders]
        middle = (own[0] + own[-1]) / 2
        for left, target in zip(lefts, _SEEN, strict=False):
            chosen = first.sel(target=target).isel(trial=trial)
            if bool(chosen["shown"]):
                _image(ax, chosen["seen"].to_numpy(), left, middle)
                _frame(ax, left, middle, target)
            else:
                _nothing(ax, left, middle)
        for top, images in zip(own, decoders.values(), strict=True):
            expected = _expected(images)
            for column, left in enumerate(lefts[n_seen:]):
                _image(
                    ax, images["reconstruction"].isel(test_delta=column, trial=trial).to_numpy(), left, top
                )
                target = expected.get(column, "")
                if target and bool(images["shown"].sel(target=target).isel(trial=trial)):
                    _frame(ax, left, top, target)
    _label(ax, decoders, lefts, tops)
    return ax


def _image(ax: Axes, pixels: NDArray[np.uint8], left: float, top: float) -> None:
    ax.imshow(pixels, extent=(left, left + 1, top + 1, top), zorder=1, aspect="equal")


def _nothing(ax: Axes, left: float, top: float) -> None:
    """A pale place where a trial has no neighbour, or one that the decoder was trained on."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((left, top), 1, 1, facecolor="0.95", edgecolor="0.8", linewidth=0.4))
    ax.text(left + 0.5, top + 0.5, "none", ha="center", va="center", fontsize=6, color="0.5")


def _frame(ax: Axes, left: float, top: float, target: str) -> None:
    from matplotlib.patches import Rectangle

    line = TARGET_LINES[target]
    look: dict[str, Any] = {"fill": False, "linewidth": 1.2, "zorder": 3, "joinstyle": "miter"}
    white = Rectangle(
        (left, top), 1, 1, edgecolor="white", **look
    )  # under the dashes, to be seen on any image
    ax.add_patch(white)
    ax.add_patch(Rectangle((left, top), 1, 1, edgecolor=line.colour, linestyle=line.dashes, **look))


def _expected(images: xr.Dataset) -> dict[int, str]:
    """Columns whose windows lie on the trial's own image or on a neighbour's as the unshifted one does on its own.

    Specialized decoders were trained on the trial's own image at every shift, so that none is expected to show a neighbour.
    """
    deltas = images["test_delta"].to_numpy()
    general_delta = int(images.attrs.get("general_delta", 0))
    trial_tr = float(images.attrs.get("soa_s", np.nan)) / float(images.attrs.get("tr_s", np.nan))
    shifts = {"current": 0.0}
    if images.attrs.get("decoder_row", "general") == "general":
        shifts |= {"previous": -trial_tr, "next": trial_tr}
    return {
        int(np.flatnonzero(deltas == general_delta + round(shift))[0]): target
        for target, shift in shifts.items()
        if np.isfinite(shift) and (deltas == general_delta + round(shift)).any()
    }


def _rule_lines(images: xr.Dataset) -> list[str]:
    """By which rule the trials were chosen, in lines as wide as the page."""
    rule = str(images.attrs.get("rule", ""))
    return wrap(f"Trials: {rule}.", _RULE_LETTERS) if rule else []


def _label(ax: Axes, decoders: Mapping[str, xr.Dataset], lefts: list[float], tops: list[float]) -> None:
    first = next(iter(decoders.values()))
    n_seen = len(_SEEN)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0, pad=2.5)
    deltas = [
        f"{delta:+d}".replace("-", "\N{MINUS SIGN}").replace("+0", "0")
        for delta in first["test_delta"].to_numpy()
    ]
    centres = [left + 0.5 for left in lefts]
    ax.set_xticks(centres, labels=[*[""] * n_seen, *(f"{lag_s:.1f}" for lag_s in first["lag_s"].to_numpy())])
    ax.tick_params(labeltop=False, labelbottom=True)
    above: dict[str, Any] = {
        "ha": "center",
        "va": "bottom",
        "xycoords": ("data", "axes fraction"),
        "textcoords": "offset points",
    }
    for centre, word in zip(centres, [*_SEEN.values(), *deltas], strict=True):
        ax.annotate(word, (centre, 1), xytext=(0, 2), fontsize=7, **above)
    rows = {str(images.attrs.get("decoder_row", "general")).capitalize() for images in decoders.values()}
    whose = f"{rows.pop()} decoder's reconstructions" if len(rows) == 1 else "reconstructions"
    title = f"{whose}, by shift of the window, delta (TRs)"
    for word, group in (("images on the screen", centres[:n_seen]), (title, centres[n_seen:])):
        ax.annotate(word, ((group[0] + group[-1]) / 2, 1), xytext=(0, 12), fontsize=7.5, **above)
    ax.annotate(
        "time from image onset to the window's end (s)",
        ((centres[n_seen] + centres[-1]) / 2, 0),
        xytext=(0, -13),
        fontsize=7.5,
        **above | {"va": "top"},
    )
    n_decoders = len(decoders)
    blocks = [tops[k : k + n_decoders] for k in range(0, len(tops), n_decoders)]
    middles = [(own[0] + own[-1] + 1) / 2 for own in blocks]
    if "label" in first.coords:
        ax.set_yticks(middles, labels=[str(label) for label in first["label"].to_numpy()])
    else:
        ax.set_yticks(middles, labels=[str(k + 1) for k in range(len(blocks))])
        ax.set_ylabel("test trial")
    ax.annotate(
        "\n".join(_rule_lines(first)),
        xy=(0, 0),
        xycoords="axes fraction",
        xytext=(0, -25),
        textcoords="offset points",
        va="top",
        fontsize=6.5,
        color="0.2",
    )
    if n_decoders > 1:
        for top, name in zip(tops, list(decoders) * len(blocks), strict=True):
            place = (lefts[n_seen] - 0.12, top + 0.5)
            words: dict[str, Any] = {
                "rotation": 90,
                "ha": "right",
                "va": "center",
                "multialignment": "center",
            }
            ax.text(*place, fill(name, _LINE_LETTERS), fontsize=6.5, color="0.2", **words)
    stamp_data_kind(ax, first.attrs)
    stamp = ax.get_title("right")
    ax.set_title("", loc="right")  # over the words that stand above the images
    at: dict[str, Any] = {
        "xy": (1, 1),
        "xycoords": "axes fraction",
        "xytext": (0, 25),
        "textcoords": "offset points",
    }
    ax.annotate(stamp, ha="right", va="bottom", **at, **STAMP_SETTINGS)
