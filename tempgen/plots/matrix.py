"""The generalization matrix: every decoder at every lag."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.plots.style import COLUMN_MM, MM_PER_INCH, draw_legend_below, figure_style, stamp_data_kind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["plot_matrix"]

_HEIGHT_MM = 84.0
_COLOURS = (
    "RdBu_r"  # white at chance, red above, blue below; readable with all common kinds of colour blindness
)
_COLOURS_WITHOUT_CHANCE = "viridis"
_N_TICKS = 6


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
    hatched. Chance is white, and the same distance from it has the same strength above and below.

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
        _draw_bar(ax, mesh, str(matrix.attrs.get("long_name", matrix.name)), chance)
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


def _draw_bar(ax: Axes, mesh: QuadMesh, label: str, chance: float) -> None:
    """Colour bar as high as the matrix, with round numbers, and chance by name."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    bar = plt.colorbar(mesh, cax=ax.inset_axes((1.03, 0, 0.05, 1)))
    bar.set_label(label)
    low, high = mesh.get_clim()
    ticks = [float(tick) for tick in MaxNLocator(nbins=5).tick_values(low, high) if low <= tick <= high]
    labels = [f"{tick:.3g}" for tick in ticks]
    if np.isfinite(chance):
        away = [k for k, tick in enumerate(ticks) if abs(tick - chance) > 0.08 * (high - low)]
        ticks = [*(ticks[k] for k in away), chance]
        labels = [*(labels[k] for k in away), f"{chance:.2f}\nchance"]
        bar.ax.axhline(chance, color="black", linewidth=0.8)
    bar.set_ticks(ticks, labels=labels)
    bar.ax.minorticks_off()


def _draw_marks(ax: Axes, matrix: xr.DataArray) -> None:
    """Diagonal, row of the General decoder and border of the zone of shared volumes, in black that no cell has."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    train, test = matrix.train_delta.to_numpy(), matrix.test_delta.to_numpy()
    own = [(int(np.flatnonzero(test == delta)[0]), row) for row, delta in enumerate(train) if delta in test]
    if own:
        ax.plot(
            *zip(*own, strict=True),
            color="black",
            linewidth=0.7,
            linestyle=(0, (4, 3)),
            label="Specialized (diagonal)",
        )
    general_delta = int(matrix.attrs.get("general_delta", 0))
    if general_delta in train:
        row = int(np.flatnonzero(train == general_delta)[0])
        box = Rectangle(
            (-0.5, row - 0.5),
            len(test),
            1,
            fill=False,
            linewidth=0.8,
            linestyle=(0, (1, 1)),
            edgecolor="black",
        )
        box.set_label(f"General (trained at {general_delta})")
        ax.add_patch(box)
    shares = matrix.shares_volumes.to_numpy()
    border = [
        [(c + 0.5, r - 0.5), (c + 0.5, r + 0.5)] for r, c in np.argwhere(shares[:, 1:] != shares[:, :-1])
    ]
    border += [[(c - 0.5, r + 0.5), (c + 0.5, r + 0.5)] for r, c in np.argwhere(shares[1:] != shares[:-1])]
    if border:
        ax.add_collection(LineCollection(border, colors="black", linewidths=0.9, capstyle="projecting"))
        ax.plot([], [], color="black", linewidth=0.9, label="inside: windows share volumes")


def _label_lags(ax: Axes, matrix: xr.DataArray) -> None:
    """Seconds at round shifts."""
    for axis, delta, lag_s in (
        (ax.yaxis, matrix.train_delta, matrix.train_lag_s),
        (ax.xaxis, matrix.test_delta, matrix.lag_s),
    ):
        every = max(1, round(delta.size / _N_TICKS))
        shown = [k for k, value in enumerate(delta.to_numpy()) if value % every == 0]
        axis.set_ticks(shown, labels=[f"{float(lag_s[k]):.1f}" for k in shown])
    ax.set_ylabel("training: onset to window's end (s)")
    ax.set_xlabel("test: onset to window's end (s)")
