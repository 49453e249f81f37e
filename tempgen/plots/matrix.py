"""The generalization matrix: every decoder at every lag."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.plots.style import (
    COLUMN_MM,
    MM_PER_INCH,
    draw_legend_below,
    figure_style,
    round_shifts,
    stamp_data_kind,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["plot_matrix"]

_HEIGHT_MM = 77.0
_COLOURS = (
    "RdBu_r"  # white at chance, red above, blue below; readable with all common kinds of colour blindness
)
_COLOURS_WITHOUT_CHANCE = "viridis"


def plot_matrix(
    matrix: xr.DataArray,
    *,
    ax: Axes | None = None,
    chance: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw a generalization matrix, training lag upwards, test lag to the right.

    Marked are the diagonal (Specialized), the row of the General decoder, and the border of the zone in which
    training and test windows share volumes, so that a score there may come from the same noise. Cells that were not computed are grey and
    hatched. Chance is white, the same distance from it has the same strength above and below, and cells below it
    bear a minus sign.

    Parameters
    ----------
    matrix : DataArray, dims (train_delta, test_delta)
        As `generalization_matrix` makes it.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    chance : float, optional
        Score that is white; by default the matrix's attribute ``chance``.
    limits : (float, float), optional
        Range of the colours, to share between figures; by default that of the scores.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If the matrix has other dimensions, lacks a coordinate or has no score.
    """
    from matplotlib import pyplot as plt

    _check(matrix)
    values = matrix.to_numpy()
    chance = float(matrix.attrs.get("chance", np.nan)) if chance is None else chance
    own_figure = ax is None
    with figure_style() if own_figure else nullcontext():
        if ax is None:
            _, ax = plt.subplots(figsize=(COLUMN_MM / MM_PER_INCH, _HEIGHT_MM / MM_PER_INCH))
        for spine in ax.spines.values():
            spine.set_visible(True)
        rows, columns = values.shape
        _draw_missing(ax, values)
        mesh = _draw_cells(ax, values, chance, limits)
        _draw_bar(ax, mesh, str(matrix.attrs.get("long_name", matrix.name)), chance, values.shape)
        _draw_below_chance(ax, values, chance)
        _draw_marks(ax, matrix)
        ax.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), aspect="equal")
        _label_lags(ax, matrix)
        draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, matrix.attrs)
    return ax


def _check(matrix: xr.DataArray) -> None:
    if matrix.dims != ("train_delta", "test_delta"):
        raise ResultsError(
            f"A matrix has dims (train_delta, test_delta), got {matrix.dims}; make it with generalization_matrix."
        )
    lacking = [name for name in ("train_lag_s", "lag_s", "shares_volumes") if name not in matrix.coords]
    if lacking:
        raise ResultsError(f"The matrix lacks {', '.join(lacking)}; make it with generalization_matrix.")
    if bool(matrix.isnull().all()):
        raise ResultsError("The matrix has no score in any cell; nothing can be drawn.")


def _draw_missing(ax: Axes, values: NDArray[np.float64]) -> None:
    """Ground under the cells: it shows where none was computed."""
    from matplotlib.patches import Rectangle

    if np.isnan(values).any():
        rows, columns = values.shape
        ground = Rectangle(
            (-0.5, -0.5), columns, rows, facecolor="0.93", edgecolor="0.7", hatch="////", linewidth=0
        )
        ground.set_label("not computed")
        ax.add_patch(ground)


def _draw_cells(
    ax: Axes, values: NDArray[np.float64], chance: float, limits: tuple[float, float] | None
) -> QuadMesh:
    """Cells in the part of the colour map that the scores reach, chance in the map's middle."""
    from matplotlib import colormaps
    from matplotlib.colors import Colormap, ListedColormap

    low, high = limits if limits is not None else (float(np.nanmin(values)), float(np.nanmax(values)))
    if np.isfinite(chance):
        low, high = min(low, chance), max(high, chance)
        reach = max(high - chance, chance - low) or 1.0
        shares = 0.5 + 0.5 * (np.linspace(low, high, 256) - chance) / reach
        colours: Colormap = ListedColormap(colormaps[_COLOURS](shares))
    else:
        colours = colormaps[_COLOURS_WITHOUT_CHANCE]
    # edges in the face's colour close the seams that viewers of SVG draw between cells
    return ax.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5,
        np.arange(values.shape[0] + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=low,
        vmax=high,
        edgecolors="face",
        linewidth=0.1,
    )


def _draw_below_chance(ax: Axes, values: NDArray[np.float64], chance: float) -> None:
    """A minus sign in each cell below chance: in grey print both halves of the colour map look alike."""
    from matplotlib.patheffects import withStroke

    rows, columns = np.nonzero(values < chance)
    if rows.size:
        settings: dict[str, Any] = {
            "color": "0.3",
            "linestyle": "none",
            "marker": "_",
            "markeredgewidth": 0.5,
        }
        casing = [withStroke(linewidth=1.2, foreground="white", alpha=0.6)]
        size = min(2.5, 25 / max(values.shape))
        ax.plot(columns, rows, markersize=size, zorder=1.5, path_effects=casing, **settings)
        ax.plot([], [], markersize=4, label="below chance", **settings)


def _draw_bar(ax: Axes, mesh: QuadMesh, label: str, chance: float, shape: tuple[int, ...]) -> None:
    """Colour bar as high as the matrix or, beside a flat one, half as high as that is wide; chance by name."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    rows, columns = shape
    height = max(1.0, 0.5 * columns / rows)  # in heights of the matrix
    bar = plt.colorbar(mesh, cax=ax.inset_axes((1.03, 0.5 - height / 2, 0.05, height)))
    bar.set_label(label)
    low, high = mesh.get_clim()
    located = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high)
    n_decimals = max(1, int(np.ceil(-np.log10(located[1] - located[0]) - 1e-9)))
    ticks = [float(tick) for tick in located if low <= tick <= high]
    labels = [f"{tick:.{n_decimals}f}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    if np.isfinite(chance):
        away = [k for k, tick in enumerate(ticks) if abs(tick - chance) > 0.08 * (high - low)]
        ticks = [*(ticks[k] for k in away), chance]
        labels = [*(labels[k] for k in away), f"{chance:.3g}\nchance"]
        bar.ax.axhline(chance, color="black", linewidth=0.8)
    bar.set_ticks(ticks, labels=labels)
    bar.ax.minorticks_off()


def _draw_marks(ax: Axes, matrix: xr.DataArray) -> None:
    """Diagonal, row of the General decoder and border of the zone of shared volumes: black on white, seen on any cell."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    casing = [withStroke(linewidth=1.8, foreground="white", alpha=0.75)]
    train, test = matrix.train_delta.to_numpy(), matrix.test_delta.to_numpy()
    own = np.argwhere(
        train[:, np.newaxis] == test
    )  # (row, column) of the cells trained where they are tested
    if own.size:
        touching = len(own) > 1 and bool((np.diff(own, axis=0) == 1).all())
        look: dict[str, Any] = {"linestyle": "--"} if touching else {"linestyle": "none", "marker": "o"}
        ax.plot(
            own[:, 1],
            own[:, 0],
            color="black",
            linewidth=0.8,
            label="Specialized",
            path_effects=casing,
            **look,
        )
    general_delta = int(matrix.attrs.get("general_delta", 0))
    if general_delta in train:
        corner = (-0.5, float(np.flatnonzero(train == general_delta)[0]) - 0.5)
        row_box = Rectangle(corner, len(test), 1, fill=False, edgecolor="black", linewidth=0.9, linestyle=":")
        row_box.set(label="General", path_effects=casing)
        ax.add_patch(row_box)
    shares = matrix.shares_volumes.to_numpy()
    border = [
        [(c + 0.5, r - 0.5), (c + 0.5, r + 0.5)] for r, c in np.argwhere(shares[:, 1:] != shares[:, :-1])
    ]
    border += [[(c - 0.5, r + 0.5), (c + 0.5, r + 0.5)] for r, c in np.argwhere(shares[1:] != shares[:-1])]
    if border:
        lines = LineCollection(
            border, colors="black", linewidths=0.9, capstyle="projecting", path_effects=casing
        )
        ax.add_collection(lines)
        ax.plot([], [], color="black", linewidth=0.9, label="inside: windows share volumes")


def _label_lags(ax: Axes, matrix: xr.DataArray) -> None:
    """Seconds at round shifts."""
    for axis, delta, lag_s in (
        (ax.yaxis, matrix.train_delta, matrix.train_lag_s),
        (ax.xaxis, matrix.test_delta, matrix.lag_s),
    ):
        shown = round_shifts(delta.to_numpy(), n_ticks=6)
        axis.set_ticks(shown, labels=[f"{float(lag_s[k]):.1f}".replace("-", "\N{MINUS SIGN}") for k in shown])
    ax.set_ylabel("training: onset to window's end (s)")
    ax.set_xlabel("test: onset to window's end (s)")
