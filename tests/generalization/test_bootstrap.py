"""The cluster bootstrap against a loop over drawn images and against simulated truth."""

import numpy as np
import pytest

from tempgen.errors import ResultsError
from tempgen.generalization.bootstrap import cluster_bootstrap


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
    ],
)
def test_an_interval_that_cannot_be_computed_is_refused(change, complaint):
    arguments = {"units": np.arange(4), "n_draws": 10, "level": 0.95, "seed": 0} | change
    with pytest.raises(ResultsError, match=complaint):
        cluster_bootstrap(np.ones((1, 4)), **arguments)
