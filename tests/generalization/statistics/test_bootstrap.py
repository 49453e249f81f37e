"""The cluster bootstrap against a loop over drawn images, against scipy's and against simulated truth."""

import numpy as np
import pytest
import scipy.stats

from tempgen.errors import ResultsError
from tempgen.generalization.statistics.bootstrap import (
    bootstrap_means,
    cluster_bootstrap,
    percentile_interval,
)


def test_interval_equals_the_loop_that_concatenates_the_trials_of_drawn_images():
    rng = np.random.default_rng(0)
    units = rng.choice([7, 3, 11, 5, 2, 900], size=40)
    values = rng.random((3, 40))
    values[1, rng.random(40) < 0.3] = np.nan
    distinct = np.unique(units)
    draws = np.random.default_rng(5).integers(len(distinct), size=(300, len(distinct)))
    means = [
        np.nanmean(np.concatenate([values[:, units == distinct[k]] for k in drawn], axis=1), axis=1)
        for drawn in draws
    ]
    expected = np.quantile(means, [0.05, 0.95], axis=0)
    low, high = cluster_bootstrap(values, units, n_draws=300, level=0.9, seed=5)
    np.testing.assert_allclose([low, high], expected, atol=1e-12)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 1, size=(400, 80))  # 400 experiments of 80 independent trials
    low, high = cluster_bootstrap(values, np.arange(80), n_draws=1000, level=0.9, seed=0)
    coverage = np.mean((low < 0.3) & (high > 0.3))
    assert 0.85 < coverage < 0.95


def test_interval_covers_when_images_repeat_and_one_over_trials_does_not():
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(60), 3)
    values = rng.normal(0, 1, size=(1000, 60))[:, image] + rng.normal(0, 0.3, size=(1000, 180))
    coverage = {}
    for name, units in {"images": image, "trials": np.arange(180)}.items():
        low, high = cluster_bootstrap(values, units, n_draws=600, level=0.9, seed=0)
        coverage[name] = np.mean((low < 0) & (high > 0))
    assert 0.84 < coverage["images"] < 0.95
    assert coverage["trials"] < 0.75


def test_curves_share_their_draws_so_that_differences_are_paired():
    values = np.random.default_rng(0).random((1, 50))
    low, high = cluster_bootstrap(
        np.concatenate([values, values + 1]), np.arange(50), n_draws=100, level=0.5, seed=1
    )
    np.testing.assert_allclose([low[1] - low[0], high[1] - high[0]], 1)


def test_a_curve_without_values_has_no_interval():
    values = np.stack([np.full(10, np.nan), np.arange(10.0)])
    low, high = cluster_bootstrap(values, np.arange(10), n_draws=50, level=0.95, seed=0)
    np.testing.assert_array_equal(np.isnan([low, high]), [[True, False], [True, False]])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"units": np.zeros(4)}, "at least 2"),
        ({"n_draws": 0}, "1 draw or more"),
        ({"level": 95}, "between 0 and 1"),
        ({"method": "BCA"}, "choose percentile or bca"),
    ],
)
def test_an_interval_that_cannot_be_computed_is_refused(change, complaint):
    arguments = {"units": np.arange(4), "n_draws": 10, "level": 0.95, "seed": 0} | change
    with pytest.raises(ResultsError, match=complaint):
        cluster_bootstrap(np.ones((1, 4)), **arguments)


def test_bca_equals_scipys_where_each_trial_is_its_own_unit():
    values = np.random.default_rng(0).exponential(size=(4, 30))
    low, high = cluster_bootstrap(values, np.arange(30), n_draws=2000, level=0.9, seed=3, method="bca")
    for curve, ends in zip(values, zip(low, high, strict=True), strict=True):
        theirs = scipy.stats.bootstrap(
            (curve,),
            np.mean,
            n_resamples=2000,
            confidence_level=0.9,
            method="BCa",
            rng=np.random.default_rng(3),
        )
        np.testing.assert_allclose(ends, theirs.confidence_interval, rtol=1e-9)


def test_percentiles_equal_scipys_where_each_trial_is_its_own_unit():
    values = np.random.default_rng(0).exponential(size=(1, 30))
    ends = cluster_bootstrap(values, np.arange(30), n_draws=500, level=0.95, seed=3)
    theirs = scipy.stats.bootstrap(
        (values[0],), np.mean, n_resamples=500, method="percentile", rng=np.random.default_rng(3)
    )
    np.testing.assert_allclose(np.ravel(ends), theirs.confidence_interval, rtol=1e-9)


def test_bca_of_clusters_equals_scipys_on_the_ratio_of_sums_to_counts():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(25), rng.integers(2, 5, size=25))
    values = rng.exponential(size=(1, len(units))) + rng.exponential(size=25)[units]
    values[0, ::7] = np.nan
    there = ~np.isnan(values[0])
    sums = np.bincount(units[there], weights=values[0, there], minlength=25)
    counts = np.bincount(units[there], minlength=25)
    assert counts.min() > 0  # scipy has no units that do not count

    def ratio(sums, counts, axis):
        return sums.sum(axis=axis) / counts.sum(axis=axis)

    theirs = scipy.stats.bootstrap(
        (sums, counts),
        ratio,
        n_resamples=1000,
        paired=True,
        vectorized=True,
        method="BCa",
        rng=np.random.default_rng(9),
    )
    ends = cluster_bootstrap(values, units, n_draws=1000, level=0.95, seed=9, method="bca")
    np.testing.assert_allclose(np.ravel(ends), theirs.confidence_interval, rtol=1e-9)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_95_percent_intervals_of_repeated_images_cover_between_92_and_98_percent(method):
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(100), 3)
    values = rng.normal(0, 1, size=(1000, 100))[:, image] + rng.normal(0, 1, size=(1000, 300))
    low, high = cluster_bootstrap(values, image, n_draws=1000, level=0.95, seed=0, method=method)
    assert 0.92 < np.mean((low < 0) & (high > 0)) < 0.98


def test_bca_misses_a_skewed_mean_less_often_on_the_side_of_the_long_tail():
    values = np.random.default_rng(0).lognormal(0, 1, size=(1000, 60))
    mean = np.exp(0.5)
    above = {}
    for method in ("percentile", "bca"):
        low, high = cluster_bootstrap(values, np.arange(60), n_draws=1000, level=0.95, seed=0, method=method)
        above[method] = np.mean(high < mean)
        assert 0.85 < np.mean((low < mean) & (high > mean)) < 0.97
    assert above["bca"] < 0.9 * above["percentile"]


def test_draws_of_curves_give_the_interval_of_any_function_of_them():
    rng = np.random.default_rng(0)
    values, units = rng.normal(size=(2, 60)), np.arange(60) % 20
    draws = bootstrap_means(values, units, n_draws=400, seed=2)
    difference = percentile_interval(draws[:, 1] - draws[:, 0], level=0.9)
    direct = cluster_bootstrap(values[1:] - values[:1], units, n_draws=400, level=0.9, seed=2)
    np.testing.assert_allclose(difference, np.ravel(direct), atol=1e-12)


def test_bca_of_values_without_spread_is_the_value():
    low, high = cluster_bootstrap(
        np.full((1, 10), 0.25), np.arange(10), n_draws=50, level=0.95, seed=0, method="bca"
    )
    assert (low[0], high[0]) == (0.25, 0.25)


def test_bca_of_a_curve_of_one_unit_is_not_known():
    values = np.stack([np.arange(10.0), np.where(np.arange(10) < 2, np.arange(10.0), np.nan)])
    low, high = cluster_bootstrap(
        values, np.repeat(np.arange(5), 2), n_draws=200, level=0.95, seed=0, method="bca"
    )
    np.testing.assert_array_equal(np.isnan([low, high]), [[False, True], [False, True]])
