"""The generalization matrix: every decoder at every lag."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.plots.style import COLUMN_MM, DECODER_LINES, MM_PER_INCH, figure_style, stamp_data_kind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["plot_matrix"]

_HEIGHT_MM = 84.0
_MOSTLY_ABOVE = 0.15  # where scores go this share of their range below chance, colours diverge from it


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
    hatched. Colours diverge from chance where scores fall below it, else they rise from it.

    Parameters
    ----------
    matrix : DataArray, dims (train_delta, test_delta)
        As `generalization_matrix` makes it.
    ax : Axes, optional
        Where to draw; by default a new figure of one column's width in tempgen's style.
    chance : float, optional
        Middle or lower end of the colours; by default the matrix's attribute ``chance``.
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
    with figure_style() if ax is None else nullcontext():
        if ax is None:
            _, ax = plt.subplots(figsize=(COLUMN_MM / MM_PER_INCH, _HEIGHT_MM / MM_PER_INCH))
        for spine in ax.spines.values():
            spine.set_visible(True)
        rows, columns = values.shape
        _draw_missing(ax, values)
        mesh = _draw_cells(ax, values, chance, limits)
        bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.9, aspect=18, pad=0.02)
        bar.outline.set_linewidth(0.5)
        bar.set_label(str(matrix.attrs.get("long_name", matrix.name or "score")))
        _mark_chance(bar, chance)
        _draw_marks(ax, matrix)
        ax.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), aspect="equal")
        _label_lags(ax, matrix)
        _draw_legend(ax)
        stamp_data_kind(ax, matrix.attrs)
    return ax


def _check(matrix: xr.DataArray) -> None:
    if matrix.dims != ("train_delta", "test_delta"):
        raise ResultsError(f"A matrix has dims (train_delta, test_delta), got {matrix.dims}; make it with generalization_matrix.")
    lacking = [name for name in ("train_lag_s", "lag_s", "shares_volumes") if name not in matrix.coords]
    if lacking:
        raise ResultsError(f"The matrix lacks {', '.join(lacking)}; make it with generalization_matrix.")
    if bool(matrix.isnull().all()):
        raise ResultsError("The matrix has no score in any cell; nothing can be drawn.")
