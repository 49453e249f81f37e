"""The max-statistic test against a plain loop, its calibration and power, and the false discovery rate."""

import warnings

import numpy as np
import pytest
import xarray as xr
from mne.stats import fdr_correction

from tempgen.errors import ResultsError
from tempgen.generalization.statistics import fdr, max_statistic_test
from tests.generalization.statistics.synthetic import binomial_interval, correlated_noise, one_row, result_of

N_PERMUTATIONS = 99


def _permuted_within_runs(rng, run, n_permutations):
    """Orders of trials, (n_permutations, n_trials), that keep each trial's image in its run."""
    order = np.tile(np.arange(len(run)), (n_permutations, 1))
    for k in np.unique(run):
        inside = np.flatnonzero(run == k)
        order[:, inside] = rng.permuted(order[:, inside], axis=1)
    return order


def _scored_by_lag(rng, *, n_lags, effect=0.0, lags=slice(0)):
    """A result with its null from trial x image scores at lags whose noise is correlated; every image is seen once."""
    run = np.arange(24) // 8
    pairs = correlated_noise(rng, (n_lags, 24, 24)) + rng.standard_normal((n_lags, 1, 24))
    own = np.arange(24)
    pairs[lags, own, own] += effect
    order = _permuted_within_runs(rng, run, N_PERMUTATIONS)
    null = pairs[:, own, order].mean(axis=-1).T[:, np.newaxis].astype(np.float32)
    return one_row(pairs[:, own, own].astype(np.float32), run=run, null=null)


def test_p_equals_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    results = _scored_by_lag(rng, n_lags=5, effect=0.35, lags=slice(1, 3))
    test = max_statistic_test(results, "m")
    score = results["m"].to_numpy()[0, :, 0].astype(float).mean(axis=-1)
    pooled = np.concatenate([score[np.newaxis], results["m_null"].to_numpy()[:, 0]])
    z = (pooled - pooled.mean(axis=0)) / pooled.std(axis=0)
    for lag in range(5):
        n_alone = sum(z[k, lag] >= z[0, lag] for k in range(1, len(z)))
        n_largest = sum(z[k].max() >= z[0, lag] for k in range(1, len(z)))
        assert test.p_uncorrected[lag] == pytest.approx((1 + n_alone) / 100)
        assert test.p[lag] == pytest.approx((1 + n_largest) / 100)
    assert len(np.unique(test.p)) > 2
    np.testing.assert_allclose(test.q, fdr_correction(test.p_uncorrected.to_numpy())[1])
    np.testing.assert_allclose(test.score, score)
    np.testing.assert_allclose(test.null_mean, results["m_null"].mean("permutation")[0], rtol=1e-5)


def test_under_the_null_with_correlated_lags_it_rejects_at_the_rate_alpha():
    rng = np.random.default_rng(0)
    n_sets = 240
    n_rejected = sum(
        bool(max_statistic_test(_scored_by_lag(rng, n_lags=8), "m")["mask"].any()) for _ in range(n_sets)
    )
    low, high = binomial_interval(n_rejected, n_sets)
    assert low <= 0.05 <= high, f"{n_rejected} of {n_sets}"


def test_a_planted_effect_is_found_where_it_is():
    rng = np.random.default_rng(0)
    hits = np.zeros(8)
    for _ in range(10):
        hits += max_statistic_test(_scored_by_lag(rng, n_lags=8, effect=1, lags=slice(3, 6)), "m")["mask"]
    assert hits[3:6].min() >= 8
    assert hits[[0, 1, 2, 6, 7]].max() <= 2


def test_permuted_means_that_tie_with_the_score_count_against_it_in_single_precision():
    scores = np.tile((np.arange(30) < 10).astype(np.float32), (2, 1))  # a third right, as accuracy is
    null = np.full((19, 1, 2), 1 / 3, dtype=np.float32)
    null[:10] = 0.3
    test = max_statistic_test(one_row(scores, null=null), "m")
    np.testing.assert_allclose(test.p_uncorrected, (1 + 9) / 20)


def test_a_cell_that_is_the_same_under_every_permutation_is_not_significant():
    null = np.random.default_rng(0).normal(size=(19, 1, 2)).astype(np.float32)
    null[:, 0, 1] = 0.5
    scores = np.stack([np.full(8, 9.0), np.full(8, 0.5)]).astype(np.float32)
    test = max_statistic_test(one_row(scores, null=null), "m")
    np.testing.assert_allclose(test.p, [1 / 20, 1])
    np.testing.assert_allclose(test.p_uncorrected, [1 / 20, 1])


def test_two_tails_and_distances():
    results = _scored_by_lag(np.random.default_rng(3), n_lags=4, effect=-2, lags=slice(2))
    assert not max_statistic_test(results, "m")["mask"][:2].any()
    assert max_statistic_test(results, "m", tail="two-sided")["mask"][:2].all()
    results["m"].attrs["direction"] = "lower is better"
    less = max_statistic_test(results, "m")
    assert less.attrs["tail"] == "less"
    assert less["mask"][:2].all()


def test_the_matrix_is_corrected_over_the_cells_that_were_computed():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((3, 4, 24)).astype(np.float32)
    null = rng.standard_normal((39, 3, 4)).astype(np.float32) / 5
    scores[0, 3], null[:, 0, 3] = np.nan, np.nan
    scores[1, 1] += 3
    test = max_statistic_test(result_of(scores, null=null), "m", decoder="matrix")
    assert test.p.dims == ("train_delta", "test_delta")
    assert np.isnan(test.p[0, 3])
    assert np.isnan(test.q[0, 3])
    assert not test["mask"][0, 3]
    assert test["mask"][1, 1]
    assert test.attrs["n_cells"] == 11


def test_attributes_say_how_it_was_tested_and_survive_netcdf(tmp_path):
    results = _scored_by_lag(np.random.default_rng(0), n_lags=3)
    results["m_null"].attrs["seed"] = 11
    test = max_statistic_test(results, "m")
    wanted = {
        "tail": "greater",
        "alpha": 0.05,
        "n_permutations": 99,
        "smallest_p": 0.01,
        "seed": 11,
        "unit": "trial within run",
    }
    assert wanted.items() <= test.attrs.items()
    test.to_netcdf(tmp_path / "test.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "test.nc", engine="h5netcdf"), test)


def test_too_few_permutations_are_said():
    results = _scored_by_lag(np.random.default_rng(0), n_lags=3).isel(permutation=slice(9))
    with pytest.warns(UserWarning, match="No p of 9 permutations can be below 0.1"):
        max_statistic_test(results, "m")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        max_statistic_test(results, "m", alpha=0.1)


def test_a_result_without_permutations_says_which_metrics_have_them():
    results = one_row(np.ones((2, 6)))
    with pytest.raises(ResultsError, match="no m_null.*Evaluate again with permutations"):
        max_statistic_test(results, "m")
    results["other_null"] = (("permutation", "train_delta", "test_delta"), np.ones((2, 1, 2)))
    with pytest.raises(ResultsError, match="they were for other"):
        max_statistic_test(results, "m")


def test_a_scored_cell_without_permutations_is_refused():
    null = np.ones((30, 1, 2))
    null[0, 0, 1] = np.nan
    with pytest.raises(ResultsError, match="NaN in 1 of the 2 scored cells"):
        max_statistic_test(one_row(np.ones((2, 6)), null=null), "m")


@pytest.mark.parametrize("change", [{"alpha": 0}, {"tail": "up"}, {"decoder": "both"}])
def test_arguments_out_of_range_are_refused(change):
    with pytest.raises(ResultsError):
        max_statistic_test(_scored_by_lag(np.random.default_rng(0), n_lags=2), "m", **change)


@pytest.mark.parametrize("method", ["indep", "negcorr"])
def test_the_false_discovery_rate_equals_mnes_over_the_cells_that_have_a_p(method):
    p = np.random.default_rng(0).random((5, 6)) ** 3
    holes = p.copy()
    holes[0, :3] = np.nan
    found = fdr(xr.DataArray(holes, dims=("train_delta", "test_delta")), method=method)
    there = ~np.isnan(holes)
    rejected, q = fdr_correction(p[there], method=method)
    np.testing.assert_allclose(found["q"].to_numpy()[there], q)
    np.testing.assert_array_equal(found["mask"].to_numpy()[there], rejected)
    assert 0 < rejected.sum() < rejected.size
    assert np.isnan(found["q"].to_numpy()[~there]).all()
    assert not found["mask"].to_numpy()[~there].any()


@pytest.mark.parametrize(
    ("p", "change"), [([0.1, 1.2], {}), ([0.1], {"method": "bonferroni"}), ([0.1], {"alpha": 2})]
)
def test_numbers_that_are_no_p_and_unknown_methods_are_refused(p, change):
    with pytest.raises(ResultsError):
        fdr(xr.DataArray(p, dims="test_delta"), **change)
