"""Onsets on and off the volume grid."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tempgen.data.onsets import (
    MAX_UPSAMPLING,
    ONSET_TOLERANCE_S,
    find_onset_grid,
    nearest_volume,
    resample_series,
    resampled_length,
)
from tempgen.errors import ConfigError, SourceDataError


def largest_residual(onsets: NDArray[np.float64], step: float) -> float:
    """Distance of the worst onset from the best grid of this step, by trying starts; the slow, obvious way."""
    starts = np.arange(0, step, 2.5e-4)[:, None]
    distance = np.abs((onsets - starts + step / 2) % step - step / 2)
    return float(distance.max(axis=1).min())


def slots(n_slots: int, *, share: float = 0.7) -> NDArray[np.int64]:
    """Slots of a design in which something is shown."""
    return np.flatnonzero(np.random.default_rng(0).random(n_slots) < share)


def test_each_onset_goes_to_the_nearest_volume_and_halves_go_up() -> None:
    onsets = np.array([0.0, 0.99, 1.0, 2.99, 3.0, 5.0])
    assert nearest_volume(onsets, tr_s=2.0).tolist() == [0, 0, 1, 1, 2, 3]


def test_halves_go_up_also_where_their_quotient_is_rounded() -> None:
    onsets = np.arange(200) * 0.8 + 0.4
    assert (nearest_volume(onsets, tr_s=0.8) == np.arange(200) + 1).all()


def test_onsets_on_the_volume_grid_need_no_other() -> None:
    grid = find_onset_grid(2.5 * slots(100), tr_s=2.5)
    assert (grid.tr_s, grid.start_s) == (2.5, 0.0)
    assert grid.max_residual_s == pytest.approx(0, abs=1e-9)


def test_onsets_that_jitter_about_the_volumes_need_no_other_grid() -> None:
    jitter = np.random.default_rng(1).uniform(0, 0.009, size=100)
    grid = find_onset_grid(2.5 * np.arange(100) + jitter, tr_s=2.5)
    assert (grid.tr_s, grid.start_s) == (2.5, 0.0)
    assert grid.max_residual_s == pytest.approx(jitter.max())


@pytest.mark.parametrize(
    ("tr_s", "step", "start"), [(2.0, 1.5, 0.35), (2.0, 4 / 3, 1.2), (1.6, 1.0, 0.0), (2.0, 2.0, 0.8)]
)
def test_a_planted_grid_is_found_through_jitter(tr_s: float, step: float, start: float) -> None:
    jitter = np.random.default_rng(1).uniform(-0.004, 0.004, size=200)
    planted = slots(200)
    onsets = np.abs(start + step * planted + jitter[planted])
    grid = find_onset_grid(onsets, tr_s=tr_s)
    assert grid.tr_s == pytest.approx(step, abs=1e-4)
    assert grid.start_s == pytest.approx(start, abs=0.008)
    assert grid.max_residual_s <= ONSET_TOLERANCE_S
    assert (nearest_volume(onsets, tr_s=grid.tr_s, start_s=grid.start_s) == planted).all()


def test_the_grid_found_is_the_coarsest_that_serves() -> None:
    onsets = 0.2 + 1.2 * np.array([0, 1, 3, 8, 13, 21.0])
    grid = find_onset_grid(onsets, tr_s=2.0)
    coarser = np.arange(grid.tr_s + 0.002, 2.0, 0.002)
    assert grid.tr_s == pytest.approx(1.2)
    assert min(largest_residual(onsets, step) for step in coarser) > ONSET_TOLERANCE_S


def test_a_step_rounded_to_milliseconds_does_not_drift_away_from_a_long_design() -> None:
    onsets = 1.33317 * slots(3000)
    grid = find_onset_grid(onsets, tr_s=1.6)
    assert grid.tr_s == pytest.approx(1.33317, abs=1e-5)
    assert grid.max_residual_s < 1e-3


def test_a_grid_never_starts_before_the_first_volume() -> None:
    onsets = np.array([0.0, 1.494, 2.994, 4.494, 7.494])
    grid = find_onset_grid(onsets, tr_s=2.0)
    assert grid.tr_s == pytest.approx(1.5, abs=0.004)
    assert grid.start_s == 0.0
    assert nearest_volume(onsets, tr_s=grid.tr_s, start_s=grid.start_s).tolist() == [0, 1, 2, 3, 5]


def test_one_onset_starts_the_grid() -> None:
    grid = find_onset_grid([3.1], tr_s=2.0)
    assert (grid.tr_s, grid.start_s) == (2.0, pytest.approx(1.1))


def test_onsets_on_no_grid_are_refused_with_what_was_found() -> None:
    onsets = np.cumsum(np.random.default_rng(0).uniform(3, 6, size=40))
    with pytest.raises(
        SourceDataError, match=r"40 onsets lie on no grid .* 0\.5 s and the TR, 2 s.*resample_tr_s"
    ):
        find_onset_grid(onsets, tr_s=2.0)


def test_a_grid_finer_than_a_fraction_of_the_tr_is_not_looked_for() -> None:
    step = 2.0 / MAX_UPSAMPLING
    onsets = np.arange(1, 60) ** 2 % 97 * step
    assert find_onset_grid(onsets, tr_s=2.0).tr_s == pytest.approx(step)
    with pytest.raises(SourceDataError, match="no grid"):
        find_onset_grid(onsets * 0.8, tr_s=2.0)


def test_a_given_step_is_taken_where_its_start_fits() -> None:
    grid = find_onset_grid([0.3, 1.5, 2.7], tr_s=2.0, grid_tr_s=0.4)
    assert (grid.tr_s, grid.start_s) == (0.4, pytest.approx(0.3))


def test_a_given_step_that_misses_onsets_starts_with_the_first_volume_and_says_by_how_much() -> None:
    grid = find_onset_grid([0.2, 1.47, 3.1], tr_s=2.0, grid_tr_s=0.5)
    assert (grid.tr_s, grid.start_s, grid.max_residual_s) == (0.5, 0.0, pytest.approx(0.2))


@pytest.mark.parametrize("step", [0.0, -1.0, 2.5])
def test_a_given_step_must_be_positive_and_at_most_the_tr(step: float) -> None:
    with pytest.raises(ConfigError, match="resample_tr_s"):
        find_onset_grid([1.0], tr_s=2.0, grid_tr_s=step)


def test_no_onsets_have_no_grid() -> None:
    with pytest.raises(SourceDataError, match="No onset"):
        find_onset_grid([], tr_s=2.0)


def test_resampling_gives_back_a_cubic_exactly() -> None:
    def course(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([1 + 0.1 * seconds, (seconds / 20) ** 3 - (seconds / 15) ** 2], axis=1)

    measured = course(2.0 * np.arange(40)).astype(np.float32)
    n_new = resampled_length(40, tr_s=2.0, new_tr_s=1.5, start_s=0.35)
    new = resample_series(measured, tr_s=2.0, new_tr_s=1.5, start_s=0.35, n_new=n_new)
    expected = course(0.35 + 1.5 * np.arange(n_new))
    assert new.shape == (52, 2)
    assert new.dtype == np.float32
    np.testing.assert_allclose(new, expected, atol=2e-4)


def test_resampling_agrees_with_the_spline_of_each_voxel() -> None:
    from scipy.interpolate import CubicSpline

    series = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    n_new = resampled_length(50, tr_s=1.6, new_tr_s=4 / 3, start_s=0.4)
    new = resample_series(series, tr_s=1.6, new_tr_s=4 / 3, start_s=0.4, n_new=n_new)
    times = 0.4 + 4 / 3 * np.arange(n_new)
    for voxel in range(7):
        expected = CubicSpline(1.6 * np.arange(50), series[:, voxel].astype(np.float64))(times)
        np.testing.assert_allclose(new[:, voxel], expected, atol=1e-5)


def test_resampling_recovers_a_slow_response_between_the_volumes() -> None:
    frequency_hz = 0.05  # well below the Nyquist frequency, 0.25 Hz
    course = np.sin(2 * np.pi * frequency_hz * 2.0 * np.arange(100))[:, None].astype(np.float32)
    new = resample_series(course, tr_s=2.0, new_tr_s=0.5, start_s=0.5, n_new=390)
    expected = np.sin(2 * np.pi * frequency_hz * (0.5 + 0.5 * np.arange(390)))
    assert np.abs(new[8:-8, 0] - expected[8:-8]).max() < 0.005


def test_resampling_to_the_same_grid_changes_nothing() -> None:
    series = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    new = resample_series(series, tr_s=1.4, new_tr_s=1.4, start_s=0.0, n_new=30)
    np.testing.assert_allclose(new, series, atol=1e-6)


@pytest.mark.parametrize(("n_tr", "start"), [(10, 0.0), (10, 0.7), (226, 0.0), (225, 1.333)])
def test_the_resampled_length_is_the_number_of_times_inside_the_run(n_tr: int, start: float) -> None:
    n_new = resampled_length(n_tr, tr_s=1.6, new_tr_s=4 / 3, start_s=start)
    times = start + 4 / 3 * np.arange(2 * n_tr)
    assert n_new == int((times <= 1.6 * (n_tr - 1) + 1e-6).sum())


def test_the_resampled_length_keeps_a_last_time_that_rounding_moves_past_the_end() -> None:
    assert resampled_length(4, tr_s=0.1, new_tr_s=0.1, start_s=0.0) == 4
    assert resampled_length(7, tr_s=1.0, new_tr_s=0.6, start_s=0.0) == 11


def test_nothing_is_extrapolated() -> None:
    series = np.zeros((10, 1), dtype=np.float32)
    with pytest.raises(SourceDataError, match=r"20 volumes .* 19 lie inside .* nothing is extrapolated"):
        resample_series(series, tr_s=2.0, new_tr_s=1.0, start_s=0.0, n_new=20)


@pytest.mark.parametrize("start", [-0.1, 18.1])
def test_a_grid_that_starts_outside_the_run_is_refused(start: float) -> None:
    with pytest.raises(SourceDataError, match="no volume inside a run"):
        resampled_length(10, tr_s=2.0, new_tr_s=1.0, start_s=start)


def test_three_volumes_have_no_cubic_spline() -> None:
    with pytest.raises(SourceDataError, match="at least 4"):
        resample_series(np.zeros((3, 1), dtype=np.float32), tr_s=2.0, new_tr_s=1.0, start_s=0.0, n_new=2)
