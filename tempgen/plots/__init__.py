"""Figures: xarray in, Axes out; nothing is computed here.

Without ``ax`` a function makes a figure of one column's width in `figure_style`; with it, the caller's settings hold.
"""

from tempgen.plots.curves import plot_lag_curves, plot_targets
from tempgen.plots.export import save_figure
from tempgen.plots.hrf import plot_hrf_choice
from tempgen.plots.images import plot_reconstructions
from tempgen.plots.matrix import plot_matrix
from tempgen.plots.panels import plot_row
from tempgen.plots.separability import plot_separability
from tempgen.plots.style import COLUMN_MM, DECODER_LINES, TARGET_LINES, figure_style

__all__ = [
    "COLUMN_MM",
    "DECODER_LINES",
    "TARGET_LINES",
    "figure_style",
    "plot_hrf_choice",
    "plot_lag_curves",
    "plot_matrix",
    "plot_reconstructions",
    "plot_row",
    "plot_separability",
    "plot_targets",
    "save_figure",
]
