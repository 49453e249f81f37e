"""Which HRFs the voxels have, and how well that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from tempgen.plots.style import draw_legend_below, own_axes, stamp_data_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_hrf_choice"]

_HEIGHT_MM = 60.0
_BIN_S = 0.2
_COLOUR, _GIVEN = "#0072B2", "0.35"


def plot_hrf_choice(store: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Histogram of the voxels' times to peak, with the standard error of a single voxel's.

    Parameters
    ----------
    store : Dataset
        Of deconvolved activity or betas (:func:`tempgen.data.deconvolution.deconvolve_store`): drawn are ``hrf_time_to_peak_s`` and, where
        HRFs were estimated, ``hrf_standard_error_s``.
    """
    peaks_s, errors_s = store["hrf_time_to_peak_s"].values, store["hrf_standard_error_s"].values
    with own_axes(ax, height_mm=_HEIGHT_MM) as axes:
        low, high = np.floor(peaks_s.min() / _BIN_S) - 1, np.ceil(peaks_s.max() / _BIN_S) + 1
        edges = np.arange(low, high + 1) * _BIN_S
        axes.hist(peaks_s, edges.tolist(), color=_COLOUR, edgecolor="white", linewidth=0.4)
        handles: list[Any] = [axes.patches[0]]
        labels = [f"{len(peaks_s)} voxels"]
        top = 1.3 * axes.get_ylim()[1]
        if np.isfinite(errors_s).any():
            bar = axes.errorbar(
                np.median(peaks_s),
                0.88 * top,
                xerr=np.median(errors_s),
                color=_GIVEN,
                marker="o",
                markersize=3,
                capsize=2.5,
                linewidth=1,
            )
            handles.append(bar)
            labels.append("median ± standard error of a voxel (median)")
        axes.set_ylim(0, top)
        axes.set_xlabel("Time to peak of the HRF (s)")
        axes.set_ylabel("Voxels")
        stamp_data_kind(axes, store.attrs)
        draw_legend_below(axes, handles, labels, own_figure=ax is None)
    return axes
