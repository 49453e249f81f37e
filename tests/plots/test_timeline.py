"""Regions by lag, their onsets and peaks."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.plots.timeline import plot_region_lags, plot_region_latencies


def planted_curves(n_regions=4):
    """Each region peaks a volume after the one before and is weaker; the last is at chance."""
    lag_s = np.arange(-1, 13) * 4 / 3
    peak_s = 4 / 3 * np.arange(5.0, 5 + n_regions)
    strength = np.linspace(0.4, 0.1, n_regions)
    strength[-1] = 0
    mean = strength[:, np.newaxis] * np.exp(-(((lag_s - peak_s[:, np.newaxis]) / 3) ** 2)) - 0.02
    peak_s[-1] = np.nan
    latencies = {"peak_s": peak_s, "peak_low_s": peak_s - 1.5, "peak_high_s": peak_s + 1.5}
    latencies |= {name.replace("peak", "onset"): values - 3 for name, values in latencies.items()}
    return xr.Dataset(
        {
            "mean": (("region", "test_delta"), mean),
            **{name: ("region", values) for name, values in latencies.items()},
        },
        coords={
            "test_delta": np.arange(-4, 10),
            "lag_s": ("test_delta", lag_s),
            "region": [f"region {k}" for k in range(n_regions)],
        },
        attrs={
            "long_name": "Two-way identification above chance",
            "interval_level": 0.95,
            "data_kind": "simulated",
            "subject": "1",
        },
    )


def test_regions_go_downwards_and_chance_is_white():
    ax = plot_region_lags(planted_curves())
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"region {k}" for k in range(4)]
    assert ax.yaxis_inverted()
    mesh = ax.collections[0]
    low, high = mesh.get_clim()
    assert min(mesh.cmap((0 - low) / (high - low))[:3]) > 0.95


def test_limits_can_be_shared_between_figures():
    ax = plot_region_lags(planted_curves(), limits=(-0.1, 0.5))
    assert ax.collections[0].get_clim() == (-0.1, 0.5)


def test_a_region_at_chance_has_no_onset_and_no_peak():
    ax = plot_region_latencies(planted_curves())
    for line in ax.get_lines():
        assert np.isfinite(line.get_xdata()).sum() == 3


@pytest.mark.parametrize("plot", [plot_region_lags, plot_region_latencies])
@pytest.mark.parametrize("n_regions", [2, 8])
def test_words_neither_leave_the_page_nor_lie_on_one_another(plot, n_regions, text_faults):
    assert text_faults(plot(planted_curves(n_regions)).figure) == []


def test_what_cannot_be_drawn_is_refused():
    curves = planted_curves()
    with pytest.raises(ResultsError, match="lack onset_s"):
        plot_region_lags(curves.drop_vars("onset_s"))
    with pytest.raises(ResultsError, match="no score at any lag"):
        plot_region_lags(curves.assign(mean=curves["mean"] * np.nan))
    with pytest.raises(ResultsError, match="No region is above chance"):
        plot_region_latencies(curves.isel(region=[-1]))
