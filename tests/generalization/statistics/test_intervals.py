"""Intervals of all metrics at once are those of each alone."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import lag_curve
from tempgen.generalization.statistics import score_intervals
from tests.generalization.planted_lags import planted_lags
from tests.generalization.statistics.synthetic import one_row


@pytest.mark.parametrize("decoder", ["general", "specialized"])
def test_percentiles_are_those_of_the_curve_of_each_metric(decoder):
    results = planted_lags()
    both = score_intervals(results, decoder=decoder, n_draws=100, seed=3)
    assert both["mean"].dims == ("metric", "test_delta")
    for metric in ("identification", "pixcorr"):
        curve = lag_curve(results, metric, decoder=decoder, n_draws=100, seed=3)
        for name in ("mean", "low", "high"):
            np.testing.assert_allclose(both[name].sel(metric=metric), curve[name])


def test_the_matrix_has_an_interval_in_every_cell_that_was_computed():
    results = planted_lags()
    results["pixcorr"][0, 1] = np.nan
    cells = score_intervals(results, ["pixcorr"], decoder="matrix", n_draws=50, method="bca", unit="run")
    assert cells.low.dims == ("metric", "train_delta", "test_delta")
    np.testing.assert_array_equal(np.isnan(cells.low[0]), np.isnan(results["pixcorr"][:, :, 1, 0]))
    assert (cells.low <= cells["mean"]).sum() == 48


def test_the_level_of_each_trial_is_taken_off():
    popularity = np.random.default_rng(0).normal(size=30)
    results = one_row(np.tile(popularity + 0.25, (2, 1)), baseline=popularity)
    above = score_intervals(results, against="baseline", n_draws=50)
    for name in ("mean", "low", "high"):
        np.testing.assert_allclose(above[name], 0.25)
    plain = score_intervals(results, n_draws=50)
    assert (plain.high - plain.low > 0.1).all()


def test_attributes_say_how_it_was_made_and_survive_netcdf(tmp_path):
    made = score_intervals(planted_lags(), n_draws=50, level=0.9, method="bca", seed=4)
    wanted = {
        "n_draws": 50,
        "seed": 4,
        "unit": "image_id",
        "n_units": 10,
        "n_trials": 30,
        "interval_method": "bca",
    }
    assert wanted.items() <= made.attrs.items()
    assert made.attrs["interval"] == "90 % bootstrap interval over images"
    made.to_netcdf(tmp_path / "made.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "made.nc", engine="h5netcdf"), made)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ResultsError, match="no metric 'lpips'"):
        score_intervals(planted_lags(), ["lpips"])
