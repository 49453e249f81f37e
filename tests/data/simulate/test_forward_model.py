"""The stated forward model in the files of simulated subjects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.scenes import render_scene, scene_features
from tempgen.data.simulate import open_truth
from tempgen.data.simulate.neural import neural_time_course
from tests.data.simulate.small_subjects import (
    ROTATING,
    bold_of,
    design,
    roi,
    shown,
    simulate,
    slow_bold,
    volumes,
    without_drift,
)


def test_files_hold_the_stated_model_and_nothing_else_but_noise(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    runs = range(1, 4)
    bold = bold_of(rotating, roi(rotating, "nsdgeneral") > 0, runs)
    parts = np.stack([slow_bold(rotating, truth, run) for run in runs])
    model = np.stack([[without_drift(part) for part in run] for run in parts])

    residual = bold - model.sum(axis=1)
    for part in range(2):
        slope = (model[:, part] * bold).sum() / (model[:, part] ** 2).sum()
        projection = (model[:, part] * residual).sum() / (model[:, part] ** 2).sum()
        assert slope == pytest.approx(1, abs=0.1)
        assert projection == pytest.approx(0, abs=0.02)
    # four cosines and a mean take a little of the noise with them
    assert residual.std() == pytest.approx(float(truth["noise_sd"]), rel=0.05)


def test_snr_is_what_its_definition_says(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    pattern = np.concatenate([slow_bold(rotating, truth, run)[1] for run in range(1, 13)])

    snr = pattern.std(axis=0).mean() / float(truth["noise_sd"])
    assert snr == pytest.approx(ROTATING.snr, rel=0.002)
    assert "SD of the noise" in truth.attrs["snr_definition"]


def test_without_signal_the_mean_response_stays_and_the_pattern_goes(null: NsdLayout) -> None:
    truth = open_truth(null.root, subject=5)
    assert float(truth["pattern_gain"]) == 0

    mask = roi(null, "nsdgeneral") > 0
    bold = bold_of(null, mask, range(2, 6))
    mean = np.stack([without_drift(slow_bold(null, truth, run)[0]) for run in range(2, 6)])
    would_be = truth.assign(pattern_gain=1.0)
    pattern = np.stack([without_drift(slow_bold(null, would_be, run)[1]) for run in range(2, 6)])

    assert (mean * bold).sum() / (mean**2).sum() == pytest.approx(1, abs=0.1)
    assert abs(np.corrcoef(pattern.ravel(), (bold - mean).ravel())[0, 1]) < 0.02


def test_pattern_turns_in_the_files_as_the_truth_says(tmp_path: Path) -> None:
    """Deconvolved without the model: regress BOLD on each component's drive at each lag, and compare with the truth's kernels."""
    layout = simulate(tmp_path, ROTATING.model_copy(update={"snr": 5.0, "time_to_peak_s": (4.0, 4.0)}))
    truth = open_truth(tmp_path).isel(voxel=slice(None, None, 3))
    n_lags, n_voxels, runs = 22, 20, range(1, 7)
    bold = bold_of(layout, roi(layout, "nsdgeneral") > 0, runs)[:, :, ::3]
    delayed = np.zeros((len(runs), 226, 3, n_lags, n_voxels))
    for row, run in enumerate(runs):
        onsets, drive = shown(layout, truth, run)
        drive = np.concatenate([np.ones((1, *drive.shape[1:])), drive])
        for lag in range(n_lags):
            inside = onsets + lag < 226
            delayed[row, onsets[inside] + lag, :, lag] = drive[:, inside].transpose(1, 0, 2)
    columns = np.stack([without_drift(run.reshape(226, -1)) for run in delayed]).reshape(
        -1, 3 * n_lags, n_voxels
    )
    series = bold.reshape(-1, n_voxels)
    columns = columns.transpose(2, 0, 1)  # (voxel, run and volume, part and lag)
    normal = columns.transpose(0, 2, 1) @ columns
    fits = np.linalg.solve(normal, columns.transpose(0, 2, 1) @ series.T[:, :, None])[..., 0]
    kernel = np.mean(fits, axis=0).reshape(3, n_lags)[1:] / float(truth["pattern_gain"])
    expected = truth["evoked_kernel"].mean("voxel").values[1:, :n_lags]

    np.testing.assert_allclose(kernel, expected, atol=0.05 * expected.max())
    angle_deg = np.rad2deg(np.arctan2(kernel[1], kernel[0]))
    # from 4 s to 12 s after the onset the pattern turns all the time, though the HRF blurs it
    assert (np.diff(angle_deg[3:10]) > 3).all()
    assert angle_deg[9] - angle_deg[3] > 40


def test_code_similarity_is_that_of_the_neural_patterns(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    latency_s = truth["latency_s"].values
    drive = (truth["image_feature"] @ truth["tuning"]).transpose("component", "image_id", "voxel").values
    patterns = np.stack([np.cos(a) * drive[0] + np.sin(a) * drive[1] for a in np.deg2rad(10 * latency_s)])
    patterns = patterns.reshape(len(latency_s), -1)
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    expected = patterns @ patterns.T
    silent = latency_s >= 9
    expected[silent] = expected[:, silent] = np.nan

    np.testing.assert_allclose(truth["code_similarity"], expected, atol=1e-5)
    assert silent.any()
    first, last = float(latency_s[0]), 8.75
    similarity = truth["code_similarity"].sel(latency_s=first, other_latency_s=last)
    assert float(similarity) == pytest.approx(np.cos(np.deg2rad(87.5)), abs=1e-6)


def test_static_code_keeps_its_pattern_while_the_image_lasts(null: NsdLayout) -> None:
    truth = open_truth(null.root, subject=5)
    shown_s = truth["latency_s"] < 3
    similarity = truth["code_similarity"].values

    np.testing.assert_allclose(similarity[np.ix_(shown_s, shown_s)], 1, atol=1e-9)
    assert np.isnan(similarity[~shown_s]).all()
    np.testing.assert_array_equal(truth["neural_time_course"].sel(part="mean"), shown_s.astype(float))
    np.testing.assert_array_equal(truth["neural_time_course"].sel(part="second"), 0)


def test_sustained_code_lasts_longer_than_the_image_and_does_not_turn() -> None:
    sustained = SimulationConfig(code="sustained", activity_s=6.5)
    envelope, first, second = neural_time_course(sustained, np.array([-0.1, 0, 3.1, 6.4, 6.5]))

    np.testing.assert_array_equal(envelope, [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(first, envelope)
    np.testing.assert_array_equal(second, 0)


def test_components_have_variance_one_and_no_correlation_in_any_voxel(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    drive = (truth["image_feature"] @ truth["tuning"]).transpose("component", "image_id", "voxel").values

    np.testing.assert_allclose(drive.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(drive.std(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose((drive[0] * drive[1]).mean(axis=0), 0, atol=1e-4)


def test_features_of_the_truth_are_those_of_the_stimuli(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    ids = truth["image_id"].values
    scenes = [render_scene(int(image_id), seed=ROTATING.seed, size=16) for image_id in ids[:20]]
    raw, names = scene_features(scenes, n_pixels=8)
    standardized = (raw - truth["feature_mean"].values) / truth["feature_scale"].values

    assert tuple(truth["feature"].values) == names
    np.testing.assert_allclose(truth["image_feature"][:20], standardized, atol=1e-4)
    np.testing.assert_array_equal(ids, np.unique([design(rotating, run) for run in range(1, 13)])[1:])


def test_voxels_are_tuned_as_their_stream_is(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    kinds = np.array([name.split("_")[0] for name in truth["feature"].values])
    for stream, expected in {
        "early": {"pixel"},
        "ventral": {"category", "colour"},
        "parietal": {"position", "object"},
    }.items():
        weights = truth["tuning"][:, truth["stream"].values == stream]
        used = (weights != 0).any(["component", "voxel"]).values
        assert set(kinds[used]) == expected
    assert list(truth["stream"].values) == [
        ("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal")[label - 1]
        for label in roi(rotating, "streams")[truth["i"], truth["j"], truth["k"]]
    ]


def test_early_voxels_look_at_one_place(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    weights = truth["tuning"][:, truth["stream"].values == "early"].values[..., :192].reshape(2, -1, 8, 8, 3)
    power = (weights**2).sum(axis=(0, 4))
    row, column = np.indices((8, 8))
    total = power.sum(axis=(1, 2))
    centre = [(power * axis).sum(axis=(1, 2)) / total for axis in (row, column)]
    away = (row - centre[0][:, None, None]) ** 2 + (column - centre[1][:, None, None]) ** 2
    radius = np.sqrt((power * away).sum(axis=(1, 2)) / total)

    assert radius.max() < 3
    # and not all at the same one
    assert np.ptp(centre[0]) > 3
    assert np.ptp(centre[1]) > 3


def test_three_seconds_of_activity_evoke_a_peak_of_one(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    step_s = float(truth["time_s"][1])
    for hrf in truth["hrf"].values[::10]:
        response = np.convolve(hrf, np.ones(30))[: len(hrf)] * step_s
        assert response.max() == pytest.approx(1, abs=0.01)


def test_times_to_peak_span_the_range_and_are_those_of_the_hrfs(rotating: NsdLayout) -> None:
    truth = open_truth(rotating.root)
    peaks_s = truth["time_to_peak_s"].values

    assert (peaks_s.min(), peaks_s.max()) == ROTATING.time_to_peak_s
    np.testing.assert_allclose(truth["time_s"][truth["hrf"].argmax("time_s")], peaks_s, atol=0.051)
    # dealt to the voxels at random, not by place
    assert abs(np.corrcoef(peaks_s, np.arange(len(peaks_s)))[0, 1]) < 0.4


def test_brain_outside_nsdgeneral_has_drift_and_noise_alone(rotating: NsdLayout) -> None:
    brain = (volumes(rotating, 1) != 0).any(axis=3)
    outside = brain & (roi(rotating, "nsdgeneral") < 1)
    noise = bold_of(rotating, outside, range(1, 13))
    lagged = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()

    assert noise.std() == pytest.approx(30, rel=0.03)
    assert lagged == pytest.approx(ROTATING.noise_ar1, abs=0.04)
    raw = np.stack([volumes(rotating, run)[outside].T for run in range(1, 13)]).astype(float)
    drift = (raw - raw.mean(axis=1, keepdims=True)).var() - noise.var()
    assert np.sqrt(drift) == pytest.approx(ROTATING.drift * 30, rel=0.15)


def test_noise_differs_from_run_to_run_and_from_voxel_to_voxel(rotating: NsdLayout) -> None:
    brain = (volumes(rotating, 1) != 0).any(axis=3)
    noise = bold_of(rotating, brain & (roi(rotating, "nsdgeneral") < 1), range(1, 13))
    between_runs = np.corrcoef(noise.reshape(len(noise), -1))
    between_voxels = np.corrcoef(noise[0].T)

    # SDs of such correlations: 0.015 and 0.08
    assert np.abs(between_runs - np.eye(len(between_runs))).max() < 0.08
    assert np.abs(between_voxels - np.eye(len(between_voxels))).max() < 0.5


def test_motion_leaves_no_trace_in_the_bold(rotating: NsdLayout) -> None:
    truth, runs = open_truth(rotating.root), range(1, 7)
    modelled = np.stack([without_drift(slow_bold(rotating, truth, run).sum(axis=0)) for run in runs])
    rest = bold_of(rotating, roi(rotating, "nsdgeneral") > 0, runs) - modelled
    motion = [without_drift(np.loadtxt(rotating.motion(session=1, run=run))) for run in runs]
    directions = np.stack([np.linalg.qr(run)[0] for run in motion])

    def explained(shift: int) -> float:
        """Share of the noise that the motion of another run, or of the same (0), explains."""
        projections = directions.transpose(0, 2, 1) @ np.roll(rest, shift, axis=0)
        return float((projections**2).sum() / (rest**2).sum())

    assert explained(0) == pytest.approx(np.mean([explained(shift) for shift in range(1, 6)]), abs=0.008)
