"""Peak, onset, fall and width of planted curves."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.summaries import (
    Resampling,
    curve_peak,
    generalization_width,
    half_amplitude_fall,
    half_amplitude_onset,
    significant_onset,
)
from tests.generalization.summaries.planted import DELTAS, TR_S, bump, lag_of, planted, with_general

FEW = Resampling(n_draws=200)
HALF = np.sqrt(2 * np.log(2))  # of a Gaussian, in sigma


@pytest.fixture(scope="module")
def gaussian():
    return with_general(bump(4, 2.0))


def test_planted_gaussian_gives_its_peak_onset_fall_and_width(gaussian):
    peak = curve_peak(gaussian, "pixcorr", resampling=FEW)
    assert (int(peak.peak_delta), float(peak.peak_s)) == (4, pytest.approx(lag_of(4)))
    assert float(peak.peak_above_chance) == pytest.approx(0.3)
    assert float(peak.peak_score) == pytest.approx(0.5)
    assert peak.peak_above_chance_low < 0.3 < peak.peak_above_chance_high
    onset = half_amplitude_onset(gaussian, "pixcorr", resampling=FEW)
    fall = half_amplitude_fall(gaussian, "pixcorr", resampling=FEW)
    width = generalization_width(gaussian, "pixcorr", resampling=FEW)
    step = 0.03 * TR_S  # the straight line between two lags is not the Gaussian
    assert float(onset.onset_unrounded_s) == pytest.approx(lag_of(4 - 2 * HALF), abs=step)
    assert float(fall.fall_unrounded_s) == pytest.approx(lag_of(4 + 2 * HALF), abs=step)
    assert float(width.width_unrounded_s) == pytest.approx(4 * HALF * TR_S, abs=2 * step)
    assert (int(width.width_lags), bool(width.at_least)) == (5, False)
    for summary in (peak, onset, fall, width):
        assert summary.attrs["reason"] == ""
        assert not summary.get("at_edge", False)


def test_straight_flanks_are_interpolated_exactly():
    curve = np.interp(DELTAS, [0, 4, 6, 13], [0, 0.4, 0, 0])  # half at 2 and 5 TRs
    result = with_general(np.where(DELTAS == 2, 0.19, curve))
    onset = half_amplitude_onset(result, "pixcorr", resampling=FEW)
    assert float(onset.onset_unrounded_s) == pytest.approx(lag_of(2 + 0.01 / 0.11))
    fall = half_amplitude_fall(result, "pixcorr", resampling=FEW)
    assert float(fall.fall_unrounded_s) == pytest.approx(lag_of(5))


def test_first_significant_lag_is_that_of_the_mask():
    result = with_general(bump(4, 2.0))
    mask = xr.DataArray(np.isin(DELTAS, [3, 4, 6]), coords={"test_delta": DELTAS}, dims="test_delta")
    onset = significant_onset(result, "pixcorr", mask=mask, resampling=FEW)
    assert (int(onset.first_delta), int(onset.last_delta), int(onset.n_significant)) == (3, 6, 3)
    assert np.isnan(onset.first_low_s)
    without = significant_onset(result, "pixcorr", resampling=FEW)
    assert lag_of(-2) <= float(without.first_s) < lag_of(2)
    assert without.first_low_s <= without.first_s <= without.first_high_s


def test_cells_of_a_tested_matrix_serve_as_mask(gaussian):
    cells = xr.zeros_like(gaussian.pixcorr_chance, dtype=bool)
    cells.loc[{"train_delta": 0, "test_delta": [5, 6]}] = True
    onset = significant_onset(gaussian, "pixcorr", mask=cells, resampling=FEW)
    assert (int(onset.first_delta), int(onset.last_delta)) == (5, 6)


@pytest.mark.parametrize(
    "summary",
    [curve_peak, significant_onset, half_amplitude_onset, half_amplitude_fall, generalization_width],
)
def test_a_curve_at_chance_has_no_latency_but_a_reason(summary):
    at_chance = with_general(np.zeros(len(DELTAS)))
    found = summary(at_chance, "pixcorr", resampling=FEW)
    latencies = [name for name in found if str(name).endswith("_s")]
    assert latencies
    assert all(np.isnan(found[name]) for name in latencies)
    assert "at chance" in found.attrs["reason"]
    none = xr.DataArray(np.zeros(len(DELTAS), bool), coords={"test_delta": DELTAS}, dims="test_delta")
    masked = summary(with_general(bump(4, 2.0)), "pixcorr", mask=none, resampling=FEW)
    assert "mask given" in masked.attrs["reason"]


def test_a_peak_at_the_edge_is_marked_and_its_other_side_is_not_invented():
    rising = with_general(np.clip(0.04 * (DELTAS - 1.0), 0, None))
    assert bool(curve_peak(rising, "pixcorr", resampling=FEW).at_edge)
    fall = half_amplitude_fall(rising, "pixcorr", resampling=FEW)
    assert bool(fall.at_edge)
    assert np.isnan(fall.fall_s)
    assert "up to the last lag" in fall.attrs["reason"]
    assert np.isfinite(half_amplitude_onset(rising, "pixcorr", resampling=FEW).onset_s)
    width = generalization_width(rising, "pixcorr", resampling=FEW)
    assert bool(width.at_least)
    assert np.isinf(width.width_high_s)
    assert float(width.width_unrounded_s) == pytest.approx(6 * TR_S)


def test_of_equal_peaks_the_earliest_is_taken_and_their_number_told():
    plateau = np.where((DELTAS >= 2) & (DELTAS <= 6), 0.25, 0.0)
    peak = curve_peak(with_general(plateau, noise=1e-9), "pixcorr", resampling=FEW)
    assert int(peak.n_tied) == 5
    flat = with_general(plateau, noise=0.0)
    assert int(curve_peak(flat, "pixcorr", resampling=FEW).peak_delta) == 2


def test_lags_that_were_not_scored_are_passed_over_and_a_gap_is_told():
    curve = bump(4, 2.0)
    curve[[int(np.flatnonzero(d == DELTAS)[0]) for d in (2, 12)]] = np.nan
    result = with_general(curve)
    assert int(curve_peak(result, "pixcorr", resampling=FEW).peak_delta) == 4
    onset = half_amplitude_onset(result, "pixcorr", resampling=FEW)
    assert bool(onset.over_gap)
    assert lag_of(1) < float(onset.onset_unrounded_s) < lag_of(3)
    assert not half_amplitude_fall(result, "pixcorr", resampling=FEW).over_gap


def test_no_latency_is_told_more_finely_than_the_acquisition(gaussian):
    for attrs, resolution_s in (({}, TR_S), ({"native_tr_s": 1.6}, 1.6), ({"native_tr_s": 1.0}, TR_S)):
        result = gaussian.assign_attrs(attrs)
        for summary in (
            curve_peak,
            significant_onset,
            half_amplitude_onset,
            half_amplitude_fall,
            generalization_width,
        ):
            found = summary(result, "pixcorr", resampling=FEW)
            assert found.attrs["resolution_s"] == pytest.approx(resolution_s)
            told = [
                name
                for name in found
                if str(name).endswith("_s") and not str(name).endswith(("unrounded_s", "se_s"))
            ]
            assert told
            for name in told:
                steps = float(found[name]) / resolution_s
                assert np.isnan(steps) or steps == pytest.approx(round(steps), abs=1e-9), name
        onset = half_amplitude_onset(result, "pixcorr", resampling=FEW)
        assert onset.onset_low_s <= onset.onset_unrounded_s <= onset.onset_high_s
        assert abs(float(onset.onset_s - onset.onset_unrounded_s)) <= resolution_s / 2 + 1e-9
        assert onset.onset_high_s - onset.onset_low_s >= resolution_s - 1e-9


def test_lower_is_better_turns_the_sign():
    result = with_general(-bump(4, 2.0))
    result.pixcorr.attrs["direction"] = "lower is better"
    peak = curve_peak(result, "pixcorr", resampling=FEW)
    assert int(peak.peak_delta) == 4
    assert float(peak.peak_above_chance) == pytest.approx(0.3)
    assert float(peak.peak_score) == pytest.approx(-0.1)


def test_the_measured_level_of_each_trial_goes_before_that_of_the_cell():
    result = with_general(bump(4, 2.0))
    level = 0.2 + bump(4, 2.0) - bump(7, 2.0)  # what the bump at 4 is worth: nothing; there is one at 7
    shape = (len(DELTAS), len(DELTAS), result.sizes["trial"])
    result["pixcorr_baseline"] = (
        ("train_delta", "test_delta", "trial"),
        np.broadcast_to(level[None, :, None], shape).astype(np.float32),
    )
    peak = curve_peak(result, "pixcorr", resampling=FEW)
    assert int(peak.peak_delta) == 7
    assert "baseline" in peak.attrs["against"]


def test_specialized_peaks_on_the_diagonal():
    above = np.zeros((16, 16)) + bump(0, 2.0)
    above[np.diag_indices(16)] = bump(9, 2.0)
    peak = curve_peak(planted(above), "pixcorr", decoder="specialized", resampling=FEW)
    assert int(peak.peak_delta) == 9
    assert peak.attrs["decoder"] == "specialized"


def test_summaries_survive_netcdf_and_say_how_they_were_made(gaussian, tmp_path):
    onset = half_amplitude_onset(gaussian, "pixcorr", resampling=FEW)
    onset.to_netcdf(tmp_path / "onset.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "onset.nc", engine="h5netcdf"), onset)
    attrs = onset.attrs
    assert (attrs["unit"], attrs["n_units"], attrs["n_draws"], attrs["seed"]) == ("image_id", 40, 200, 0)
    assert "Miller" in attrs["source"]
    assert "c_peak / 2" in attrs["formula"]
    assert attrs["resolution_from"] == "tr_s, as the results have no native_tr_s"


def test_what_cannot_be_summarized_is_refused(gaussian):
    with pytest.raises(ResultsError, match="at its own lag"):
        curve_peak(gaussian.sel(train_delta=[0], test_delta=[1, 2]), "pixcorr", decoder="specialized")
    with pytest.raises(ResultsError, match="level between 0 and 1"):
        Resampling(level=95)
    short = xr.DataArray([True], coords={"test_delta": [3]}, dims="test_delta")
    with pytest.raises(ResultsError, match="mask says nothing of the test lags"):
        curve_peak(gaussian, "pixcorr", mask=short, resampling=FEW)
    without = gaussian.copy()
    del without.attrs["tr_s"]
    with pytest.raises(ResultsError, match="tr_s"):
        curve_peak(without, "pixcorr", resampling=FEW)
    one = gaussian.assign_coords(image_id=("trial", np.zeros(gaussian.sizes["trial"], int)))
    with pytest.raises(ResultsError, match="at least 2"):
        curve_peak(one, "pixcorr", resampling=FEW)
