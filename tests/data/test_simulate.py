"""Simulated subjects: NSD's layout on disk, the stated forward model in it, and the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.io import loadmat
from scipy.signal import fftconvolve

import tempgen
from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.scenes import render_scene, scene_features
from tempgen.data.simulate import open_truth, simulate_nsd
from tempgen.data.simulate.bold import simulate_run
from tempgen.data.simulate.experiment import design_experiment
from tempgen.data.simulate.neural import neural_time_course
from tempgen.errors import ConfigError, SourceDataError

TINY = {"n_voxels": 60, "n_sessions": 1, "image_size": 16}
ROTATING = SimulationConfig(code="rotating", snr=0.5, seed=3, **TINY)
TR_S = 4 / 3


def simulate(
    root: Path, config: SimulationConfig = ROTATING, *, subjects: tuple[int, ...] = (1,)
) -> NsdLayout:
    return simulate_nsd(root, config, subjects=subjects, progress=False)[0]


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory) -> NsdLayout:
    return simulate(tmp_path_factory.mktemp("rotating"))


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> NsdLayout:
    """No image-specific signal, static code, resting runs, a subject whose numbering differs from the session's."""
    config = SimulationConfig(code="static", snr=0, mean_response=3, resting_runs=True, seed=4, **TINY)
    return simulate(tmp_path_factory.mktemp("null"), config, subjects=(5,))


@pytest.fixture(scope="module")
def experiment(rotating: NsdLayout) -> dict[str, NDArray[np.int64]]:
    content = loadmat(rotating.experiment_design)
    return {key: value.astype(np.int64) for key, value in content.items() if not key.startswith("__")}


def design(layout: NsdLayout, run: int, session: int = 1) -> NDArray[np.int64]:
    text = layout.design(session=session, run=run).read_text()
    return np.array([int(line) for line in text.splitlines()])


def volumes(layout: NsdLayout, run: int) -> NDArray[np.int16]:
    return np.asarray(nib.load(layout.bold(session=1, run=run)).dataobj)


def roi(layout: NsdLayout, name: str) -> NDArray[np.int16]:
    return np.asarray(nib.load(layout.roi(name)).dataobj)


def bold_of(layout: NsdLayout, mask: NDArray[np.bool_], runs: range) -> NDArray[np.float64]:
    """Time series with each voxel's and run's mean and slowest cosines taken out, shape (run, volume, voxel)."""
    series = np.stack([volumes(layout, run)[mask].T for run in runs]).astype(np.float64)
    return np.stack([without_drift(run) for run in series])


def without_drift(series: NDArray[np.float64]) -> NDArray[np.float64]:
    grid = (np.arange(len(series)) + 0.5) / len(series)
    slow = np.stack([np.cos(np.pi * order * grid) for order in range(5)], axis=1)
    return series - slow @ np.linalg.lstsq(slow, series, rcond=None)[0]


def fingerprints(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def shown(layout: NsdLayout, truth: xr.Dataset, run: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Onsets of a run, and how strongly its images drive each component, shape (2, n_trials, n_voxels)."""
    rows = design(layout, run)
    onsets = np.flatnonzero(rows)
    images = truth["image_feature"].sel(image_id=rows[onsets])
    drive = images @ truth["tuning"]
    return onsets, drive.transpose("component", "image_id", "voxel").values


def slow_bold(layout: NsdLayout, truth: xr.Dataset, run: int) -> NDArray[np.float64]:
    """Mean and pattern part of a run, shape (2, 226, voxel): neural activity every 0.1 s, convolved with the truth file's HRFs."""
    per_tr = 40  # samples of 1/30 s
    step_s = TR_S / per_tr
    latency_s = np.arange(0, truth.attrs["activity_end_s"], step_s) + step_s / 2
    theta = np.deg2rad(truth.attrs["rotation_deg_per_s"] * latency_s)
    theta *= truth.attrs["code"] == "rotating"
    onsets, drive = shown(layout, truth, run)
    neural = np.zeros((2, 226 * per_tr + len(latency_s), truth.sizes["voxel"]))
    for trial, onset in enumerate(onsets):
        active = slice(onset * per_tr, onset * per_tr + len(latency_s))
        neural[0, active] += truth["mean_response"].values
        pattern = np.outer(np.cos(theta), drive[0, trial]) + np.outer(np.sin(theta), drive[1, trial])
        neural[1, active] += float(truth["pattern_gain"]) * pattern
    since_s = np.arange(0, 50, step_s)
    hrf = truth["hrf"].interp(time_s=since_s).transpose("time_s", "voxel").values
    return fftconvolve(neural, hrf[None], axes=1)[:, : 226 * per_tr : per_tr] * step_s


# Layout


def test_every_run_has_226_volumes_and_225_design_rows(rotating: NsdLayout) -> None:
    assert rotating.runs_on_disk() == [(1, run) for run in range(1, 13)]
    for _, run in rotating.runs_on_disk():
        assert nib.load(rotating.bold(session=1, run=run)).shape[3] == 226
        assert design(rotating, run).shape == (225,)
        assert np.loadtxt(rotating.motion(session=1, run=run), delimiter="\t").shape == (226, 6)


def test_bold_is_plain_int16_with_nsds_grid(rotating: NsdLayout) -> None:
    image = nib.load(rotating.bold(session=1, run=1))

    assert image.get_data_dtype() == np.int16
    assert image.header["pixdim"][4] == pytest.approx(4 / 3)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(image.affine, np.diag([1.8, 1.8, 1.8, 1]), rtol=1e-6)
    np.testing.assert_array_equal(image.get_fdata(), np.asarray(image.dataobj.get_unscaled()))
    assert np.asarray(image.dataobj).dtype == np.int16


def test_bold_is_zero_outside_the_brain_and_nowhere_inside(rotating: NsdLayout) -> None:
    everything = volumes(rotating, 1)
    brain = (everything != 0).any(axis=3)

    assert brain.sum() == 96  # 1.6 times nsdgeneral
    assert (everything[brain] > 0).all()
    assert brain[roi(rotating, "nsdgeneral") > 0].all()
    assert not brain[[0, -1]].any()


def test_blanks_lie_where_nsd_has_them(rotating: NsdLayout) -> None:
    for run in range(1, 13):
        rows = design(rotating, run).reshape(75, 3)
        slots = rows[:, 0] > 0
        assert not rows[:, 1:].any()
        assert not slots[:3].any()
        assert not slots[-4:].any()
        assert slots[3:-4].sum() == (63 if run % 2 else 62)
        assert slots[3]
        assert slots[-5]


def test_each_image_is_shown_three_times_and_never_twice_in_a_row(rotating: NsdLayout) -> None:
    shown_images = np.concatenate(
        [rows[rows > 0] for rows in (design(rotating, run) for run in range(1, 13))]
    )
    _, counts = np.unique(shown_images, return_counts=True)

    assert len(shown_images) == 750
    assert (counts == 3).all()
    assert (shown_images[1:] != shown_images[:-1]).all()


def test_no_order_shows_an_image_twice_in_a_row() -> None:
    for seed in range(20):
        order = design_experiment(SimulationConfig(seed=seed, **TINY)).ordering
        assert (order[1:] != order[:-1]).all()
        np.testing.assert_array_equal(np.bincount(order)[1:], 3)


def test_experiment_file_says_what_the_designs_say(
    rotating: NsdLayout, experiment: dict[str, NDArray[np.int64]]
) -> None:
    rows = np.stack([design(rotating, run) for run in range(1, 13)])
    trials = experiment["subjectim"][0, experiment["masterordering"][0] - 1]

    assert experiment["masterordering"].shape == (1, 750)
    assert experiment["subjectim"].shape == (8, 250)
    np.testing.assert_array_equal(trials, rows[rows > 0])
    np.testing.assert_array_equal(experiment["stimpattern"], (rows[None, :, ::3] > 0))
    np.testing.assert_array_equal(experiment["basiccnt"], [[250], [250], [250]])


def test_subjects_share_a_tenth_of_their_images_and_no_others(
    experiment: dict[str, NDArray[np.int64]],
) -> None:
    images, shared = experiment["subjectim"], experiment["sharedix"][0]

    assert (np.diff(shared) > 0).all()
    for subject in images:
        assert set(subject[:25]) == set(shared)
    own = images[:, 25:].ravel()
    assert len(set(own) | set(shared)) == 8 * 225 + 25
    assert images.min() >= 1
    assert images.max() <= 73_000


def test_stimulus_table_says_in_which_trials_each_subject_saw_an_image(
    rotating: NsdLayout, experiment: dict[str, NDArray[np.int64]]
) -> None:
    table = pd.read_csv(rotating.stimulus_table, index_col=0)

    assert table.shape == (73_000, 40)  # and the unnamed index: 41 columns
    assert (table["nsdId"] == np.arange(73_000)).all()
    for subject in (1, 8):
        seen = table[table[f"subject{subject}"] == 1]
        assert set(seen["nsdId"] + 1) == set(experiment["subjectim"][subject - 1])
        for repetition in range(3):
            trials = seen[f"subject{subject}_rep{repetition}"]
            columns = experiment["masterordering"][0, trials - 1] - 1
            np.testing.assert_array_equal(experiment["subjectim"][subject - 1, columns], seen["nsdId"] + 1)
        assert (seen[f"subject{subject}_rep0"] < seen[f"subject{subject}_rep1"]).all()
    assert set(table["nsdId"][table["shared1000"]] + 1) == set(experiment["sharedix"][0])


def test_stimuli_are_the_scenes_of_their_ids_and_unseen_rows_are_not_stored(
    rotating: NsdLayout, experiment: dict[str, NDArray[np.int64]]
) -> None:
    with h5py.File(rotating.stimuli) as file:
        bricks = file["imgBrick"]
        assert bricks.shape == (73_000, 16, 16, 3)
        assert bricks.chunks == (1, 16, 16, 3)
        assert bricks.id.get_num_chunks() == 250
        for image_id in experiment["subjectim"][0, [0, 100, 249]]:
            expected = render_scene(int(image_id), seed=ROTATING.seed, size=16).image
            np.testing.assert_array_equal(bricks[image_id - 1], expected)
        assert not bricks[experiment["subjectim"][1, -1] - 1].any()


def test_regions_follow_nsds_conventions(rotating: NsdLayout) -> None:
    general, streams = roi(rotating, "nsdgeneral"), roi(rotating, "streams")

    assert (general == 1).sum() == 60
    assert set(np.unique(general)) == {-1, 0, 1}
    assert set(np.unique(streams)) == {-1, 0, 1, 2, 3, 4, 5, 6, 7}
    np.testing.assert_array_equal(streams > 0, general == 1)
    np.testing.assert_array_equal(streams == -1, general == -1)
    height, depth = np.indices(streams.shape)[2], np.indices(streams.shape)[1]
    assert height[streams == 5].mean() < height[streams == 6].mean() < height[streams == 7].mean()
    assert (
        depth[streams == 1].mean() < depth[(streams > 1) & (streams < 5)].mean() < depth[streams > 4].mean()
    )


def test_hemispheres_part_the_regions(rotating: NsdLayout) -> None:
    for name in ("nsdgeneral", "streams"):
        whole, left, right = (roi(rotating, side + name) for side in ("", "lh.", "rh."))
        assert not ((left > -1) & (right > -1)).any()
        np.testing.assert_array_equal(np.maximum(left, right), whole)
        assert np.nonzero(left > 0)[0].max() < np.nonzero(right > 0)[0].min()


def test_sessions_with_resting_runs_have_14_files(null: NsdLayout) -> None:
    assert null.runs_on_disk() == [(1, run) for run in range(1, 15)]
    n_stimuli = [(design(null, run) > 0).sum() for run in range(1, 15)]
    assert n_stimuli == [0, *[63, 62] * 6, 0]
    assert volumes(null, 1).std(axis=3).max() > 0


# Bytes


def test_same_config_gives_the_same_bytes_another_seed_or_subject_others(
    rotating: NsdLayout, tmp_path: Path
) -> None:
    first = fingerprints(rotating.root)
    # file formats keep time in whole seconds
    written = rotating.truth.stat().st_mtime
    time.sleep(max(0.0, 1.1 - (time.time() - written)))
    simulate(tmp_path / "both", subjects=(1, 2))
    again = fingerprints(tmp_path / "both")
    of_both = {name for name in first if "nsd_stimuli" not in name}

    assert {name: again[name] for name in of_both} == {name: first[name] for name in of_both}
    for name in of_both:
        if "subj01" in name and not name.endswith("nsdgeneral.nii.gz") and "streams" not in name:
            assert again[name.replace("subj01", "subj02")] != again[name]
    assert not list((tmp_path / "both").rglob(".*"))

    # a subject that comes later
    shutil.copytree(rotating.root, tmp_path / "singly")
    simulate(tmp_path / "singly", subjects=(2,))
    assert fingerprints(tmp_path / "singly") == again


def test_another_seed_gives_another_experiment_tuning_and_noise(rotating: NsdLayout, null: NsdLayout) -> None:
    mine, theirs = fingerprints(rotating.root), fingerprints(null.root)
    same = {name for name, digest in mine.items() if theirs.get(name.replace("subj01", "subj05")) == digest}

    assert same == set()


def test_killed_simulation_goes_on_where_it_was(rotating: NsdLayout) -> None:
    before = fingerprints(rotating.root)
    lost = {
        rotating.bold(session=1, run=7),
        rotating.motion(session=1, run=8),
        rotating.design(session=1, run=9),
        rotating.roi("lh.streams"),
        rotating.truth,
    }
    rewritten = {
        path(session=1, run=run)
        for path in (rotating.bold, rotating.motion, rotating.design)
        for run in (7, 8, 9)
    }
    files = {path for path in rotating.root.rglob("*") if path.is_file()}
    kept = {path: path.stat().st_mtime_ns for path in files - lost - rewritten}
    for path in lost:
        path.unlink()

    simulate(rotating.root)
    assert fingerprints(rotating.root) == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_finished_subject_is_not_touched(rotating: NsdLayout) -> None:
    times = {path: path.stat().st_mtime_ns for path in rotating.root.rglob("*")}
    simulate(rotating.root)

    assert {path: path.stat().st_mtime_ns for path in rotating.root.rglob("*")} == times


def test_folder_of_another_config_is_refused_by_the_key_that_differs(rotating: NsdLayout) -> None:
    before = fingerprints(rotating.root)
    with pytest.raises(SourceDataError, match=r"config\.snr: 0\.5 -> 0\.0") as error:
        simulate(rotating.root, ROTATING.model_copy(update={"snr": 0.0}))

    assert "seed" not in str(error.value)
    assert fingerprints(rotating.root) == before


def test_a_real_nsd_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "nsddata_timeseries").mkdir()
    with pytest.raises(SourceDataError, match="did not write"):
        simulate(tmp_path)
    assert os.listdir(tmp_path) == ["nsddata_timeseries"]


@pytest.mark.parametrize("subjects", [(), (0,), (1, 9)])
def test_subjects_that_nsd_does_not_have_are_refused(tmp_path: Path, subjects: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="1 to 8"):
        simulate_nsd(tmp_path / "new", ROTATING, subjects=subjects)
    assert not (tmp_path / "new").exists()


def test_signal_beyond_int16_is_refused() -> None:
    with pytest.raises(ConfigError, match="int16"):
        simulate_run(
            ROTATING,
            (1, 1, 1),
            baseline=np.full(3, 1000.0),
            evoked=np.full((226, 1), -40_000.0),
            responsive=np.array([False, True, False]),
        )


# Forward model


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


# Truth file and config


def test_truth_says_how_it_was_made(rotating: NsdLayout) -> None:
    with xr.open_dataset(rotating.truth, engine="h5netcdf") as truth:
        attributes = dict(truth.attrs)
        missing = [name for name, variable in truth.variables.items() if "long_name" not in variable.attrs]

    assert set(missing) <= {"feature", "component", "part", "stream"}
    assert attributes["data_kind"] == "simulated"
    assert attributes["tempgen_version"] == tempgen.__version__
    for key, value in ROTATING.model_dump().items():
        np.testing.assert_array_equal(attributes[key], value)


def test_truth_of_a_subject_that_was_not_simulated_is_refused(rotating: NsdLayout) -> None:
    with pytest.raises(SourceDataError, match="tempgen simulate"):
        open_truth(rotating.root, subject=2)


def test_folder_says_that_it_is_simulated_and_with_what(rotating: NsdLayout) -> None:
    content = json.loads((rotating.root / "simulation" / "config.json").read_text())

    assert content["data_kind"] == "simulated"
    assert SimulationConfig.model_validate(content["config"]) == ROTATING


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"code": "static", "activity_s": 6.0}, "would not be used by the static code"),
        ({"code": "sustained", "rotation_deg_per_s": 20.0}, "would not be used by the sustained code"),
        ({"code": "moving"}, "rotating"),
        ({"sessions": 2}, "Extra inputs"),
        ({"time_to_peak_s": (5.7, 2.7)}, "shortest <= longest"),
        ({"image_size": 65}, "multiple of 8"),
        ({"snr": -1}, "greater than or equal to 0"),
        ({"noise_ar1": 1.0}, "less than 1"),
    ],
)
def test_config_refuses_what_it_would_not_use_or_cannot(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulationConfig(**wrong)


@pytest.mark.parametrize("code", ["static", "sustained", "rotating"])
def test_config_that_was_written_with_every_key_can_be_read_again(code: str) -> None:
    config = SimulationConfig(code=code)
    assert SimulationConfig(**config.model_dump()) == config


def test_every_setting_names_the_source_of_its_default() -> None:
    without = [
        name
        for name, field in SimulationConfig.model_fields.items()
        if "Source: " not in (field.description or "")
    ]
    assert without == []
