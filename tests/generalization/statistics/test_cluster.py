"""The cluster test against a plain loop, on planted effects and under the null."""

import itertools
import warnings

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.statistics import cluster_test
from tests.generalization.statistics.synthetic import (
    binomial_interval,
    correlated_noise,
    one_row,
    result_of,
)


def _largest_run(t, threshold):
    """Largest sum of t over a run of neighbours above the threshold, by a loop."""
    largest = run = 0.0
    for value in t:
        run = run + value if value > threshold else 0.0
        largest = max(largest, run)
    return largest


def _t(sample):
    return sample.mean(axis=0) / (sample.std(axis=0, ddof=1) / np.sqrt(len(sample)))


def test_p_equals_that_of_a_loop_over_all_flips_of_the_signs():
    rng = np.random.default_rng(0)
    scores = correlated_noise(rng, (6, 9))
    scores[2:4] += 0.8
    test = cluster_test(one_row(scores), "m", threshold=1.5, n_permutations=10_000)
    sample = scores.T
    null = [
        _largest_run(_t(sample * np.array(signs)[:, np.newaxis]), 1.5)
        for signs in itertools.product([1, -1], repeat=9)
    ]
    observed = _largest_run(_t(sample), 1.5)
    n_as_large = np.count_nonzero(np.array(null) >= observed - 1e-12)
    assert 1 < n_as_large < 100
    # one more: mne counts the observed signs twice and leaves out their opposite, whose clusters are smaller here
    assert test.cluster_p.to_numpy()[0] == pytest.approx((n_as_large + 1) / 2**9)
    assert test.cluster_sum.max() == pytest.approx(observed)
    assert (test.attrs["n_permutations"], test.attrs["smallest_p"]) == (2**9, 2 / 2**9)
    np.testing.assert_allclose(test.t, _t(sample))
    np.testing.assert_allclose(test.effect, scores.mean(axis=1))


def test_of_two_tails_p_equals_that_of_the_loop_exactly():
    scores = correlated_noise(np.random.default_rng(1), (6, 8))
    scores[2:4] += 0.7
    test = cluster_test(one_row(scores), "m", threshold=1.2, n_permutations=10_000, tail="two-sided")
    null = []
    for signs in itertools.product([1, -1], repeat=8):
        t = _t(scores.T * np.array(signs)[:, np.newaxis])
        null.append(max(_largest_run(t, 1.2), _largest_run(-t, 1.2)))
    expected = np.mean(np.array(null) >= abs(test.cluster_sum.to_numpy()[0]) - 1e-12)
    assert 0.01 < expected < 0.5
    assert test.cluster_p.to_numpy()[0] == pytest.approx(expected)
    assert test.attrs["smallest_p"] == 1 / 2**7


def test_four_runs_cannot_reach_alpha_and_it_says_so():
    scores = np.random.default_rng(0).standard_normal((3, 48)) + 5
    with pytest.warns(UserWarning, match="16 sign flips of 4 values of run can be below 0.125"):
        test = cluster_test(one_row(scores), "m", unit="run")
    np.testing.assert_array_equal(test.p, 0.125)


@pytest.mark.slow
@pytest.mark.parametrize("against", ["baseline", "chance"])
def test_under_the_null_with_correlated_lags_it_rejects_at_the_rate_alpha(against):
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(30), 2)
    n_sets, n_rejected = 300, 0
    for k in range(n_sets):
        image_part = correlated_noise(rng, (10, 30))[:, image]
        scores = 0.5 + image_part + correlated_noise(rng, (10, 60))
        results = one_row(scores, image_id=image, baseline=0.5, chance=0.5)
        test = cluster_test(results, "m", n_permutations=100, seed=k, against=against)
        n_rejected += bool(test["mask"].any())
    low, high = binomial_interval(n_rejected, n_sets)
    assert low <= 0.05 <= high, f"{n_rejected} of {n_sets}"


@pytest.mark.slow
def test_under_the_null_the_matrix_test_rejects_at_the_rate_alpha():
    rng = np.random.default_rng(2)
    n_sets, n_rejected = 200, 0
    for k in range(n_sets):
        scores = correlated_noise(rng, (5, 6, 30), axis=1) + correlated_noise(rng, (5, 1, 30))
        test = cluster_test(
            result_of(scores, baseline=0.0),
            "m",
            decoder="matrix",
            n_permutations=100,
            seed=k,
            tail="two-sided",
        )
        n_rejected += bool(test["mask"].any())
    low, high = binomial_interval(n_rejected, n_sets)
    assert low <= 0.05 <= high, f"{n_rejected} of {n_sets}"


def test_images_that_were_repeated_do_not_make_the_null_significant_as_trials_do():
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(20), 6)
    n_rejected = {"image_id": 0, "trial": 0}
    for k in range(15):
        scores = correlated_noise(rng, (6, 20))[:, image] + 0.2 * rng.standard_normal((6, 120))
        for unit in n_rejected:
            test = cluster_test(one_row(scores, image_id=image), "m", unit=unit, n_permutations=60, seed=k)
            n_rejected[unit] += bool(test["mask"].any())
    assert n_rejected["image_id"] <= 3 < 6 <= n_rejected["trial"]


@pytest.mark.parametrize("threshold", [None, {"start": 0, "step": 0.5}])
def test_a_planted_effect_is_found_where_it_is(threshold):
    rng = np.random.default_rng(0)
    hits = np.zeros(12)
    for k in range(5):
        scores = correlated_noise(rng, (12, 40), rho=0.3)
        scores[4:8] += 0.9
        hits += cluster_test(one_row(scores), "m", n_permutations=60, seed=k, threshold=threshold)["mask"]
    assert hits[4:8].min() >= 4
    assert hits[[0, 1, 10, 11]].max() <= 1


def test_an_effect_in_the_matrix_is_one_cluster_across_both_axes():
    scores = np.random.default_rng(0).standard_normal((6, 8, 50))
    scores[1:4, 2:5] += 1
    test = cluster_test(result_of(scores, baseline=0.0), "m", decoder="matrix", n_permutations=200)
    assert test["mask"].dims == ("train_delta", "test_delta")
    assert (test.cluster[1:4, 2:5] == 1).all()
    assert test.cluster_p[0] == pytest.approx(1 / 200)
    assert not test["mask"][:, 6:].any()


@pytest.mark.parametrize("threshold", [None, {"start": 0, "step": 0.5}])
def test_a_distance_is_tested_downwards_and_finds_the_same(threshold):
    scores = np.random.default_rng(0).standard_normal((8, 30))
    scores[2:5] += 1
    up = cluster_test(one_row(scores), "m", n_permutations=60, threshold=threshold)
    results = one_row(-scores)
    results["m"].attrs["direction"] = "lower is better"
    down = cluster_test(results, "m", n_permutations=60, threshold=threshold)
    assert (up.attrs["tail"], down.attrs["tail"]) == ("greater", "less")
    np.testing.assert_array_equal(down.p, up.p)
    np.testing.assert_allclose(down.t, -up.t)
    assert up["mask"].any()


def test_the_level_of_each_trial_is_taken_off():
    rng = np.random.default_rng(0)
    popularity = rng.uniform(0, 5, 40)
    scores = popularity + 0.5 + 0.2 * rng.standard_normal((4, 40))
    test = cluster_test(one_row(scores, baseline=popularity), "m", n_permutations=100)
    np.testing.assert_allclose(test.effect, 0.5, atol=0.1)
    assert test["mask"].all()


def test_cells_that_were_not_computed_part_clusters_and_have_no_p():
    scores = np.random.default_rng(0).standard_normal((7, 40)) + 2
    scores[3] = np.nan
    test = cluster_test(one_row(scores), "m", n_permutations=100)
    np.testing.assert_array_equal(np.isnan(test.p), np.arange(7) == 3)
    np.testing.assert_array_equal(test.cluster_size, [3, 3])
    assert test.cluster[3] == 0
    assert not test["mask"][3]
    assert test.attrs["n_cells"] == 6


def test_the_specialized_decoders_are_the_diagonal():
    scores = np.random.default_rng(0).standard_normal((4, 5, 30))
    test = cluster_test(result_of(scores, baseline=0.0), "m", decoder="specialized", n_permutations=50)
    np.testing.assert_allclose(test.effect, scores[range(4), range(4)].mean(axis=-1))
    assert "lag_s" in test.coords


def test_without_a_cluster_every_p_is_one_and_nothing_is_printed(capfd):
    scores = np.random.default_rng(0).standard_normal((5, 30)) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        test = cluster_test(one_row(scores), "m", n_permutations=50)
    np.testing.assert_array_equal(test.p, 1)
    assert test.sizes["cluster_number"] == 0
    assert capfd.readouterr() == ("", "")


def test_attributes_say_how_it_was_tested_and_survive_netcdf(tmp_path):
    scores = np.random.default_rng(0).standard_normal((5, 30)) + 0.5
    test = cluster_test(one_row(scores), "m", n_permutations=50, seed=7)
    wanted = {
        "decoder": "general",
        "against": "baseline",
        "tail": "greater",
        "alpha": 0.05,
        "unit": "image_id",
        "n_units": 30,
        "n_permutations": 50,
        "smallest_p": 0.02,
        "seed": 7,
        "subject": "subj01",
        "target": "current",
    }
    assert wanted.items() <= test.attrs.items()
    test.to_netcdf(tmp_path / "test.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "test.nc", engine="h5netcdf"), test)


def test_the_same_seed_gives_the_same_p():
    scores = correlated_noise(np.random.default_rng(0), (8, 40)) + 0.15
    first, same, other = (
        cluster_test(one_row(scores), "m", n_permutations=50, seed=seed) for seed in (1, 1, 2)
    )
    xr.testing.assert_identical(first, same)
    assert not first.p.equals(other.p)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"decoder": "both"}, "choose general, specialized, matrix"),
        ({"target": "next"}, "no target 'next'"),
        ({"unit": "page"}, "no coordinate 'page'"),
        ({"unit": "one"}, "needed are at least 2"),
        ({"against": "nothing"}, "choose baseline or chance"),
        ({"against": "chance"}, "The chance of m is not known"),
        ({"tail": "up"}, "choose greater, less, two-sided"),
        ({"threshold": -2.0}, "above 0"),
        ({"threshold": {"start": 0}}, "'step'"),
        ({"n_permutations": 1}, "2 permutations"),
        ({"alpha": 5}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_tested_is_refused(change, complaint):
    results = one_row(np.random.default_rng(0).standard_normal((3, 20)))
    results = results.assign_coords(one=("trial", np.zeros(20)))
    with pytest.raises(ResultsError, match=complaint):
        cluster_test(results, "m", **{"n_permutations": 20} | change)


def test_an_older_result_without_baseline_says_so_and_names_the_way_out():
    results = one_row(np.random.default_rng(0).standard_normal((3, 20)) + 0.5, chance=0.5)
    older = results.drop_vars("m_baseline")
    with pytest.raises(ResultsError, match='no m_baseline.*against="chance"'):
        cluster_test(older, "m")
    assert cluster_test(older, "m", against="chance", n_permutations=20).attrs["against"] == "chance"


def test_units_that_miss_some_lags_are_refused_with_their_number():
    scores = np.random.default_rng(0).standard_normal((4, 20))
    scores[2, :3] = np.nan
    with pytest.raises(ResultsError, match="3 of the 20 values of image_id were scored in some"):
        cluster_test(one_row(scores), "m")


def test_trials_that_were_never_scored_do_not_count():
    scores = np.random.default_rng(0).standard_normal((4, 20))
    scores[:, :5] = np.nan
    assert cluster_test(one_row(scores), "m", n_permutations=20).attrs["n_units"] == 15


def test_a_lag_at_which_all_units_agree_exactly_is_refused():
    scores = np.random.default_rng(0).standard_normal((4, 20))
    scores[1] = 0.3
    with pytest.raises(ResultsError, match="exactly the same score at 1 of 4"):
        cluster_test(one_row(scores), "m")
