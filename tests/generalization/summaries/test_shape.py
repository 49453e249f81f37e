"""Indices of planted matrices, and the gain of decoders of their own lag."""

import numpy as np
import pytest

from tempgen.errors import ResultsError
from tempgen.generalization.summaries import (
    Resampling,
    dynamics_index,
    specialized_minus_general,
    symmetry_index,
)
from tests.generalization.summaries.planted import DELTAS, N_TR, bump, planted

FEW = Resampling(n_draws=200)
N = len(DELTAS)
EARLY, LATE = np.triu_indices(N, 1)  # trained at the first, tested at the second


def test_a_static_code_has_dynamics_0_and_is_symmetric():
    static = planted(np.full((N, N), 0.2))
    index = dynamics_index(static, "pixcorr", resampling=FEW)
    assert float(index.dynamics) == pytest.approx(0, abs=1e-9)
    assert index.dynamics_low < 0 < index.dynamics_high
    separated = sum(1 for i in range(N) for j in range(i + N_TR, N))
    assert (int(index.n_pairs), int(index.n_missing_pairs), int(index.n_informative_lags)) == (
        separated,
        0,
        N,
    )
    shape = symmetry_index(static, "pixcorr", resampling=FEW)
    assert float(shape.symmetry) == pytest.approx(1, abs=0.01)
    assert float(shape.asymmetry) == pytest.approx(0, abs=1e-9)


def test_a_static_code_that_is_stronger_at_some_lags_is_still_static():
    amplitude = 0.05 + bump(5, 3.0)
    index = dynamics_index(planted(np.tile(amplitude, (N, 1))), "pixcorr", resampling=FEW)
    assert float(index.dynamics) == pytest.approx(0, abs=1e-9)


def test_a_diagonal_matrix_has_dynamics_1_and_no_symmetry_to_speak_of():
    diagonal = planted(0.2 * np.eye(N))
    index = dynamics_index(diagonal, "pixcorr", resampling=FEW)
    assert float(index.dynamics) == pytest.approx(1)
    assert 0.9 < index.dynamics_low < 1 < index.dynamics_high < 1.1
    shape = symmetry_index(diagonal, "pixcorr", resampling=FEW)
    assert np.isnan(shape.symmetry)
    assert np.isnan(shape.asymmetry)
    assert "at chance off the diagonal" in shape.attrs["reason"]


def test_dynamics_is_the_share_that_is_lost_away_from_the_own_lag():
    index = dynamics_index(
        planted(np.where(np.eye(N, dtype=bool), 0.4, 0.1)), "pixcorr", min_separation=1, resampling=FEW
    )
    assert float(index.dynamics) == pytest.approx(0.75)
    assert int(index.n_pairs) == N * (N - 1) // 2


def test_a_band_along_the_diagonal_is_dynamic_only_between_windows_that_share_no_volumes():
    band = np.where(np.abs(DELTAS[:, None] - DELTAS) < N_TR, 0.2, 0.0)
    assert float(dynamics_index(planted(band), "pixcorr", resampling=FEW).dynamics) == pytest.approx(1)
    near = dynamics_index(planted(band), "pixcorr", min_separation=1, resampling=FEW)
    assert 0.2 < float(near.dynamics) < 0.6


def test_early_decoders_that_do_better_late_than_late_ones_early_make_a_positive_asymmetry():
    above = np.full((N, N), 0.1)
    above[EARLY, LATE] = 0.3
    forwards = symmetry_index(planted(above), "pixcorr", resampling=FEW)
    assert float(forwards.asymmetry) == pytest.approx(0.5)
    assert forwards.asymmetry_low > 0.4
    assert float(forwards.symmetry) == pytest.approx(2 * 0.03 / (0.09 + 0.01), abs=0.01)
    backwards = symmetry_index(planted(above.T), "pixcorr", resampling=FEW)
    assert float(backwards.asymmetry) == pytest.approx(-0.5)


def test_noise_does_not_make_a_symmetric_matrix_look_asymmetric():
    found = [
        symmetry_index(
            planted(np.full((6, 6), 0.2) + error, noise=0.4, deltas=np.arange(6)), "pixcorr", resampling=FEW
        )
        for error in np.random.default_rng(0).normal(0, 0.4 / np.sqrt(35), (12, 6, 6))
    ]
    assert np.mean([float(of.symmetry) for of in found]) == pytest.approx(1, abs=0.04)
    assert np.mean([bool(of.symmetry_low < 1 < of.symmetry_high) for of in found]) > 0.7


def test_pairs_with_a_cell_that_was_not_scored_are_left_out_and_counted():
    above = np.full((N, N), 0.2)
    above[0, 8], above[15, 1] = np.nan, np.nan
    index = dynamics_index(planted(above), "pixcorr", resampling=FEW)
    assert (int(index.n_pairs), int(index.n_missing_pairs)) == (10 * 11 // 2 - 2, 2)
    only = np.where(np.eye(N, dtype=bool), 0.2, np.nan)
    none = dynamics_index(planted(only), "pixcorr", resampling=FEW)
    assert np.isnan(none.dynamics)
    assert "evaluate the whole matrix" in none.attrs["reason"]


def test_lags_at_chance_do_not_count_and_too_few_lags_give_a_reason():
    informative = (DELTAS >= 2) & (DELTAS <= 6)
    above = np.where(informative[:, None] & informative, 0.2, 0.0)
    index = dynamics_index(planted(above), "pixcorr", resampling=FEW)
    assert int(index.n_informative_lags) == 5
    assert np.isnan(index.dynamics)
    assert "no two are 6 TRs apart" in index.attrs["reason"]
    closer = dynamics_index(planted(above), "pixcorr", min_separation=2, resampling=FEW)
    assert float(closer.dynamics) == pytest.approx(0, abs=1e-9)
    chance = dynamics_index(planted(np.zeros((N, N))), "pixcorr", resampling=FEW)
    assert "at chance" in chance.attrs["reason"]
    with pytest.raises(ResultsError, match="min_separation=0"):
        dynamics_index(planted(above), "pixcorr", min_separation=0, resampling=FEW)


def test_gain_of_decoders_of_their_own_lag_is_planted_and_paired():
    above = np.tile(bump(0, 2.0), (N, 1))
    above[np.diag_indices(N)] = bump(0, 2.0) + bump(8, 1.0, height=0.1)
    above[2] = bump(0, 2.0)  # the General decoder
    gain = specialized_minus_general(planted(above), "pixcorr", resampling=FEW)
    expected = np.where(DELTAS == 0, 0, bump(8, 1.0, height=0.1))
    np.testing.assert_allclose(gain.difference, expected, atol=1e-9)
    assert float(gain.difference.sel(test_delta=0)) == 0 == float(gain.high.sel(test_delta=0))
    assert bool(gain.differs.sel(test_delta=8))
    assert not gain.differs.sel(test_delta=[-2, 0, 1, 2]).any()
    assert (gain.band_low <= gain.low + 1e-12).all()
    assert (gain.band_high >= gain.high - 1e-12).all()


def test_what_images_share_drops_out_of_the_gain():
    result = planted(np.full((N, N), 0.2), noise=0.01)
    difficulty = np.repeat(np.random.default_rng(1).normal(0, 0.5, 40), 2)
    gains = [
        specialized_minus_general(of, "pixcorr", resampling=FEW)
        for of in (result, result.assign(pixcorr=result.pixcorr + difficulty))
    ]
    np.testing.assert_allclose(gains[0].low, gains[1].low, atol=1e-9)
    np.testing.assert_allclose(gains[0].band_high, gains[1].band_high, atol=1e-9)
