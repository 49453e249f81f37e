"""HRFs chosen on simulated subjects whose HRFs are known, and how well the choice knows itself."""

from __future__ import annotations

import numpy as np
import pytest

from tempgen.data.deconvolution import HrfLibrary, VoxelHrf, choose_hrf, describe_hrf, hrf_warnings
from tempgen.data.deconvolution.choice import fit_mean_response, mean_regressor
from tempgen.data.deconvolution.precision import peaks_of_scores, static_index
from tempgen.data.store import trials_of
from tempgen.data.store_drift import StoreDrift
from tempgen.errors import StoreError

LIBRARY = HrfLibrary.default()


@pytest.fixture(scope="module")
def chosen(static) -> VoxelHrf:
    return choose_hrf(static.store, range(10), LIBRARY)


def test_times_to_peak_are_found_without_bias(static, chosen):
    error_s = chosen.time_to_peak_s - static.time_to_peak_s

    assert abs(error_s.mean()) < 0.1
    assert error_s.std() < 0.6


def test_more_runs_know_the_times_to_peak_better(static, chosen):
    few = choose_hrf(static.store, range(4), LIBRARY)

    def sd(hrf: VoxelHrf) -> float:
        return float((hrf.time_to_peak_s - static.time_to_peak_s).std())

    assert sd(chosen) < sd(few)
    assert np.median(chosen.standard_error_s) < np.median(few.standard_error_s)


def test_standard_error_is_the_size_of_the_error(static, chosen):
    error_s = chosen.time_to_peak_s - static.time_to_peak_s
    stated_s = np.sqrt((chosen.standard_error_s**2).mean())

    assert 0.6 < stated_s / np.sqrt((error_s**2).mean()) < 1.7


def test_fit_is_that_of_ordinary_regression(static):
    store, tr_s = static.store, static.store.attrs["tr_s"]
    trials = trials_of(store)
    explained = fit_mean_response(store, [0, 1], LIBRARY).explained(0)

    series, regressors = [], []
    for run in (0, 1):
        slow = StoreDrift().basis(225, tr_s=tr_s)
        of_run = trials[trials["run"] == run]
        x = sum(
            LIBRARY.response(np.arange(225) * tr_s - onset, duration_s=3.0)[7]
            for onset in of_run["onset_tr"] * tr_s
        )
        both = np.column_stack([x, store["bold"].values[run]])
        both = both - slow @ np.linalg.lstsq(slow, both, rcond=None)[0]
        regressors.append(both[:, 0])
        series.append(both[:, 1:])
    x, y = np.concatenate(regressors), np.concatenate(series)
    residual = y - np.outer(x, np.linalg.lstsq(x[:, None], y, rcond=None)[0])
    np.testing.assert_allclose(explained[7], 1 - (residual**2).sum(0) / (y**2).sum(0), atol=1e-5)


def test_left_out_fit_predicts_each_run_from_the_others(static):
    fit = fit_mean_response(static.store, [0, 1, 2], LIBRARY)
    index = np.full(60, 7)
    left_out = 0.0
    for block in range(3):
        others = [k for k in range(3) if k != block]
        weight = fit.xy[0, others, 7].sum(0) / fit.xx[0, others, 7].sum()
        left_out += fit.yy[block] - 2 * weight * fit.xy[0, block, 7] + weight**2 * fit.xx[0, block, 7]

    np.testing.assert_allclose(fit.explained_left_out(0, index), 1 - left_out / fit.yy.sum(0), atol=1e-5)


def test_duration_of_the_activity_is_found_given_the_widths_of_the_hrfs(static, sustained):
    for recorded, duration_s in ((static, 3.0), (sustained, 9.0)):
        hrf = choose_hrf(recorded.store, range(10), LIBRARY, duration_s="estimated")
        assert hrf.duration_s == duration_s
        assert abs((hrf.time_to_peak_s - recorded.time_to_peak_s).mean()) < 0.15


def test_a_duration_that_is_wrong_makes_hrfs_late_and_is_warned_of(sustained):
    hrf = choose_hrf(sustained.store, range(10), LIBRARY)

    assert hrf.duration_s == 3.0
    assert (hrf.time_to_peak_s - sustained.time_to_peak_s).mean() > 0.7
    said = " ".join(hrf_warnings(hrf))
    assert "fits better if activity lasts 9 s" in said
    assert "slowest HRF" in said


def test_hrfs_of_enough_runs_are_not_warned_of_and_those_of_few_are(static, record):
    known = choose_hrf(record(n_runs=24, code="static", mean_response=2.0).store, range(24), LIBRARY)
    unknown = choose_hrf(static.store, range(3), LIBRARY)

    assert hrf_warnings(known) == []
    assert "not known well enough" in hrf_warnings(unknown)[0]
    assert "standard error" in describe_hrf(known)[1]


def test_errors_are_told_as_what_they_do_to_the_index_of_a_static_code(static, chosen):
    few = choose_hrf(static.store, range(4), LIBRARY)

    assert 0.01 < static_index(chosen) < static_index(few) < 0.66
    assert f"about {static_index(few):.2f}" in describe_hrf(few)[2]


def test_given_hrfs_claim_no_precision():
    hrf = VoxelHrf.given(HrfLibrary.canonical(), np.zeros(5, dtype=int))

    assert np.isnan(hrf.standard_error_s).all()
    assert hrf_warnings(hrf) == []
    assert len(describe_hrf(hrf)) == 2


def test_one_member_has_no_standard_error(static):
    hrf = choose_hrf(static.store, range(3), HrfLibrary.canonical())
    assert np.isnan(hrf.standard_error_s).all()
    assert (hrf.index == 0).all()


def test_peaks_between_members_follow_a_parabola():
    library = HrfLibrary.double_gammas([3.0, 3.4, 4.0, 5.0])
    peaks_s = library.time_to_peak_s
    scores = np.stack([-((peaks_s - true) ** 2) for true in (3.3, 3.55, 4.3)], axis=1)

    np.testing.assert_allclose(peaks_of_scores(scores, library), [3.3, 3.55, 4.3], atol=1e-3)


def test_peaks_at_the_ends_of_a_family_are_its_own():
    scores = np.zeros((20, 2))
    scores[9, 0], scores[10, 1] = 1, 1  # slowest of the first family, fastest of the second

    np.testing.assert_allclose(peaks_of_scores(scores, LIBRARY), LIBRARY.time_to_peak_s[[9, 10]])


def test_trials_of_other_durations_have_their_own(static):
    trials = trials_of(static.store).query("run == 0").copy()
    trials.loc[trials.index[::2], "duration_s"] = 1.0
    mixed = mean_regressor(LIBRARY, trials, None, n_volumes=225, tr_s=4 / 3)
    parts = [
        mean_regressor(LIBRARY, part, None, n_volumes=225, tr_s=4 / 3)
        for part in (trials.iloc[::2], trials.iloc[1::2])
    ]

    np.testing.assert_allclose(mixed, parts[0] + parts[1], atol=1e-10)
    assert not np.allclose(mixed, mean_regressor(LIBRARY, trials, 3.0, n_volumes=225, tr_s=4 / 3))


def test_without_training_runs_there_is_no_choice(static):
    with pytest.raises(StoreError, match="time-resolved"):
        choose_hrf(static.store, [], LIBRARY)


def test_image_labels_play_no_part(static, chosen):
    shuffled = static.store.copy()
    shuffled["trial_image_id"] = (
        "trial",
        np.random.default_rng(0).permutation(shuffled["trial_image_id"].values),
    )
    again = choose_hrf(shuffled, range(10), LIBRARY)

    np.testing.assert_array_equal(again.index, chosen.index)
    np.testing.assert_array_equal(again.time_to_peak_s, chosen.time_to_peak_s)
