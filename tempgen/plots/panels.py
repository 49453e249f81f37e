"""Several metrics side by side: one row of axes of a page's width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tempgen.plots.style import MM_PER_INCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_MM = 180
"""Width of two columns. Source: Nature's guide to figures, 180 mm."""


def plot_row(
    plot: Callable[..., Axes], panels: Mapping[str, Any], *, height_mm: float = 68, **settings: Any
) -> Figure:
    """Draw one panel for each metric with the same plot function.

    Parameters
    ----------
    plot : callable
        ``plot_lag_curves``, ``plot_targets`` or ``plot_matrix``.
    panels : mapping of str to what ``plot`` draws
        By metric, from left to right; each axis names its own metric.
    height_mm : float
        Of the figure.
    **settings
        Passed on to ``plot``.

    Returns
    -------
    Figure
        As wide as a page for three panels, a column and a half for fewer.
    """
    from matplotlib import pyplot as plt

    width_mm = PAGE_MM * max(2, len(panels)) / 3
    figure, axes = plt.subplots(
        1, len(panels), figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained", squeeze=False
    )
    for ax, panel in zip(axes[0], panels.values(), strict=True):
        plot(panel, ax=ax, **settings)
    return figure
