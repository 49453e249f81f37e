"""All summaries in one table."""

import numpy as np
import pytest

from tempgen.generalization.summaries import (
    Resampling,
    curve_peak,
    dynamics_index,
    half_amplitude_onset,
    summary_table,
)
from tempgen.generalization.summaries.resampling import resample_cells
from tempgen.metrics import IMAGE_METRICS
from tests.generalization.summaries.planted import DELTAS, bump, planted, with_general

FEW = Resampling(n_draws=200)
UNITS = ("_s", "_tr", "_score", "_lags", "_index")


@pytest.fixture(scope="module")
def result():
    above = np.tile(bump(4, 2.0), (16, 1))
    above[np.diag_indices(16)] += 0.05
    matrix = planted(above, native_tr_s=1.6)
    at_chance = planted(np.zeros((16, 16)), chance=0.5)
    matrix["identification"] = at_chance["pixcorr"].assign_attrs(IMAGE_METRICS["identification"].attrs())
    return matrix


def test_a_row_for_each_metric_and_decoder_and_units_in_the_column_names(result):
    table = summary_table(result, resampling=FEW)
    assert sorted(table.index) == [
        (metric, decoder)
        for metric in ("identification", "pixcorr")
        for decoder in ("general", "specialized")
    ]
    unitless = [name for name in table.columns if not name.endswith(UNITS)]
    assert unitless == ["peak_at_edge", "notes"]


def test_numbers_are_those_of_the_single_summaries(result):
    table = summary_table(result, ["pixcorr"], resampling=FEW)
    row = table.loc[("pixcorr", "general")]
    peak = curve_peak(result, "pixcorr", resampling=FEW)
    onset = half_amplitude_onset(result, "pixcorr", resampling=FEW)
    shape = dynamics_index(result, "pixcorr", resampling=FEW)
    assert row["peak_delta_tr"] == 4
    assert row["peak_above_chance_low_score"] == float(peak.peak_above_chance_low)
    assert row["onset_low_s"] == float(onset.onset_low_s)
    assert row["dynamics_high_index"] == float(shape.dynamics_high)
    assert row["resolution_s"] == 1.6
    assert table.loc[("pixcorr", "specialized"), "gain_score"] == pytest.approx(0.05)
    assert np.isnan(row["gain_score"])
    seconds = table[[name for name in table.columns if name.endswith("_s")]].to_numpy(dtype=float)
    steps = seconds[np.isfinite(seconds)] / 1.6
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_a_metric_at_chance_has_no_latencies_and_a_note(result):
    row = summary_table(result, ["identification"], resampling=FEW).loc[("identification", "general")]
    assert np.isnan(
        [row[name] for name in ("peak_s", "onset_s", "fall_s", "width_s", "dynamics_index")]
    ).all()
    assert "at chance" in row["notes"]


def test_a_result_of_the_general_decoder_alone_has_one_row():
    table = summary_table(with_general(bump(4, 2.0)).isel(train_delta=[2], test_delta=slice(3, None)))
    assert list(table.index) == [("pixcorr", "general")]
    assert "dynamics_index" not in table


def test_all_summaries_rest_on_the_same_draws(result):
    cells = resample_cells(result, "pixcorr", resampling=FEW)
    general, specialized = cells.curve("general"), cells.curve("specialized")
    at = np.flatnonzero(DELTAS == 0)[0]
    np.testing.assert_array_equal(general.drawn[:, at], specialized.drawn[:, at])
    values = result["pixcorr"].sel(train_delta=0, test_delta=3, target="current").to_numpy() - 0.2
    drawn = np.random.default_rng(FEW.seed).integers(40, size=(200, 40))
    by_image = values.reshape(40, 2).mean(axis=1)
    np.testing.assert_allclose(
        general.drawn[:, np.flatnonzero(DELTAS == 3)[0]], by_image[drawn].mean(axis=1), atol=1e-12
    )
    np.testing.assert_allclose(general.left_out[5, 5], (by_image.sum() - by_image[5]) / 39)
