"""Dynamic code or overlap: matrices and curves of BOLD and deconvolved BOLD, and the two tests that need no HRF, code by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.palettes import DECODER_LINES, Line, chance_colours
from tempgen.plots.style import (
    MM_PER_INCH,
    PAGE_MM,
    draw_legend_below,
    figure_style,
    own_axes,
    stamp_data_kind,
    whole_seconds,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

__all__ = ["plot_classification", "plot_dynamics", "plot_nulls"]

_HEIGHT_MM = 172.0
_SIGNALS = {"bold": "BOLD", "deconvolved": "deconvolved BOLD"}
_OBSERVED = Line("#D55E00", "none", "D", filled=True)
_NULL_COLOUR = "0.55"
_NULLS = {
    "static_null": "dynamics index of BOLD",
    "separability": "rank 2 beyond rank 1\n(cross-validated R\N{SUPERSCRIPT TWO})",
}
_METHOD_LINES = (
    Line("#7F7F7F", "-", "x", filled=False),
    Line("#56B4E9", "-", "^", filled=True),
    Line("#E69F00", "-", "v", filled=False),
    Line("#009E73", "-", "D", filled=False),
    Line("#0072B2", "-", "o", filled=True),
    Line("#D55E00", "-", "s", filled=True),
)
"""Of the methods, in the order of `tempgen.generalization.validation.CLASSIFIERS`; colours of Okabe and Ito."""
_SPREAD = 0.16  # of the null's dots beside their column


def plot_dynamics(
    matrices: Mapping[str, Mapping[str, xr.DataArray]],
    curves: Mapping[str, Mapping[str, Mapping[str, xr.Dataset]]],
    nulls: Mapping[str, Mapping[str, xr.Dataset]],
) -> Figure:
    """Draw the codes side by side: matrices of both signals with their curves below, and the two nulls on the right.

    Parameters
    ----------
    matrices : mapping of code and signal ("bold", "deconvolved") to DataArray
        From `generalization_matrix`. All share one range of colours.
    curves : mapping of code, signal and decoder ("general", "specialized") to Dataset
        From `lag_curve`.
    nulls : mapping of "static_null" and "separability", and of code, to Dataset
        ``observed``, ``null`` (draw), ``low`` and ``high`` (of the null) and ``p``.

    Returns
    -------
    Figure
        180 mm wide, in tempgen's style.

    Raises
    ------
    ResultsError
        If there is no code.
    """
    from matplotlib import pyplot as plt

    if not matrices:
        raise ResultsError("There is no code to draw; give at least one.")
    codes = list(matrices)
    scores = np.concatenate(
        [one.to_numpy().ravel() for of_code in matrices.values() for one in of_code.values()]
    )
    highest = max(
        float(curve["high"].max()) for of in curves.values() for by in of.values() for curve in by.values()
    )
    lowest = min(
        float(curve["low"].min()) for of in curves.values() for by in of.values() for curve in by.values()
    )
    with figure_style():
        figure = plt.figure(figsize=(PAGE_MM / MM_PER_INCH, _HEIGHT_MM / MM_PER_INCH), layout="constrained")
        grid = figure.add_gridspec(
            4, len(codes) + 1, height_ratios=(1.12, 0.6, 1.12, 0.6), width_ratios=(*[1] * len(codes), 1.25)
        )
        meshes, matrix_axes = [], []
        for column, code in enumerate(codes):
            for row, signal in enumerate(_SIGNALS):
                ax = figure.add_subplot(grid[2 * row, column])
                meshes.append(_draw_matrix(ax, matrices[code][signal], scores))
                matrix_axes.append(ax)
                below = figure.add_subplot(grid[2 * row + 1, column])
                _draw_curves(below, curves[code][signal], (lowest, highest))
                if column:
                    below.tick_params(labelleft=False)
                else:
                    ax.set_ylabel(f"{_SIGNALS[signal]}\ntraining lag (s)")
                    below.set_ylabel("correlation")
                ax.set_xlabel("test lag (s)")
                below.set_xlabel("lag (s)")
                if not row:
                    ax.set_title(code, pad=4)
        for row, name in enumerate(_NULLS):
            ax = figure.add_subplot(grid[2 * row : 2 * row + 2, -1])
            plot_nulls(nulls[name], label=_NULLS[name], ax=ax)
        _letter([matrix_axes[0], matrix_axes[1], *figure.axes[-2:]])
        first = next(iter(matrices.values()))["bold"]
        bar = figure.colorbar(meshes[0], ax=matrix_axes, location="top", shrink=0.5, aspect=40, pad=0.01)
        bar.set_label("correlation of decoded and seen features (chance 0)")
        handles, labels = figure.axes[1].get_legend_handles_labels()
        null_handles, null_labels = figure.axes[2 * 2 * len(codes)].get_legend_handles_labels()
        figure.legend([*handles, *null_handles], [*labels, *null_labels], loc="outside lower center", ncols=5)
        if "data_kind" in first.attrs:  # of all codes, so without a subject
            stamp_data_kind(figure.axes[4 * len(codes)], {"data_kind": first.attrs["data_kind"]})
    return figure


def plot_nulls(by_code: Mapping[str, xr.Dataset], *, label: str, ax: Axes | None = None) -> Axes:
    """Draw observed statistics beside their distributions under a static code, a column for each code.

    Parameters
    ----------
    by_code : mapping of code to Dataset
        ``observed``, ``null`` (draw) and ``p``.
    label : str
        Of the statistic.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    """
    with own_axes(ax, height_mm=60) as ax:
        for place, one in enumerate(by_code.values()):
            drawn = one["null"].to_numpy()
            # a fixed pattern beside the column, so that equal figures are equal
            beside = _SPREAD * np.sin(2.4 * np.arange(len(drawn)))
            ax.plot(
                place + beside, drawn, ".", color=_NULL_COLOUR, markersize=2.5, alpha=0.7,
                label="static code, same HRFs and noise" if not place else None,
            )  # fmt: skip
            ax.plot(
                [place], [float(one["observed"])], markersize=5,
                **_OBSERVED.settings(), label="observed" if not place else None,
            )  # fmt: skip
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.12 * (high - low))
        for place, one in enumerate(by_code.values()):
            ax.annotate(
                f"p = {float(one['p']):.2g}",
                (place, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=6,
            )
        ax.set_xticks(range(len(by_code)), list(by_code))
        ax.set_xlim(-0.6, len(by_code) - 0.4)
        ax.set_ylabel(label)
    return ax


def plot_classification(rates: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how often each method calls the codes what they are, with intervals: a row for each condition, a mark for each method.

    Parameters
    ----------
    rates : Dataset
        From `tempgen.generalization.validation.classification_rates`.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    """
    conditions = [str(name) for name in rates["condition"].to_numpy()]
    methods = [str(name) for name in rates["classifier"].to_numpy()]
    own_figure = ax is None
    with own_axes(ax, height_mm=28 + 11 * len(conditions)) as ax:
        for k, (method, line) in enumerate(zip(methods, _METHOD_LINES, strict=True)):
            one = rates.sel(classifier=method)
            rows = np.arange(len(conditions)) + 0.13 * (k - (len(methods) - 1) / 2)
            ax.hlines(rows, one["right_low"], one["right_high"], color=line.colour, linewidth=0.8)
            ax.plot(
                one["right"], rows, label=method.replace("_", " "), **line.settings() | {"linestyle": "none", "markersize": 3.5}
            )  # fmt: skip
        ax.axvline(0.95, color="0.3", linestyle=":", linewidth=0.8)
        ax.set_yticks(range(len(conditions)), conditions)
        ax.set_ylim(len(conditions) - 0.5, -0.5)
        ax.set_xlim(-0.02, 1.02)
        level = float(rates.attrs["interval_level"])
        ax.set_xlabel(f"share of data sets called right\n({100 * level:g} % intervals over data sets)")
        stamp_data_kind(ax, rates.attrs)
        draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
    return ax


def _draw_matrix(ax: Axes, matrix: xr.DataArray, scores: np.ndarray) -> QuadMesh:
    """Cells, the diagonal and the General row."""
    from matplotlib.patches import Rectangle

    values = matrix.to_numpy()
    colours, low, high = chance_colours(float(np.nanmin(scores)), float(np.nanmax(scores)), 0.0)
    n = len(values)
    mesh = ax.pcolormesh(
        np.arange(n + 1) - 0.5, np.arange(n + 1) - 0.5, values, cmap=colours, vmin=low, vmax=high,
        edgecolors="face", linewidth=0.1,
    )  # fmt: skip
    specialized, general = DECODER_LINES["specialized"], DECODER_LINES["general"]
    ax.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color=specialized.colour, linestyle="--", linewidth=0.8)
    row = int(np.flatnonzero(matrix["train_delta"].to_numpy() == int(matrix.attrs["general_delta"]))[0])
    box = Rectangle(
        (-0.5, row - 0.5), n, 1, fill=False, edgecolor=general.colour, linewidth=0.9, clip_on=False
    )
    ax.add_patch(box)
    shown = whole_seconds(matrix["lag_s"].to_numpy(), n_ticks=4)
    labels = [f"{float(matrix['lag_s'][k]):.0f}" for k in shown]
    ax.set_xticks(shown, labels)
    ax.set_yticks(shown, labels)
    ax.set(xlim=(-0.5, n - 0.5), ylim=(-0.5, n - 0.5), aspect=1)
    for spine in ax.spines.values():
        spine.set_visible(True)
    return mesh


def _draw_curves(ax: Axes, by_decoder: Mapping[str, xr.Dataset], limits: tuple[float, float]) -> None:
    ax.axhline(0, color="0.3", linestyle=":", linewidth=0.8)
    for decoder, curve in by_decoder.items():
        line = DECODER_LINES[decoder]
        settings: dict[str, Any] = line.settings() | {"markersize": 2.5, "linewidth": 0.9}
        ax.plot(curve["lag_s"], curve["mean"], label=decoder.capitalize(), **settings)
        ax.fill_between(
            curve["lag_s"], curve["low"], curve["high"], color=line.colour, alpha=0.2, linewidth=0
        )
    lag_s = next(iter(by_decoder.values()))["lag_s"].to_numpy()
    half = (lag_s[1] - lag_s[0]) / 2
    ax.set_xlim(lag_s[0] - half, lag_s[-1] + half)  # as the cells of the matrix above
    ax.set_xticks(np.arange(4, lag_s[-1] + half, 4))
    low, high = limits
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _letter(axes: Sequence[Axes]) -> None:
    for letter, ax in zip("abcd", axes, strict=False):
        ax.annotate(
            letter, (0, 1), xycoords="axes fraction", xytext=(-20, 6), textcoords="offset points",
            fontweight="bold", fontsize=8,
        )  # fmt: skip
