"""The Wiener filter against the plain ridge solution, and on codes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tempgen.data.deconvolution import (
    HrfLibrary,
    VoxelHrf,
    choose_hrf,
    deconvolve_in_memory,
    fit_deconvolution,
    wiener_filter,
)
from tempgen.data.preprocess import cosine_drift
from tempgen.data.simulate.scene_pool import draw_scene_pool
from tempgen.data.store import trials_of
from tests.data.deconvolution.subjects import recorded_from

TR_S = 4 / 3
LIBRARY = HrfLibrary.default()


def true_hrf(recorded) -> VoxelHrf:
    """Each voxel's own HRF, to 0.1 s."""
    grid_s = np.linspace(3.0, 6.6, 19)
    nearest = np.abs(np.subtract.outer(recorded.time_to_peak_s, grid_s)).argmin(axis=1)
    return VoxelHrf.given(HrfLibrary.double_gammas(grid_s), nearest)


def convolution_matrix(kernel: NDArray[np.float64], n_volumes: int) -> NDArray[np.float64]:
    matrix = np.zeros((n_volumes, n_volumes))
    for later in range(n_volumes):
        for earlier in range(max(0, later - len(kernel) + 1), later + 1):
            matrix[later, earlier] = kernel[later - earlier]
    return matrix


def test_filter_is_the_ridge_solution_beside_mean_and_drift():
    n_volumes, ratio = 120, 0.7
    kernel = LIBRARY.kernel(TR_S)[12]
    bold = np.random.default_rng(0).standard_normal((n_volumes, 3))
    drift = np.column_stack([np.ones(n_volumes), cosine_drift(n_volumes, tr_s=TR_S)])
    bold -= drift @ np.linalg.lstsq(drift, bold, rcond=None)[0]
    # activity is penalized, mean and drift are not
    design = np.hstack([convolution_matrix(kernel, n_volumes), drift])
    penalty = np.sqrt(ratio) * np.eye(n_volumes, design.shape[1])
    padded = np.vstack([bold, np.zeros((n_volumes, 3))])
    expected = np.linalg.lstsq(np.vstack([design, penalty]), padded, rcond=None)[0][:n_volumes]

    found = wiener_filter(kernel, noise_ratio=ratio, n_volumes=n_volumes, tr_s=TR_S) @ bold

    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_activity_without_noise_comes_back_but_for_mean_and_drift():
    n_volumes = 150
    kernel = LIBRARY.kernel(TR_S)[3]
    activity = np.zeros(n_volumes)
    activity[[20, 21, 60, 90, 91, 92]] = 1
    slow = np.linalg.qr(np.column_stack([np.ones(n_volumes), cosine_drift(n_volumes, tr_s=TR_S)]))[0]
    bold = convolution_matrix(kernel, n_volumes) @ activity
    bold -= slow @ (slow.T @ bold)

    found = wiener_filter(kernel, noise_ratio=1e-5, n_volumes=n_volumes, tr_s=TR_S) @ bold

    assert np.corrcoef(found, activity)[0, 1] > 0.95
    assert set(np.argsort(found)[-6:]) == {20, 21, 60, 90, 91, 92}


def test_nothing_wraps_from_the_end_of_a_run_into_its_beginning():
    kernel = LIBRARY.kernel(TR_S)[12]
    matrix = wiener_filter(kernel, noise_ratio=1.0, n_volumes=225, tr_s=TR_S)

    assert np.abs(matrix[:10, -10:]).max() < 0.05 * np.abs(matrix).max()


def test_noise_ratio_is_the_one_that_was_put_in(static):
    rng = np.random.default_rng(0)
    ratios = np.repeat([0.1, 1.0, 10.0], 20)
    index = np.tile(np.arange(20), 3)
    kernels = LIBRARY.kernel(TR_S)
    slow = np.linalg.qr(np.column_stack([np.ones(225), cosine_drift(225, tr_s=TR_S)]))[0]
    convolution = np.stack([convolution_matrix(kernel, 225) for kernel in kernels])
    store = static.store.isel(run=slice(0, 4), voxel=slice(0, 60)).copy()
    bold = np.empty((4, 225, 60), dtype=np.float32)
    for run in range(4):
        for voxel in range(60):
            one = convolution[index[voxel]] @ rng.standard_normal(225)
            one += np.sqrt(ratios[voxel]) * rng.standard_normal(225)
            one -= slow @ (slow.T @ one)
            bold[run, :, voxel] = one / one.std()
    store["bold"] = (("run", "volume", "voxel"), bold)

    found = fit_deconvolution(store, range(4), VoxelHrf.given(LIBRARY, index))

    assert np.abs(np.log10(found.noise_ratio / ratios)).mean() < 0.2
    assert (np.diff(found.noise_share.reshape(3, 20), axis=0) > 0).all()


def test_deconvolution_undoes_the_hrf_of_every_voxel(static):
    deconvolved = deconvolve_in_memory(
        static.store, fit_deconvolution(static.store, range(10), true_hrf(static))
    )
    trials = trials_of(static.store)
    lags = np.arange(12)

    def mean_response(bold: NDArray[np.float32]) -> NDArray[np.float64]:
        volumes = trials["onset_tr"].to_numpy()[:, None] + lags
        return bold[trials["run"].to_numpy()[:, None], volumes].mean(axis=0)  # (lag, voxel)

    activity = mean_response(deconvolved["bold"].values)
    # 3 s of activity fill two volumes and a quarter, in every voxel
    assert activity.mean(axis=1).argmax() in (0, 1)
    assert activity[:2].mean() > activity[4:].mean() + 0.08
    assert deconvolved.attrs["signal"] == "deconvolved"


def dynamics_index(bold: NDArray[np.float32], recorded, lags: range) -> float:
    """That of ridge decoders from single volumes to features of the images, trained on even runs and tested on odd ones."""
    trials = trials_of(recorded.store)
    run, onset = trials["run"].to_numpy(), trials["onset_tr"].to_numpy()
    features = recorded.subject.pool.features
    shown = features.values[np.searchsorted(features.image_ids, trials["image_id"])]
    targets = np.linalg.svd(shown - shown.mean(axis=0), full_matrices=False)[0][:, :20]
    train = run % 2 == 0

    def volumes(chosen: NDArray[np.bool_], lag: int) -> NDArray[np.float64]:
        at_lag = bold[run[chosen], onset[chosen] + lag].astype(np.float64)
        return at_lag - at_lag.mean(axis=0)

    def correlation(predicted: NDArray[np.float64]) -> float:
        return float(
            np.mean([np.corrcoef(p, y)[0, 1] for p, y in zip(predicted.T, targets[~train].T, strict=True)])
        )

    fits = []
    for lag in lags:
        x = volumes(train, lag)
        fits.append(np.linalg.solve(x.T @ x + 300 * np.eye(x.shape[1]), x.T @ targets[train]))
    score = np.array([[correlation(volumes(~train, lag) @ fit) for lag in lags] for fit in fits])
    own = np.diag(score)
    informative = np.flatnonzero(own > max(0.1, own.max() / 4))
    pairs = [(i, j) for i in informative for j in informative if j - i >= 2]
    return float(
        np.mean([(own[i] + own[j] - score[i, j] - score[j, i]) / (own[i] + own[j]) for i, j in pairs])
    )


@pytest.fixture(scope="module")
def recorded(record):
    return {
        code: record(n_runs=20, code=code, snr=0.7, n_voxels=150, time_to_peak_s=(3.0, 6.5))
        for code in ("sustained", "rotating")
    }


def test_a_static_code_is_static_once_the_hrfs_are_out_and_a_rotating_one_is_not(recorded):
    index = {}
    for code, one in recorded.items():
        deconvolved = deconvolve_in_memory(one.store, fit_deconvolution(one.store, range(20), true_hrf(one)))
        index[code] = dynamics_index(deconvolved["bold"].values, one, range(1, 7))

    assert index["sustained"] <= 0.1
    assert index["rotating"] >= 0.3
    raw = dynamics_index(recorded["sustained"].store["bold"].values, recorded["sustained"], range(3, 12))
    assert raw > index["sustained"] + 0.08


def test_estimated_hrfs_tell_the_codes_apart_as_well(recorded):
    index = {}
    for code, one in recorded.items():
        hrf = choose_hrf(one.store, range(20), LIBRARY, duration_s="estimated")
        deconvolved = deconvolve_in_memory(one.store, fit_deconvolution(one.store, range(20), hrf))
        index[code] = dynamics_index(deconvolved["bold"].values, one, range(1, 7))

    assert index["sustained"] <= 0.15
    assert index["rotating"] >= 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "low", "high"), [("static", -1, 0.1), ("sustained", -1, 0.1), ("rotating", 0.4, 1)]
)
def test_codes_are_told_apart_at_the_size_and_noise_of_a_real_subject(code, low, high):
    scenes = draw_scene_pool(np.arange(1, 701), seed=0, size=16)
    one = recorded_from(
        scenes, n_runs=30, n_repetitions=3, code=code, snr=1 / 1.5, n_voxels=400, time_to_peak_s=(3.0, 6.5)
    )
    deconvolved = deconvolve_in_memory(one.store, fit_deconvolution(one.store, range(30), true_hrf(one)))

    assert low <= dynamics_index(deconvolved["bold"].values, one, range(-1, 11)) <= high
