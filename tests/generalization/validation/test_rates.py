"""Rates over data sets have the intervals that they should have."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tempgen.errors import ResultsError
from tempgen.generalization.validation import clopper_pearson, share_interval


@pytest.mark.parametrize("k", [0, 1, 7, 199, 200])
def test_clopper_pearson_is_scipys_exact_interval(k):
    expected = binomtest(k, 200).proportion_ci(0.9, method="exact")
    low, high = clopper_pearson(k, 200, level=0.9)
    assert float(low) == pytest.approx(expected.low, abs=1e-12)
    assert float(high) == pytest.approx(expected.high, abs=1e-12)


def test_clopper_pearson_covers_at_least_as_often_as_it_says():
    n, rate = 100, 0.05
    k = np.random.default_rng(0).binomial(n, rate, size=4000)
    low, high = clopper_pearson(k, n)
    assert ((low <= rate) & (rate <= high)).mean() >= 0.95


def test_interval_of_nothing_is_nan():
    assert np.isnan(clopper_pearson(0, 0)).all()


@pytest.mark.parametrize(("k", "n", "level"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_what_is_no_rate_is_refused(k, n, level):
    with pytest.raises(ResultsError):
        clopper_pearson(k, n, level=level)


def test_data_sets_and_not_lags_are_the_units_of_a_mean_coverage():
    """Lags that always agree say no more than one of them."""
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(300):
        lags = np.repeat(rng.random((60, 1)) < 0.9, 10, axis=1)
        _, low, high = share_interval(lags.mean(axis=1))
        hits.append(low <= 0.9 <= high)
    assert 0.9 < np.mean(hits) < 0.99


def test_data_sets_that_say_nothing_do_not_count():
    mean, low, high = share_interval(np.array([[0.5, np.nan, 1.0], [np.nan] * 3, [np.nan, 1.0, np.nan]]))
    np.testing.assert_array_equal(mean, [0.75, np.nan, 1.0])
    assert np.isnan(low[1:]).all()
    assert np.isfinite([low[0], high[0]]).all()
