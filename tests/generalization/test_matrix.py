"""Matrices cut from a planted result."""

import numpy as np
import pytest

from tempgen.errors import ResultsError
from tempgen.generalization import generalization_matrix
from tests.generalization.planted_lags import DELTAS, planted_lags


def test_matrix_is_the_mean_of_each_cell_and_says_which_windows_share_volumes():
    results = planted_lags()
    results["pixcorr"][1, 2] = np.nan
    matrix = generalization_matrix(results, "pixcorr")
    assert matrix.dims == ("train_delta", "test_delta")
    assert np.isnan(matrix[1, 2])
    assert np.isnan(matrix.chance[1, 2])
    assert float(matrix.sel(train_delta=1, test_delta=4)) == pytest.approx(0.14, abs=2e-3)
    expected = np.abs(DELTAS[:, None] - DELTAS) < 3
    np.testing.assert_array_equal(matrix.shares_volumes, expected)
    assert matrix.attrs["chance"] == pytest.approx(float(matrix.chance.mean()))
    assert matrix.attrs["metric"] == "pixcorr"
    np.testing.assert_allclose(matrix.train_lag_s, matrix.lag_s)


def test_a_matrix_above_chance_subtracts_each_cells_own_level():
    results = planted_lags()
    results["pixcorr"][1, 2] = np.nan
    raw = generalization_matrix(results, "pixcorr")
    above = generalization_matrix(results, "pixcorr", above_chance=True)
    np.testing.assert_allclose(above, raw - raw.chance)
    np.testing.assert_array_equal(above.chance, np.where(np.isnan(raw), np.nan, 0))
    assert (above.attrs["chance"], above.attrs["long_name"]) == (0, "PixCorr above chance")
    fixed = generalization_matrix(results, "identification", above_chance=True)
    np.testing.assert_allclose(fixed, generalization_matrix(results, "identification") - 0.5)


def test_a_matrix_without_scores_or_without_window_is_refused():
    results = planted_lags()
    results["pixcorr"][:] = np.nan
    with pytest.raises(ResultsError, match="in any cell"):
        generalization_matrix(results, "pixcorr")
    with pytest.raises(ResultsError, match="n_tr"):
        generalization_matrix(planted_lags().drop_attrs(), "identification")


def test_nothing_is_subtracted_from_cells_where_chance_is_not_known():
    with pytest.raises(ResultsError, match=r"Chance is not known at 49 of the 49 .* pixcorr"):
        generalization_matrix(planted_lags(measured_chance=False), "pixcorr", above_chance=True)
