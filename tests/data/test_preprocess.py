"""Cleaning a run, against nilearn and against planted drift, confounds and constants."""

import warnings

import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.signal import clean as nilearn_clean

from tempgen.data.nifti import read_masked_run
from tempgen.data.preprocess import clean_run, cosine_drift
from tempgen.errors import ConfigError, SourceDataError

TR_S = 4 / 3
N_TR = 225


def noise_run(n_tr=N_TR, n_voxels=30, baseline=1200.0):
    """Autoregressive noise of a few units on a baseline, as int16 values in float32."""
    rng = np.random.default_rng(0)
    series = rng.normal(0, 10, (n_tr, n_voxels))
    for tr in range(1, n_tr):
        series[tr] += 0.5 * series[tr - 1]
    return np.rint(series + baseline).astype(np.float32)


def motion(n_tr=N_TR, n_columns=6):
    return np.random.default_rng(1).normal(0, 1, (n_tr, n_columns)).cumsum(axis=0)


def zscore(series):
    series = series.astype(np.float64)
    return (series - series.mean(axis=0)) / series.std(axis=0, ddof=1)


def test_z_scores_have_mean_0_and_sample_standard_deviation_1():
    cleaned = clean_run(noise_run(), tr_s=TR_S)
    assert cleaned.zscored.dtype == np.float32
    assert cleaned.zscored.shape == (N_TR, 30)
    np.testing.assert_allclose(cleaned.zscored.mean(axis=0, dtype=np.float64), 0, atol=1e-7)
    np.testing.assert_allclose(cleaned.zscored.std(axis=0, ddof=1, dtype=np.float64), 1, atol=1e-6)
    assert not cleaned.constant.any()


@pytest.mark.parametrize("n_tr", [96, 121, 225, 226, 480])
@pytest.mark.parametrize("tr_s", [0.8, 4 / 3, 2.0])
@pytest.mark.parametrize("cutoff_s", [64.0, 128.0])
def test_cosine_drift_removal_equals_nilearn(n_tr, tr_s, cutoff_s):
    series = noise_run(n_tr, n_voxels=5)
    theirs = nilearn_clean(
        series.astype(np.float64), detrend=False, filter="cosine", high_pass=1 / cutoff_s, t_r=tr_s
    )
    ours = clean_run(series, tr_s=tr_s, drift_cutoff_s=cutoff_s).zscored
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_confounds_regressed_jointly_with_drift_equal_nilearn():
    # fast ones, for nilearn leaves its cosines out where a confound resembles one of them
    confounds = np.diff(motion(N_TR + 1), axis=0)
    theirs = nilearn_clean(
        noise_run().astype(np.float64),
        confounds=confounds,
        detrend=False,
        filter="cosine",
        high_pass=1 / 128,
        t_r=TR_S,
    )
    ours = clean_run(noise_run(), tr_s=TR_S, confounds=confounds).zscored
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("confounds", [None, motion()])
def test_linear_drift_and_high_pass_equal_nilearn(confounds):
    series = noise_run() + np.linspace(0, 300, N_TR, dtype=np.float32)[:, None]
    theirs = nilearn_clean(
        series.astype(np.float64),
        detrend=True,
        filter="butterworth",
        high_pass=0.01,
        t_r=TR_S,
        confounds=confounds,
    )
    ours = clean_run(series, tr_s=TR_S, drift="linear", high_pass_hz=0.01, confounds=confounds).zscored
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_without_drift_it_is_a_z_score():
    cleaned = clean_run(noise_run(), tr_s=TR_S, drift="none")
    np.testing.assert_allclose(cleaned.zscored, zscore(noise_run()), atol=1e-6)


def test_a_masked_file_equals_nilearns_masker(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(1500, 20, (6, 7, 5, 120)) + rng.normal(0, 30, (6, 7, 5, 1)) * np.linspace(-1, 1, 120)
    mask = rng.random((6, 7, 5)) > 0.5
    affine = np.diag([1.8, 1.8, 1.8, 1])
    nibabel.save(nibabel.Nifti1Image(values.astype(np.int16), affine), tmp_path / "run.nii.gz")
    masker = NiftiMasker(
        nibabel.Nifti1Image(mask.astype(np.int16), affine),
        standardize="zscore_sample",
        detrend=False,
        high_pass=1 / 128,
        t_r=TR_S,
        reports=False,
        clean_args={"filter": "cosine"},
    )
    theirs = masker.fit_transform(tmp_path / "run.nii.gz")
    ours = clean_run(read_masked_run(tmp_path / "run.nii.gz", mask), tr_s=TR_S).zscored
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # nilearn works in float32 here


@pytest.mark.parametrize("baseline", [0.0, 1200.0, 30_000.0])
def test_a_high_baseline_costs_no_precision(baseline):
    ours = clean_run(noise_run(baseline=baseline), tr_s=TR_S).zscored
    np.testing.assert_allclose(ours, clean_run(noise_run(baseline=0), tr_s=TR_S).zscored, atol=1e-6)


def test_results_do_not_depend_on_how_voxels_fall_into_blocks():
    series = noise_run(n_tr=60, n_voxels=2100)
    cleaned = clean_run(series, tr_s=2.0)
    np.testing.assert_allclose(
        cleaned.zscored[:, 1500:1503], clean_run(series[:, 1500:1503], tr_s=2.0).zscored, atol=1e-6
    )


def test_the_series_given_is_left_as_it_was():
    series = noise_run()
    clean_run(series, tr_s=TR_S, confounds=motion())
    np.testing.assert_array_equal(series, noise_run())


def test_planted_cosine_drift_leaves_no_trace():
    weights = np.random.default_rng(2).normal(0, 2000, (4, 30))
    drifting = noise_run() + cosine_drift(N_TR, tr_s=TR_S) @ weights
    np.testing.assert_allclose(
        clean_run(drifting, tr_s=TR_S).zscored, clean_run(noise_run(), tr_s=TR_S).zscored, atol=1e-6
    )


def test_a_planted_ramp_leaves_no_trace():
    drifting = noise_run() + np.linspace(-500, 500, N_TR)[:, None]
    np.testing.assert_allclose(
        clean_run(drifting, tr_s=TR_S, drift="linear").zscored,
        clean_run(noise_run(), tr_s=TR_S, drift="linear").zscored,
        atol=1e-6,
    )


def test_planted_confounds_leave_no_trace_with_any_filter():
    weights = np.random.default_rng(2).normal(0, 40, (6, 30))
    for options in ({}, {"drift": "linear"}, {"high_pass_hz": 0.01}):
        moving = clean_run(noise_run() + motion() @ weights, tr_s=TR_S, confounds=motion(), **options)
        still = clean_run(noise_run(), tr_s=TR_S, confounds=motion(), **options)
        np.testing.assert_allclose(moving.zscored, still.zscored, atol=1e-5)


def test_a_confound_does_not_bring_drift_back():
    confounds = motion()
    cleaned = clean_run(noise_run(), tr_s=TR_S, confounds=confounds).zscored
    np.testing.assert_allclose(cosine_drift(N_TR, tr_s=TR_S).T @ cleaned, 0, atol=1e-5)
    np.testing.assert_allclose(zscore(confounds).T @ cleaned / N_TR, 0, atol=1e-6)


def test_confounds_that_repeat_each_other_or_are_constant_or_are_drift_change_nothing():
    drift = cosine_drift(N_TR, tr_s=TR_S)[:, :1]
    more = np.hstack(
        [motion(), 3 * motion()[:, :2] + 0.1, np.full((N_TR, 1), 0.1), np.zeros((N_TR, 1)), drift]
    )
    np.testing.assert_allclose(
        clean_run(noise_run(), tr_s=TR_S, confounds=more).zscored,
        clean_run(noise_run(), tr_s=TR_S, confounds=motion()).zscored,
        atol=1e-6,
    )


@pytest.mark.parametrize("options", [{}, {"drift": "none"}, {"high_pass_hz": 0.01}, {"confounds": motion()}])
def test_constant_voxels_become_0_and_are_flagged(options):
    series = noise_run(n_voxels=6)
    series[:, 1] = 0
    series[:, 3] = 0.1
    series[:, 4] = 32_767
    cleaned = clean_run(series, tr_s=TR_S, **options)
    assert cleaned.constant.tolist() == [False, True, False, True, True, False]
    np.testing.assert_array_equal(cleaned.zscored[:, cleaned.constant], 0)
    assert np.isfinite(cleaned.zscored).all()


def test_a_voxel_that_is_confound_and_nothing_else_is_flagged_instead_of_its_rounding_being_scaled():
    series = noise_run(n_voxels=2)
    series[:, 1] = 1000 + 3 * motion()[:, 0]
    assert clean_run(series, tr_s=TR_S, confounds=motion()).constant.tolist() == [False, True]


def test_a_single_count_in_one_volume_is_not_constant():
    series = np.full((N_TR, 1), 32_000, dtype=np.float32)
    series[100] += 1
    assert not clean_run(series, tr_s=TR_S).constant.any()


def test_high_pass_removes_what_is_slow_and_keeps_what_is_fast():
    seconds = np.arange(N_TR)[:, None] * TR_S
    slow, fast = np.sin(2 * np.pi * 0.004 * seconds), np.sin(2 * np.pi * 0.08 * seconds)
    cleaned = clean_run(
        (100 * slow + fast).astype(np.float32), tr_s=TR_S, drift="none", high_pass_hz=0.02
    ).zscored
    assert np.corrcoef(cleaned[20:-20, 0], fast[20:-20, 0])[0, 1] > 0.99


def test_a_run_without_any_slow_cosine_says_that_only_its_mean_is_removed():
    with pytest.warns(UserWarning, match="only its mean is removed"):
        cleaned = clean_run(noise_run(n_tr=20), tr_s=2.0)
    np.testing.assert_allclose(cleaned.zscored, zscore(noise_run(n_tr=20)), atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean_run(noise_run(n_tr=20), tr_s=2.0, drift_cutoff_s=60)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_series_that_is_not_finite_is_refused_with_its_first_volume(value):
    series = noise_run()
    series[17, 3] = series[18, 2] = value
    with pytest.raises(SourceDataError, match=r"Volume 17 \(from 0\)"):
        clean_run(series, tr_s=TR_S)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tr_s": 0.0}, "TR of 0.0 s"),
        ({"drift": "quadratic"}, "cosine, linear or none"),
        ({"drift_cutoff_s": -1.0}, "cutoff of -1.0 s"),
        ({"drift_cutoff_s": 2.0}, "leave nothing"),
        ({"confounds": motion(n_columns=222)}, "4 drift and 220 confound regressors leave nothing"),
        ({"high_pass_hz": 0.0}, "between 0 and 0.375 Hz"),
        ({"high_pass_hz": 0.4}, "between 0 and 0.375 Hz"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        clean_run(noise_run(), **{"tr_s": TR_S} | options)


def test_a_run_too_short_for_the_filter_is_refused():
    with pytest.raises(ConfigError, match="18 volumes is too short"):
        clean_run(noise_run(n_tr=18), tr_s=2.0, drift="none", high_pass_hz=0.01)


def test_drift_of_a_single_volume_is_refused():
    with pytest.raises(ConfigError, match="2 or more"):
        cosine_drift(1, tr_s=TR_S)


@pytest.mark.parametrize("shape", [(10,), (2, 10)])
def test_a_series_of_the_wrong_shape_is_refused(shape):
    with pytest.raises(SourceDataError, match="three volumes or more"):
        clean_run(np.zeros(shape, dtype=np.float32), tr_s=TR_S)


def test_confounds_of_another_length_are_refused():
    with pytest.raises(SourceDataError, match=r"\(226, 6\) came; \(225, n_confounds\)"):
        clean_run(noise_run(), tr_s=TR_S, confounds=motion(226))


def test_confounds_that_are_not_finite_are_refused():
    confounds = motion()
    confounds[0, 0] = np.nan
    with pytest.raises(SourceDataError, match="confounds hold NaN"):
        clean_run(noise_run(), tr_s=TR_S, confounds=confounds)
