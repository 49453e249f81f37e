"""One planted result in, what every test and interval made of it out."""

import numpy as np
import pytest
import xarray as xr

from tempgen.generalization.validation import TESTS, chance_truth, dataset_outcomes, measured_truth
from tempgen.windows import Window

OPTIONS = {"alpha": 0.05, "level": 0.95, "n_permutations": 100, "n_draws": 200, "seed": 0}
WINDOW = Window(2, 6, 4 / 3)
DIMS = ("train_delta", "test_delta", "target", "trial")


def result(signal, *, n_trials=60, seed=0, matrix=False, chance=0.5):
    """Identification of the General row and the diagonal: 0.5 + signal(test_delta) + noise, with baseline and null."""
    rng = np.random.default_rng(seed)
    deltas = np.arange(-9, 9)
    trains = np.array([-9, -8, -1, 0, 1])
    shape = (len(trains), len(deltas), 1, n_trials)
    scores = chance + signal(deltas)[None, :, None, None] + 0.2 * rng.standard_normal(shape)
    if not matrix:
        there = (trains[:, None] == 0) | (trains[:, None] == deltas)
        scores = np.where(there[:, :, None, None], scores, np.nan)
    baseline = np.where(np.isnan(scores[:, :, 0]), np.nan, chance)
    null = chance + 0.2 / n_trials**0.5 * rng.standard_normal((99, len(trains), len(deltas)))
    return xr.Dataset(
        {
            "identification": (DIMS, scores, {"chance": chance, "direction": "higher is better"}),
            "identification_chance": (DIMS[:2], np.full(shape[:2], chance)),
            "identification_baseline": (("train_delta", "test_delta", "trial"), baseline),
            "identification_null": (("permutation", *DIMS[:2]), null),
        },
        coords={
            "train_delta": trains,
            "test_delta": deltas,
            "lag_s": ("test_delta", np.array([WINDOW.lag_s(delta) for delta in deltas])),
            "target": np.array(["current"], dtype=object),
            "image_id": ("trial", np.arange(n_trials) // 2),
            "run": ("trial", np.arange(n_trials) // 20),
        },
        attrs={"general_delta": 0, "tr_s": 4 / 3, "data_kind": "simulated", "subject": "1"},
    )


def bump(deltas):
    return 0.3 * np.exp(-((deltas / 3) ** 2))


def nothing(deltas):
    return 0.0 * deltas


def outcomes_of(results, truth=None):
    return dataset_outcomes(results, ["identification"], truth, **OPTIONS).sel(metric="identification")


def test_a_signal_is_found_where_it_is_and_not_before_the_image_appears():
    rejects = outcomes_of(result(bump))["rejects"]
    assert set(rejects["test"].values) == set(TESTS)
    found = rejects.sel(test=["cluster", "max_statistic", "fdr", "band"])
    assert (found.sel(decoder=["general", "specialized"]) == 1).all()
    assert found.sel(decoder="matrix").isnull().all()  # it was not scored
    assert (rejects.sel(test="cluster_before_onset", decoder=["general", "specialized"]) == 0).all()


def test_the_matrix_is_tested_where_all_of_it_was_scored():
    rejects = outcomes_of(result(bump, matrix=True))["rejects"]
    assert (rejects.sel(decoder="matrix", test=["cluster", "max_statistic", "fdr"]) == 1).all()


def test_without_permutations_only_their_tests_are_left_out():
    rejects = outcomes_of(result(bump).drop_vars("identification_null"))["rejects"].sel(decoder="general")
    assert rejects.sel(test=["max_statistic", "fdr"]).isnull().all()
    assert rejects.sel(test=["cluster", "band"]).notnull().all()


def test_latencies_of_the_expected_curve_are_their_truth():
    further = [result(bump, n_trials=3000, seed=k) for k in (1, 2)]
    outcomes = outcomes_of(result(bump), measured_truth(further, ["identification"])).sel(curve="general")
    true = outcomes["latency_true_s"]
    # the bump peaks at delta 0 and is half as high 3 sqrt(ln 2) TRs from there
    half_s = 3 * np.log(2) ** 0.5 * 4 / 3
    peak_s = WINDOW.lag_s(0)
    assert abs(float(true.sel(latency="peak")) - peak_s) < 2
    assert float(true.sel(latency="onset")) == pytest.approx(peak_s - half_s, abs=0.25)
    assert float(true.sel(latency="fall")) == pytest.approx(peak_s + half_s, abs=0.25)
    assert (abs(outcomes["latency_s"] - true) < 3).all()
    assert ((outcomes["latency_low_s"] <= true) & (true <= outcomes["latency_high_s"])).all()


def test_measured_truth_is_the_mean_over_all_further_trials():
    further = [result(bump, n_trials=n, seed=n) for n in (100, 300)]
    truth = measured_truth(further, ["identification"]).sel(curve="general", metric="identification")
    scores = xr.concat([one["identification"] for one in further], dim="trial")
    expected = scores.sel(train_delta=0, target="current").mean("trial")
    np.testing.assert_allclose(truth["score"], expected, atol=1e-6)
    np.testing.assert_allclose(truth["above_chance"], expected - 0.5, atol=1e-6)
    # half as many images as trials, each a mean of two
    np.testing.assert_allclose(truth["truth_error"], 0.2 / 400**0.5, rtol=0.35)


def test_truth_without_signal_is_chance_at_the_lags_that_were_scored():
    truth = chance_truth(result(nothing), ["identification"]).sel(metric="identification")
    assert (truth["above_chance"].sel(curve="general") == 0).all()
    assert (truth["score"].sel(curve="general") == 0.5).all()
    diagonal = truth["above_chance"].sel(curve="specialized")
    assert diagonal["test_delta"][diagonal.notnull()].values.tolist() == [-9, -8, -1, 0, 1]


def test_intervals_are_of_scores_as_they_stand_or_above_chance():
    outcomes = outcomes_of(result(nothing), chance_truth(result(nothing), ["identification"]))
    above, raw = (
        outcomes.sel(interval=name, curve="general") for name in ("percentile", "percentile_of_scores")
    )
    np.testing.assert_allclose(raw["low"] - above["low"], 0.5, atol=1e-6)
    np.testing.assert_allclose(raw["true"] - above["true"], 0.5)
    covers = (above["low"] <= above["true"]) & (above["true"] <= above["high"])
    assert covers.mean() > 0.7


def test_nothing_is_true_where_the_truth_is_not_known():
    outcomes = outcomes_of(result(bump))
    assert outcomes["true"].isnull().all()
    assert outcomes["latency_true_s"].isnull().all()
