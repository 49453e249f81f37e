"""The generalization matrix: every decoder at every lag."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.plots.palettes import chance_colours
from tempgen.plots.style import (
    draw_legend_below,
    fit_height,
    is_narrow,
    own_axes,
    stamp_data_kind,
    whole_seconds,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["plot_matrix"]

_HEIGHT_MM = 100.0  # to begin with, then what square cells need
_HIGHEST = 1.5  # height by width of a matrix; with many more training than test lags its cells are flattened
_VISIBLE = 0.05  # distance from chance, as a share of the colours' reach, at which a cell is no longer white
_X_LABEL = "test lag: onset to window's end (s)"
_Y_LABEL = "training lag: onset to window's end (s)"
_NARROW_LETTERS = 24  # to a line over a narrow matrix


def plot_matrix(
    matrix: xr.DataArray,
    *,
    ax: Axes | None = None,
    chance: float | None = None,
    limits: tuple[float, float] | None = None,
    legend: bool = True,
) -> Axes:
    """Draw a generalization matrix, training lag upwards, test lag to the right.

    Marked are the diagonal (Specialized), the row of the General decoder, and the border of the zone in which
    training and test windows share volumes, so that a score there may come from the same noise. Cells that were not
    computed are grey and hatched. Chance is white, the same distance from it has the same strength above and below, and
    cells visibly below it bear a minus sign. White is one level: where chance differs between cells, draw
    ``generalization_matrix(..., above_chance=True)``.

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
    legend : bool
        Whether to draw one; `plot_row` draws one for all its panels.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If the matrix has other dimensions, lacks a coordinate or has no score.
    """
    from matplotlib.figure import Figure

    _check(matrix)
    values = matrix.to_numpy()
    chance = float(matrix.attrs.get("chance", np.nan)) if chance is None else chance
    own_figure = ax is None
    with own_axes(ax, height_mm=_HEIGHT_MM) as ax:
        for spine in ax.spines.values():
            spine.set_visible(True)
        rows, columns = values.shape
        _draw_missing(ax, values)
        mesh = _draw_cells(ax, values, chance, limits)
        _draw_below_chance(ax, values, mesh, chance)
        _draw_marks(ax, matrix)
        ax.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))
        ax.set_aspect(min(1.0, _HIGHEST * columns / rows))
        _label_lags(ax, matrix)
        _draw_bar(ax, mesh, str(matrix.attrs.get("long_name", matrix.name)), chance)
        if legend:
            draw_legend_below(ax, *ax.get_legend_handles_labels(), own_figure=own_figure)
        stamp_data_kind(ax, matrix.attrs)
        if own_figure and isinstance(figure := ax.get_figure(root=True), Figure):
            fit_height(figure, [ax])
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
    low, high = limits if limits is not None else (float(np.nanmin(values)), float(np.nanmax(values)))
    colours, low, high = chance_colours(low, high, chance)
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


def _draw_below_chance(ax: Axes, values: NDArray[np.float64], mesh: QuadMesh, chance: float) -> None:
    """A minus sign in each cell below chance: in grey print both halves of the colour map look alike."""
    from matplotlib.patheffects import withStroke

    low, high = mesh.get_clim()
    rows, columns = np.nonzero(values < chance - _VISIBLE * max(high - chance, chance - low))
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


def _draw_bar(ax: Axes, mesh: QuadMesh, label: str, chance: float) -> None:
    """Colour bar over the matrix, as wide as it; chance by name."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    high_by_wide = float(ax.get_aspect()) * np.ptp(ax.get_ylim()) / np.ptp(ax.get_xlim())
    place = (0, 1 + 0.035 / high_by_wide, 1, 0.04 / high_by_wide)
    bar = plt.colorbar(mesh, cax=ax.inset_axes(place), orientation="horizontal", ticklocation="top")
    narrow = is_narrow(ax)
    bar.set_label(fill(label, _NARROW_LETTERS) if narrow else label)
    low, high = mesh.get_clim()
    located = MaxNLocator(nbins=5 if narrow else 6, steps=[1, 2, 5, 10]).tick_values(low, high)
    n_decimals = max(1, int(np.ceil(-np.log10(located[1] - located[0]) - 1e-9)))
    ticks = [float(tick) for tick in located if low <= tick <= high]
    labels = [f"{tick:.{n_decimals}f}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    if np.isfinite(chance):
        away = [
            k
            for k, tick in enumerate(ticks)
            if abs(tick - chance) > (0.17 if narrow else 0.12) * (high - low)
        ]
        ticks = [*(ticks[k] for k in away), chance]
        labels = [*(labels[k] for k in away), f"chance\n{chance:.3g}"]
        bar.ax.axvline(chance, color="black", linewidth=0.8)
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
    """Seconds, at cells of whole ones if there are."""
    high_by_wide = np.ptp(ax.get_ylim()) / np.ptp(ax.get_xlim())
    n_rows = max(1, round(6 * min(1.0, 2.5 * high_by_wide)))
    for axis, lag_s, n_ticks in ((ax.yaxis, matrix.train_lag_s, n_rows), (ax.xaxis, matrix.lag_s, 6)):
        shown = whole_seconds(lag_s.to_numpy(), n_ticks=n_ticks)
        shown_s = [float(lag_s[k]) for k in shown]
        form = ".0f" if all(abs(one - round(one)) < 1e-3 for one in shown_s) else ".1f"
        axis.set_ticks(shown, labels=[f"{one:{form}}".replace("-", "\N{MINUS SIGN}") for one in shown_s])
    ax.set_ylabel(
        "training lag: onset\nto window's end (s)" if high_by_wide < 0.8 or is_narrow(ax) else _Y_LABEL
    )
    ax.set_xlabel("test lag: onset\nto window's end (s)" if is_narrow(ax) else _X_LABEL)
