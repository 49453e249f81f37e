"""Curves cut from a planted result."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import lag_curve
from tests.generalization.planted_lags import DELTAS, TR_S, planted_lags


def test_general_is_the_row_of_the_decoder_trained_at_zero():
    curve = lag_curve(planted_lags(), "identification", decoder="general", n_draws=50)
    np.testing.assert_array_equal(curve.test_delta, DELTAS)
    np.testing.assert_allclose(curve["mean"], DELTAS, atol=0.1)
    np.testing.assert_allclose(curve.lag_s, (DELTAS + 8) * TR_S)
    assert (curve.low < curve["mean"]).all()
    assert (curve.high > curve["mean"]).all()


def test_general_follows_the_lag_it_was_trained_at_where_the_results_name_another():
    curve = lag_curve(
        planted_lags().assign_attrs(general_delta=2), "identification", decoder="general", n_draws=20
    )
    np.testing.assert_allclose(curve["mean"], 20 + DELTAS, atol=0.1)


def test_specialized_is_the_diagonal_where_both_lags_exist():
    results = planted_lags().isel(train_delta=[0, 2, 5])
    curve = lag_curve(results, "identification", decoder="specialized", n_draws=20)
    np.testing.assert_array_equal(curve.test_delta, [-2, 0, 3])
    np.testing.assert_allclose(curve["mean"], [-22, 0, 33], atol=0.1)
    np.testing.assert_allclose(curve.lag_s, (np.array([-2, 0, 3]) + 8) * TR_S)


def test_the_target_is_that_asked_for():
    curve = lag_curve(planted_lags(), "identification", decoder="general", target="next", n_draws=20)
    np.testing.assert_allclose(curve["mean"], 1000 + DELTAS, atol=0.1)
    assert curve.attrs["target"] == "next"


def test_chance_is_the_measured_one_of_each_cell_or_the_metrics_own():
    results = planted_lags()
    specialized = lag_curve(results, "pixcorr", decoder="specialized", n_draws=20)
    np.testing.assert_allclose(specialized.chance, 11 * DELTAS / 1000)
    assert "other trials" in specialized.attrs["chance_label"]
    fixed = lag_curve(results, "identification", decoder="general", n_draws=20)
    np.testing.assert_array_equal(fixed.chance, 0.5)
    assert fixed.attrs["chance_label"] == "chance"
    unknown = lag_curve(planted_lags(measured_chance=False), "pixcorr", decoder="general", n_draws=20)
    assert np.isnan(unknown.chance).all()


def test_attributes_name_the_interval_the_counts_and_the_data():
    attrs = lag_curve(planted_lags(), "pixcorr", decoder="general", n_draws=20, level=0.9).attrs
    assert attrs["interval"] == "90 % bootstrap interval over images"
    assert (attrs["n_trials"], attrs["n_images"], attrs["n_units"], attrs["n_draws"]) == (30, 10, 10, 20)
    assert (attrs["long_name"], attrs["data_kind"], attrs["soa_s"]) == ("PixCorr", "simulated", 4.0)
    by_run = lag_curve(planted_lags(), "pixcorr", decoder="general", n_draws=20, unit="run").attrs
    assert (by_run["interval"], by_run["n_units"]) == ("95 % bootstrap interval over runs", 3)


def test_curves_survive_netcdf(tmp_path):
    curve = lag_curve(planted_lags(), "pixcorr", decoder="specialized", n_draws=20)
    curve.to_netcdf(tmp_path / "curve.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "curve.nc", engine="h5netcdf"), curve)


def test_the_same_seed_gives_the_same_interval():
    curves = [lag_curve(planted_lags(), "pixcorr", decoder="general", n_draws=20, seed=s) for s in (1, 1, 2)]
    xr.testing.assert_identical(curves[0], curves[1])
    assert not curves[0].equals(curves[2])


def test_trials_without_a_previous_image_do_not_count():
    results = planted_lags()
    results["identification"][:, :, 0, :6] = np.nan
    curve = lag_curve(results, "identification", decoder="general", target="previous", n_draws=20)
    assert curve.attrs["n_trials"] == 24
    expected = (
        results.identification.sel(train_delta=0, target="previous").isel(trial=slice(6, None)).mean("trial")
    )
    np.testing.assert_allclose(curve["mean"], expected, rtol=1e-6)


def test_lags_that_were_not_computed_are_nan_in_the_curve():
    results = planted_lags()
    results["identification"][:, 3] = np.nan
    curve = lag_curve(results, "identification", decoder="general", n_draws=20)
    np.testing.assert_array_equal(np.isnan(curve["mean"]), np.arange(len(DELTAS)) == 3)
    np.testing.assert_array_equal(np.isnan(curve.low), np.arange(len(DELTAS)) == 3)


@pytest.mark.parametrize("decoder", ["general", "specialized"])
def test_a_curve_above_chance_is_shifted_with_its_interval(decoder):
    raw, above = (
        lag_curve(planted_lags(), "pixcorr", decoder=decoder, n_draws=20, above_chance=above_chance)
        for above_chance in (False, True)
    )
    for name in ("mean", "low", "high", "chance"):
        np.testing.assert_allclose(above[name], raw[name] - raw.chance, atol=1e-12)
    assert above.attrs["long_name"] == "PixCorr above chance"
    assert "chance is taken as known" in above.attrs["interval_method"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"metric": "dreamsim"}, "no metric 'dreamsim'; they have identification, pixcorr"),
        ({"target": "second next"}, "no target 'second next'; they have previous, current, next"),
        ({"decoder": "universal"}, "choose 'general' or 'specialized'"),
        ({"unit": "image"}, "choose trial or one of image_id, run"),
    ],
)
def test_what_the_results_lack_is_named_with_what_they_have(arguments, complaint):
    with pytest.raises(ResultsError, match=complaint):
        lag_curve(planted_lags(), **({"metric": "pixcorr", "decoder": "general", "n_draws": 10} | arguments))


def test_a_decoder_that_was_not_evaluated_is_refused():
    with pytest.raises(ResultsError, match=r"no General decoder.*Train it first"):
        lag_curve(planted_lags().sel(train_delta=[1, 2]), "pixcorr", decoder="general")
    with pytest.raises(ResultsError, match="at its own lag"):
        lag_curve(planted_lags().sel(train_delta=[1], test_delta=[2]), "pixcorr", decoder="specialized")
    only_general = planted_lags()
    only_general["pixcorr"] = only_general.pixcorr.where(only_general.train_delta == 1)
    with pytest.raises(ResultsError, match="no pixcorr of the general decoder"):
        lag_curve(only_general, "pixcorr", decoder="general")


def test_a_single_unit_gives_a_curve_without_an_interval():
    results = planted_lags()
    one_run = results.assign_coords(run=("trial", np.zeros(results.sizes["trial"], dtype=int)))
    curve = lag_curve(one_run, "pixcorr", decoder="general", unit="run", n_draws=20)
    assert curve["mean"].notnull().any()
    assert curve[["low", "high"]].to_array().isnull().all()
    assert curve.attrs["interval"] == "no interval: all trials are of one of the runs"


def test_images_shown_three_times_count_once():
    """Equal scores of repetitions: the interval over images is about sqrt(3) times as wide as that over trials."""
    results = planted_lags()
    n_images = 60
    per_image = np.random.default_rng(0).normal(size=n_images)
    shape = (len(results.train_delta), len(results.test_delta), len(results.target), 3 * n_images)
    scores = np.broadcast_to(np.repeat(per_image, 3), shape).astype(np.float32)
    repeated = xr.Dataset(
        {"pixcorr": (results.pixcorr.dims, scores)},
        coords={name: results.coords[name] for name in ("train_delta", "test_delta", "lag_s", "target")}
        | {"image_id": ("trial", np.repeat(np.arange(n_images), 3))},
        attrs=results.attrs,
    )
    width = {}
    for unit in ("image_id", "trial"):
        curve = lag_curve(repeated, "pixcorr", decoder="general", unit=unit, n_draws=2000)
        width[unit] = float((curve["high"] - curve["low"]).mean())
    assert width["image_id"] / width["trial"] == pytest.approx(np.sqrt(3), rel=0.15)


def test_nothing_is_subtracted_from_a_curve_where_chance_is_not_known():
    with pytest.raises(ResultsError, match="Chance is not known at 7 of the 7"):
        lag_curve(
            planted_lags(measured_chance=False), "pixcorr", decoder="general", n_draws=5, above_chance=True
        )
