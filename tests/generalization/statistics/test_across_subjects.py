"""Exact sign flips across subjects, counted by hand."""

import itertools
import warnings

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.statistics import sign_flip_test
from tests.generalization.statistics.synthetic import binomial_interval, correlated_noise, one_row


def _subjects(effects, *, n_trials=4):
    """One result a subject, whose trials all score its effect, from an array (n_subjects, n_lags)."""
    return {
        f"subj{k + 1:02d}": one_row(np.repeat(np.asarray(row, float)[:, np.newaxis], n_trials, axis=1))
        for k, row in enumerate(effects)
    }


@pytest.mark.parametrize("tail", ["greater", "less", "two-sided"])
def test_p_equals_that_of_enumerating_all_flips_by_hand(tail):
    effects = correlated_noise(np.random.default_rng(0), (6, 5), axis=1) + 0.6
    test = sign_flip_test(_subjects(effects), "m", tail=tail, alpha=0.5)
    size = {"greater": lambda t: t, "less": lambda t: -t, "two-sided": np.abs}[tail]
    flips = np.array(list(itertools.product([1, -1], repeat=6)))
    flipped = flips[:, :, np.newaxis] * effects
    t = flipped.mean(axis=1) / (flipped.std(axis=1, ddof=1) / np.sqrt(6))  # row 0: as observed
    alone = [np.mean(size(t[:, lag]) >= size(t[0, lag]) - 1e-9) for lag in range(5)]
    largest = size(t).max(axis=1)
    corrected = [np.mean(largest >= size(t[0, lag]) - 1e-9) for lag in range(5)]
    np.testing.assert_allclose(test.p_uncorrected, alone)
    np.testing.assert_allclose(test.p, corrected)
    assert len(np.unique(corrected)) > 1
    np.testing.assert_allclose(np.sqrt(5) * test.u / np.sqrt(1 - test.u**2), t[0])
    np.testing.assert_allclose(test.effect, effects.mean(axis=0))


@pytest.mark.parametrize(("tail", "smallest"), [("greater", 1 / 16), ("two-sided", 1 / 8)])
def test_four_subjects_reach_one_sixteenth_or_one_eighth_and_it_says_so(tail, smallest):
    effects = np.array([[0.2, 3.0], [0.1, 2.0], [0.3, 5.0], [0.2, 4.0]])
    with pytest.warns(UserWarning, match=f"No p of 4 subjects can be below {smallest:.4g}"):
        test = sign_flip_test(_subjects(effects), "m", tail=tail)
    np.testing.assert_allclose(test.p, smallest)
    assert test.attrs["smallest_p"] == smallest
    assert f"{smallest:.4g}" in test.attrs["note"]
    assert not test["mask"].any()


def test_five_subjects_suffice_in_one_tail_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        test = sign_flip_test(_subjects(np.ones((5, 2)) + np.arange(5)[:, np.newaxis]), "m")
    np.testing.assert_allclose(test.p, 1 / 32)
    assert test["mask"].all()
    assert test.attrs["n_permutations"] == 32


def test_many_subjects_get_random_flips_that_agree_with_all_of_them():
    effects = np.random.default_rng(0).standard_normal((12, 3)) + 0.3
    exact = sign_flip_test(_subjects(effects), "m")
    drawn = sign_flip_test(_subjects(effects), "m", max_exact=8, n_permutations=20_000, seed=1)
    np.testing.assert_allclose(drawn.p, exact.p, atol=0.02)
    assert (exact.attrs["n_permutations"], drawn.attrs["n_permutations"]) == (4096, 20_000)
    assert drawn.attrs["smallest_p"] == pytest.approx(1 / 20_001)
    assert exact.attrs["test"].startswith("exact")
    assert drawn.attrs["test"].startswith("random")


def test_under_the_null_each_lag_is_rejected_at_the_rate_alpha():
    effects = np.random.default_rng(0).standard_normal((6, 1000))  # a lag here is a data set of its own
    test = sign_flip_test(_subjects(effects, n_trials=1), "m")
    low, high = binomial_interval(int((test.p_uncorrected <= 3 / 64 + 1e-9).sum()), 1000)
    assert low <= 3 / 64 <= high


def test_lags_that_one_subject_lacks_are_not_tested():
    results = _subjects(np.arange(24.0).reshape(6, 4) + 1)
    results["subj02"] = results["subj02"].sel(test_delta=[0, 1, 3])
    results["subj03"]["m"][:, 1] = np.nan
    test = sign_flip_test(results, "m")
    np.testing.assert_array_equal(test.test_delta, [0, 1, 3])
    np.testing.assert_array_equal(np.isnan(test.p), [False, True, False])
    assert test.attrs["n_cells"] == 2


def test_the_matrix_is_tested_over_all_its_cells_and_survives_netcdf(tmp_path):
    rng = np.random.default_rng(0)
    results = {
        f"s{k}": one_row(rng.standard_normal((3, 5))).reindex(train_delta=[0, 1]).fillna(0.5)
        for k in range(6)
    }
    for result in results.values():
        result["m_baseline"][1] = 0.0
    test = sign_flip_test(results, "m", decoder="matrix")
    assert test.p.dims == ("train_delta", "test_delta")
    np.testing.assert_allclose(test.p[1], 1 / 64)
    np.testing.assert_array_equal(test.subject, list(results))
    test.to_netcdf(tmp_path / "test.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "test.nc", engine="h5netcdf"), test)


def test_one_subject_and_subjects_without_baseline_are_refused_by_name():
    with pytest.raises(ResultsError, match="at least 2, got 1"):
        sign_flip_test(_subjects(np.ones((1, 2))), "m")
    results = _subjects(np.ones((3, 2)))
    results["subj02"] = results["subj02"].drop_vars("m_baseline")
    with pytest.raises(ResultsError, match="Subject subj02: .*no m_baseline"):
        sign_flip_test(results, "m")


def test_subjects_without_a_common_lag_are_refused():
    results = _subjects(np.ones((2, 2)))
    results["subj02"] = results["subj02"].assign_coords(test_delta=[5, 6])
    with pytest.raises(ResultsError, match="No cell"):
        sign_flip_test(results, "m")
