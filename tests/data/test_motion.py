"""Motion parameters come into a store beside its BOLD, on the same volumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tempgen.config.inputs import InputsConfig
from tempgen.config.recording import PreprocessConfig
from tempgen.data.confounds import load_confounds
from tempgen.data.decoder_inputs import DecoderInputs
from tempgen.data.motion import add_motion
from tempgen.data.prepare import prepare_store
from tempgen.data.preprocess import clean_run
from tempgen.data.source import Source
from tempgen.data.store import open_store
from tempgen.errors import ConfigError, SourceDataError, StoreError
from tests.data.test_prepare import MASK, N_TR, TR_S, make_source, silent


def with_motion(source: Source, folder: Path) -> Source:
    """The source with a motion file for each run, of a row more than the run has volumes, as NSD's."""
    runs = []
    for index, run in enumerate(source.runs):
        path = folder / f"motion-{index}.tsv"
        steps = np.random.default_rng(10 + index).normal(size=(N_TR, 6))
        np.savetxt(path, np.cumsum(steps, axis=0), delimiter="\t")
        runs.append(replace(run, confounds_path=path))
    return replace(source, runs=tuple(runs))


@pytest.fixture
def source(tmp_path):
    return with_motion(make_source(tmp_path), tmp_path)


@pytest.fixture
def store(source, tmp_path):
    return prepare_store(source, tmp_path / "store.zarr", say=silent)


def test_motion_is_cleaned_like_the_voxels_and_changes_nothing_else(source, store):
    before = open_store(store).load()
    add_motion(source, store, preprocess=PreprocessConfig(drift="linear"))
    after = open_store(store).load()
    assert after["motion"].dims == ("run", "volume", "parameter")
    for run, described in enumerate(source.runs):
        raw = load_confounds(described.confounds_path)[: N_TR - 1].astype(np.float32)
        expected = clean_run(raw, tr_s=TR_S, drift="linear").zscored
        np.testing.assert_array_equal(after["motion"][run], expected)
    xr.testing.assert_identical(after.drop_vars("motion"), before)
    assert sorted(path.name for path in store.parent.glob("store.zarr*")) == ["store.zarr"]


def test_motion_of_a_resampled_recording_lies_on_the_volumes_of_the_store(source, tmp_path):
    resampled = replace(source, resample_tr_s=1.0)
    store = prepare_store(resampled, tmp_path / "resampled.zarr", say=silent)
    add_motion(resampled, store)
    opened = open_store(store)
    assert opened["motion"].shape[:2] == opened["bold"].shape[:2]
    add_motion(source, prepare_store(source, tmp_path / "plain.zarr", say=silent))
    plain = open_store(tmp_path / "plain.zarr")["motion"].values
    length = int(opened["run_length"][0])
    np.testing.assert_allclose(opened["motion"][0, :length:2], plain[0, : (length + 1) // 2], atol=1e-4)


def test_recording_without_motion_is_refused(source, store):
    runs = (*source.runs[:2], replace(source.runs[2], confounds_path=None))
    with pytest.raises(SourceDataError, match=r"ses-01_run-03 has no motion parameters.*fMRIPrep"):
        add_motion(replace(source, runs=runs), store)
    assert "motion" not in open_store(store)


def test_motion_of_another_length_is_refused(source, store):
    np.savetxt(source.runs[1].confounds_path, np.ones((5, 6)), delimiter="\t")
    with pytest.raises(SourceDataError, match="has 5 rows, .* has 39 volumes"):
        add_motion(source, store)


def test_motion_of_other_runs_is_refused(source, store):
    with pytest.raises(StoreError, match="holds 3 runs, the dataset has 2"):
        add_motion(replace(source, runs=source.runs[:2]), store)


def test_store_without_motion_says_how_to_add_it(store):
    with pytest.raises(StoreError, match="run 'tempgen prepare'"):
        DecoderInputs.of(open_store(store), InputsConfig(kind="motion"))


def test_voxels_are_chosen_by_their_atlas_labels_and_places(store):
    opened = open_store(store)
    config = InputsConfig(voxels_where="streams < 30 and z_mm > 3")
    inputs = DecoderInputs.of(opened, config)
    expected = (opened["streams"].values < 30) & (opened["z_mm"].values > 3)
    assert 0 < expected.sum() < MASK.sum()
    np.testing.assert_array_equal(inputs.columns, expected)
    assert f"{expected.sum()} of {MASK.sum()} voxels" in inputs.describe()
    other = InputsConfig(voxels_where="streams >= 30")
    assert inputs.recipe(config) != DecoderInputs.of(opened, other).recipe(other)
    assert DecoderInputs.of(opened, InputsConfig()).recipe(InputsConfig()) == {}


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        (
            "V1 > 0",
            r"inputs.voxels_where is 'V1 > 0': there is no column V1. Columns: streams, i, j, k, x_mm, y_mm, z_mm",
        ),
        ("streams == -5", "none of the store's 12 voxels"),
    ],
)
def test_condition_that_fits_no_voxel_is_refused(store, condition, complaint):
    with pytest.raises(ConfigError, match=complaint):
        DecoderInputs.of(open_store(store), InputsConfig(voxels_where=condition))
