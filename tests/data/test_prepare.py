import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tempgen.data.prepare
from tempgen.config.recording import PreprocessConfig
from tempgen.data.prepare import prepare_store
from tempgen.data.preprocess import clean_run
from tempgen.data.source import RunFile, Source
from tempgen.data.store import open_store, partial_folder, read_seen_images, trials_of
from tempgen.data.window_dataset import WindowDataset
from tempgen.errors import SourceDataError, StoreError, WindowOutsideRunError
from tempgen.windows import Window

SHAPE, N_RUNS, N_TR, TR_S = (4, 5, 3), 3, 40, 2.0
MASK = np.zeros(SHAPE, dtype=bool)
MASK[1:3, 1:4, 1:] = True


def bold(run: int) -> np.ndarray:
    """A volume of its own for each run: int16, shape (x, y, z, volume)."""
    return np.random.default_rng(run).normal(1000, 20, (*SHAPE, N_TR)).astype(np.int16)


def make_source(folder: Path, *, constant_voxel: bool = False, **changes: object) -> Source:
    runs = []
    for run in range(N_RUNS):
        data = bold(run)
        if constant_voxel and run == 1:
            data[1, 2, 1] = 7
        path = folder / f"run-{run + 1}_bold.nii.gz"
        image = nib.Nifti1Image(data, np.diag([2.0, 2.0, 3.0, 1.0]))
        image.header.set_zooms((2, 2, 3, TR_S))
        nib.save(image, path)
        runs.append(RunFile(f"ses-01_run-{run + 1:02d}", 1, run + 1, path, n_tr=N_TR - 1))
    onsets = np.array([4, 9, 14])
    trials = pd.DataFrame({"run": np.repeat(np.arange(N_RUNS), 3), "onset_tr": np.tile(onsets, N_RUNS)})
    trials["onset_s"] = trials["onset_tr"] * TR_S
    trials["onset_residual_s"] = 0.0
    trials["duration_s"] = 3.0
    trials["image_id"] = [5, 9, 5, 7, 5, 9, 9, 7, 7]
    trials["repetition"] = trials.groupby("image_id").cumcount()
    trials["shared1000"] = False
    source = {
        "kind": "bids",
        "subject": "01",
        "tr_s": TR_S,
        "runs": tuple(runs),
        "mask": MASK,
        "affine": np.diag([2.0, 2.0, 3.0, 1.0]),
        "trials": trials,
        "read_images": lambda ids, size: np.stack([np.full((12, 12, 3), i, dtype=np.uint8) for i in ids]),
        "voxel_labels": {"streams": np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)},
    }
    return Source(**{**source, **changes})


def silent(_: str) -> None:
    pass


@pytest.fixture
def source(tmp_path):
    return make_source(tmp_path)


def prepared(source: Source, out: Path, **options) -> xr.Dataset:
    return open_store(prepare_store(source, out, say=silent, **options))


def test_store_holds_each_run_cleaned_without_its_trailing_volumes(source, tmp_path):
    store = prepared(source, tmp_path / "store.zarr")
    assert store["bold"].shape == (N_RUNS, N_TR - 1, MASK.sum())
    for run in range(N_RUNS):
        series = bold(run)[MASK].T[: N_TR - 1].astype(np.float32)
        np.testing.assert_array_equal(store["bold"][run].values, clean_run(series, tr_s=TR_S).zscored)


def test_store_knows_voxels_trials_and_images(source, tmp_path):
    store = prepared(source, tmp_path / "store.zarr")
    np.testing.assert_array_equal(np.stack([store[axis] for axis in "ijk"], axis=1), np.argwhere(MASK))
    np.testing.assert_array_equal(store["z_mm"], 3.0 * np.argwhere(MASK)[:, 2])
    np.testing.assert_array_equal(store["streams"], source.voxel_labels["streams"][MASK])
    trials = trials_of(store)
    pd.testing.assert_frame_equal(trials[list(source.trials)], source.trials, check_dtype=False)
    assert trials["previous_image"].tolist() == [-1, 5, 9, -1, 7, 5, -1, 9, 7]
    assert trials["next_image"].tolist() == [9, 5, -1, 5, 9, -1, 7, 7, -1]
    assert read_seen_images(store, np.array([9, 5, 9]))[:, 0, 0, 0].tolist() == [9, 5, 9]
    with pytest.raises(StoreError, match="no image 6"):
        read_seen_images(store, np.array([6]))


def test_store_says_what_its_volumes_were_acquired_at(tmp_path):
    resampled = make_source(tmp_path, resample_tr_s=1.0, resample_start_s=0.0)
    for source, expected in (
        (make_source(tmp_path), (TR_S, TR_S)),
        (make_source(tmp_path, native_tr_s=2.4), (TR_S, 2.4)),
        (resampled, (1.0, TR_S)),
    ):
        attrs = prepared(source, tmp_path / f"{expected}.zarr").attrs
        assert (attrs["tr_s"], attrs["native_tr_s"]) == expected


def test_constant_voxels_are_dropped_in_all_runs_and_counted(tmp_path):
    store = prepared(make_source(tmp_path, constant_voxel=True), tmp_path / "store.zarr")
    assert store.sizes["voxel"] == MASK.sum() - 1
    assert store.attrs["n_constant_voxels_dropped"] == 1
    assert [1, 2, 1] not in np.stack([store[axis] for axis in "ijk"], axis=1).tolist()
    kept = bold(2)[MASK].T[: N_TR - 1].astype(np.float32)
    dropped = np.argwhere(MASK).tolist().index([1, 2, 1])
    np.testing.assert_array_equal(
        store["bold"][2], np.delete(clean_run(kept, tr_s=TR_S).zscored, dropped, axis=1)
    )


def test_killed_preparation_goes_on_where_it_was(source, tmp_path, monkeypatch):
    whole = prepared(source, tmp_path / "whole.zarr")["bold"].values
    done: list[int] = []
    original = tempgen.data.prepare._prepare_run

    def killed_at_the_third(source_, index, *rest):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(index)
        original(source_, index, *rest)

    out = tmp_path / "store.zarr"
    monkeypatch.setattr(tempgen.data.prepare, "_prepare_run", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        prepare_store(source, out, n_jobs=1, say=silent)
    assert not out.exists()
    with pytest.raises(StoreError, match="unfinished"):
        open_store(out)
    repeated: list[int] = []
    monkeypatch.setattr(
        tempgen.data.prepare,
        "_prepare_run",
        lambda s, index, *rest: (repeated.append(index), original(s, index, *rest)),
    )
    resumed = prepared(source, out, n_jobs=1)
    assert repeated == sorted(set(range(N_RUNS)) - set(done))
    np.testing.assert_array_equal(resumed["bold"], whole)
    assert not partial_folder(out).exists()


def test_runs_that_a_killed_preparation_was_removing_are_not_taken_for_done(source, tmp_path, monkeypatch):
    out, removed = tmp_path / "store.zarr", shutil.rmtree

    def half(folder, **options):
        removed(
            Path(folder, "working", "bold", "c", "1") if ".partial" in Path(folder).name else folder,
            **options,
        )
        if ".partial" in Path(folder).name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", half)
        with pytest.raises(KeyboardInterrupt):
            prepare_store(source, out, say=silent)
    whole = open_store(out)["bold"].values
    shutil.rmtree(out)  # the user wants it anew

    np.testing.assert_array_equal(prepared(source, out)["bold"], whole)


def test_run_that_fails_leaves_the_finished_ones_and_no_store(source, tmp_path):
    broken = source.runs[2].bold_path
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    out = tmp_path / "store.zarr"
    with pytest.raises(SourceDataError, match=r"run-3_bold\.nii\.gz"):
        prepare_store(source, out, n_jobs=1, say=silent)
    assert not out.exists()
    broken.write_bytes(content)
    assert prepared(source, out).sizes["run"] == N_RUNS


def test_finished_store_is_kept_and_another_recipe_refused(source, tmp_path):
    out = tmp_path / "store.zarr"
    prepare_store(source, out, say=silent)
    before = (out / "zarr.json").stat().st_mtime_ns
    prepare_store(source, out, say=silent)
    assert (out / "zarr.json").stat().st_mtime_ns == before
    linear = PreprocessConfig(drift="linear")
    with pytest.raises(StoreError, match=r"preprocess\.drift: 'cosine' -> 'linear'.*--overwrite"):
        prepare_store(source, out, preprocess=linear, say=silent)
    remade = prepared(source, out, preprocess=linear, overwrite=True)
    assert json.loads(remade.attrs["recipe"])["preprocess"]["drift"] == "linear"


def test_store_of_fewer_runs_is_not_taken_for_the_whole_recording(source, tmp_path):
    out = tmp_path / "store.zarr"
    part = make_source(tmp_path, runs=source.runs[:2], trials=source.trials[source.trials["run"] < 2])
    prepare_store(part, out, say=silent)
    with pytest.raises(StoreError, match=r"recording\.runs"):
        prepare_store(source, out, say=silent)


def test_store_of_another_format_is_refused(source, tmp_path):
    out = prepare_store(source, tmp_path / "store.zarr", say=silent)
    metadata = json.loads((out / "zarr.json").read_text())
    metadata["attributes"]["store_format"] = 0
    (out / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(StoreError, match="store format 0"):
        open_store(out)


def test_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="no time-series store"):
        open_store(tmp_path / "empty")
    with pytest.raises(StoreError, match="There is no store"):
        open_store(tmp_path / "absent")


def test_short_runs_end_in_nan_and_never_enter_a_window(source, tmp_path):
    short = source.runs[1].bold_path
    shutil.copy(source.runs[0].bold_path, short)
    runs = list(source.runs)
    runs[1] = RunFile("ses-01_run-02", 1, 2, short, n_tr=20)
    linear = PreprocessConfig(drift="linear")  # the short run has no cosine as slow as the default's
    store = prepared(make_source(tmp_path, runs=tuple(runs)), tmp_path / "store.zarr", preprocess=linear)
    assert store["run_length"].values.tolist() == [39, 20, 39]
    assert np.isnan(store["bold"][1, 20:]).all()
    windows = WindowDataset(store, np.ones(9, dtype=bool), Window(0, 3, TR_S))
    with pytest.raises(WindowOutsideRunError, match="no volume 6 TRs after"):
        windows.volume(6)


def test_windows_are_slices_of_the_store(source, tmp_path, monkeypatch):
    store = prepared(source, tmp_path / "store.zarr")
    chosen = np.array([True, False, True, False, False, True, True, True, False])
    windows = WindowDataset(store, chosen, Window(1, 4, TR_S))
    expected = np.stack(
        [
            store["bold"].values[trial.run, trial.onset_tr + 1 + 2 : trial.onset_tr + 1 + 2 + 4]
            for trial in trials_of(store)[chosen].itertuples()
        ]
    )
    np.testing.assert_array_equal(windows.windows(delta=2), expected)
    monkeypatch.setattr("tempgen.data.window_dataset.IN_MEMORY_BYTES", 0)
    from_disk = WindowDataset(store, chosen, Window(1, 4, TR_S))
    np.testing.assert_array_equal(from_disk.windows(delta=2), expected)


def test_resampled_source_has_the_volumes_of_the_new_grid(tmp_path):
    source = make_source(tmp_path, resample_tr_s=1.0, resample_start_s=0.0)
    store = prepared(source, tmp_path / "store.zarr")
    assert store.attrs["tr_s"] == 1.0
    original = clean_run(bold(0)[MASK].T[: N_TR - 1].astype(np.float32), tr_s=TR_S).zscored
    resampled = store["bold"][0].values
    np.testing.assert_allclose(resampled[::2], original[: len(resampled[::2])], atol=1e-5)
