"""From planted outcomes to the rates that were planted."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.validation import calibrate, calibration_tables, clopper_pearson, markdown_table

TESTS, DECODERS, METRICS = ["cluster", "cluster_before_onset"], ["general", "specialized", "matrix"], ["m"]
CURVES, LATENCIES, DELTAS = ["general", "specialized"], ["peak", "onset"], [-1, 0, 1]


def planted(n_datasets=100, *, n_rejected=5, n_covered=95, bias_s=0.25):
    """One condition without and one with signal; all lags of a data set are covered or none."""
    first = np.arange(n_datasets)
    rejects = (first < n_rejected).astype(float)
    both = ["none", "some"]
    dims = ("condition", "dataset", "test", "decoder", "metric")
    outcomes = xr.Dataset(
        {
            "rejects": (
                dims,
                np.broadcast_to(
                    np.stack([rejects, np.ones(n_datasets)])[:, :, None, None, None],
                    (2, n_datasets, len(TESTS), len(DECODERS), 1),
                ).copy(),
            )
        },
        coords={
            "condition": both,
            "test": TESTS,
            "decoder": DECODERS,
            "metric": METRICS,
            "interval": ["percentile"],
            "curve": CURVES,
            "latency": LATENCIES,
            "test_delta": DELTAS,
            "snr": ("condition", [0.0, 0.5]),
        },
        attrs={"alpha": 0.05, "level": 0.95, "data_kind": "simulated"},
    )
    curve = ("condition", "dataset", "interval", "curve", "metric", "test_delta")
    shape = (2, n_datasets, 1, 2, 1, 3)
    true = np.broadcast_to(np.where(first < n_covered, 0.0, 9.0)[:, None, None, None, None], shape)
    for name, values in {"estimate": 0.1, "low": -1.0, "high": 1.0}.items():
        outcomes[name] = (curve, np.full(shape, values))
    outcomes["true"] = (curve, true)
    latency = ("condition", "dataset", "latency", "curve", "metric")
    shape = (2, n_datasets, 2, 2, 1)
    for name, values in {
        "latency_s": 8 + bias_s,
        "latency_low_s": 7.0,
        "latency_high_s": 9.0,
        "latency_true_s": 8.0,
    }.items():
        outcomes[name] = (latency, np.full(shape, values))
    return outcomes


def test_planted_rates_are_found_with_their_exact_intervals():
    summary = calibrate(planted())
    one = summary.sel(condition="none", test="cluster", decoder="matrix", metric="m")
    assert float(one["rejection"]) == 0.05
    assert (float(one["rejection_low"]), float(one["rejection_high"])) == pytest.approx(
        tuple(map(float, clopper_pearson(5, 100)))
    )
    assert float(summary["rejection"].sel(condition="some").min()) == 1


def test_coverage_counts_the_intervals_that_contain_the_truth():
    summary = calibrate(planted(n_covered=93))
    np.testing.assert_allclose(summary["coverage"], 0.93)
    np.testing.assert_allclose(summary["mean_coverage"], 0.93)
    assert (summary["mean_coverage_low"] < 0.93).all()


def test_a_bound_that_is_the_truth_contains_it():
    outcomes = planted(n_covered=100)
    outcomes["low"] = outcomes["true"]
    assert (calibrate(outcomes)["coverage"] == 1).all()


def test_bias_of_latencies_is_estimate_minus_truth():
    outcomes = planted(bias_s=0.25)
    outcomes["latency_s"] = outcomes["latency_s"] + xr.DataArray(np.resize([-0.1, 0.1], 100), dims="dataset")
    summary = calibrate(outcomes)
    np.testing.assert_allclose(summary["latency_bias_s"], 0.25)
    np.testing.assert_allclose(summary["latency_rmse_s"], np.hypot(0.25, 0.1))
    assert (summary["latency_bias_s_low"] > 0.2).all()


def test_data_sets_without_a_latency_count_as_not_found_and_not_as_wrong():
    outcomes = planted()
    outcomes["latency_s"][:, :40] = np.nan
    summary = calibrate(outcomes)
    np.testing.assert_allclose(summary["latency_found"], 0.6)
    assert (summary["latency_bias_s_n"] == 60).all()
    np.testing.assert_allclose(summary["latency_coverage"], 1)


def test_data_sets_that_are_not_there_count_nowhere():
    outcomes = planted()
    there = (outcomes["condition"] == "none") | (xr.DataArray(np.arange(100), dims="dataset") < 10)
    short = outcomes.where(there)
    summary = calibrate(short)
    assert set(np.unique(summary["rejection_n"].sel(condition="some"))) == {10}
    np.testing.assert_allclose(summary["latency_found"], 1)


def test_only_rates_that_should_be_alpha_are_judged():
    table = calibration_tables(calibrate(planted()))["rejection"].set_index(["condition", "test", "decoder"])
    assert table.loc[("none", "cluster", "general"), "contains_alpha"] is True
    assert table.loc[("some", "cluster", "general"), "contains_alpha"] is None
    assert table.loc[("some", "cluster_before_onset", "general"), "contains_alpha"] is False


def test_tables_leave_out_what_rests_on_nothing_and_print_as_markdown():
    outcomes = planted()
    outcomes["rejects"].loc[{"decoder": "matrix"}] = np.nan
    tables = calibration_tables(calibrate(outcomes))
    assert set(tables["rejection"]["decoder"]) == {"general", "specialized"}
    text = markdown_table(tables["latency"])
    assert len(text.splitlines()) == 2 + 2 * 2 * 2
    assert "nan" not in text


def test_outcomes_of_one_data_set_are_no_calibration():
    with pytest.raises(ResultsError, match="dataset"):
        calibrate(planted().isel(dataset=0))
