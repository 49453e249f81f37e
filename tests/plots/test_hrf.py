"""The figure of the HRFs' times to peak."""

import matplotlib
import numpy as np
import xarray as xr

from tempgen.plots.hrf import plot_hrf_choice

matplotlib.use("Agg")


def store_of(peaks_s, errors_s) -> xr.Dataset:
    maps = {
        "hrf_time_to_peak_s": ("voxel", np.asarray(peaks_s)),
        "hrf_standard_error_s": ("voxel", np.asarray(errors_s)),
    }
    return xr.Dataset(maps, attrs={"data_kind": "simulated", "subject": "1"})


def test_every_voxel_is_in_a_bar_and_the_error_bar_is_the_median_error():
    peaks_s = np.random.default_rng(0).uniform(2.7, 6.0, 200)
    axes = plot_hrf_choice(store_of(peaks_s, np.full(200, 0.25)))

    assert sum(bar.get_height() for bar in axes.patches) == 200
    segment = axes.containers[1].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(np.ptp(segment[:, 0]), 0.5)
    assert axes.get_xlabel() == "Time to peak of the HRF (s)"


def test_given_hrfs_have_no_error_bar():
    axes = plot_hrf_choice(store_of(np.full(5, 5.0), np.full(5, np.nan)))
    assert len(axes.containers) == 1
