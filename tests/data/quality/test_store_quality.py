"""What a store says of its recording."""

import json

import numpy as np
import pytest

from tempgen.data.motion import add_motion
from tempgen.data.prepare import prepare_store
from tempgen.data.quality import describe_quality, quality_map, region_quality, store_quality
from tempgen.data.quality.motion import displacement
from tempgen.data.regions import ATLAS_NAMES
from tempgen.data.simulate.anatomy import STREAMS
from tempgen.data.store import open_store
from tempgen.errors import StoreError
from tests.data.test_motion import with_motion
from tests.data.test_prepare import MASK, N_RUNS, N_TR, bold, make_source, silent
from tests.workflow.conftest import analysis_of


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    from tempgen.workflow import prepare_recording

    analysis = analysis_of(tmp_path_factory.mktemp("quality") / "out")
    with_motion = analysis.model_copy(
        update={"inputs": analysis.inputs.model_copy(update={"kind": "motion"})}
    )
    return prepare_recording(with_motion, say=silent)


@pytest.fixture(scope="module")
def quality(simulated):
    return store_quality(simulated)


def test_prepare_keeps_what_z_scoring_takes_away(tmp_path):
    store = open_store(
        prepare_store(make_source(tmp_path, constant_voxel=True), tmp_path / "store.zarr", say=silent)
    )
    kept = [not constant for constant in (np.argwhere(MASK) == [1, 2, 1]).all(axis=1)]
    for run in range(N_RUNS):
        raw = bold(run)[MASK].T[: N_TR - 1].astype(np.float64)[:, kept]
        np.testing.assert_allclose(store["raw_mean"][run], raw.mean(axis=0), rtol=1e-5)
        cleaned = store["bold"][run].values * store["raw_std"][run].values
        # what was taken away beside the mean is slow: it is no part of the difference from volume to volume
        np.testing.assert_allclose(np.diff(cleaned, axis=0), np.diff(raw, axis=0), atol=0.35 * raw.std())
        assert (store["raw_std"][run].values <= raw.std(axis=0, ddof=1) * (1 + 1e-5)).all()


def test_temporal_snr_is_the_mean_over_the_standard_deviation(simulated, quality):
    ratio = simulated["raw_mean"].values / simulated["raw_std"].values
    np.testing.assert_allclose(quality["tsnr"], np.median(ratio, axis=0), rtol=1e-5)
    np.testing.assert_allclose(quality["tsnr_of_run"], np.median(ratio, axis=1), rtol=1e-5)
    assert quality_map(quality, "tsnr").attrs["volume_shape"] == simulated.attrs["volume_shape"]


def test_a_store_of_before_says_why_it_has_no_temporal_snr(simulated):
    older = simulated.drop_vars(["raw_mean", "raw_std", "motion"])
    quality = store_quality(older)
    assert "tsnr" not in quality
    assert set(json.loads(quality.attrs["missing"])) == {"tsnr", "motion"}
    assert (
        "not told: tsnr, because the store has no raw_mean and raw_std: prepare it again"
        in describe_quality(quality)
    )
    with pytest.raises(StoreError, match="prepare it again"):
        quality_map(quality, "tsnr")


def test_trials_and_blanks_fill_the_runs(quality):
    filled = quality["n_trials"] + quality["n_blanks"]
    assert (filled == filled[0]).all()
    assert int(quality["n_trials"].sum()) == quality.sizes["trial"] == 750
    assert quality["n_images"].values.tolist() == [250]
    assert quality["n_presentations"].values.tolist() == [3]


def test_the_simulated_response_peaks_when_its_hrf_does(quality):
    every = quality["evoked"].sel(region="all voxels")
    assert 5 <= float(every["time_s"][int(every.argmax("time_s"))]) <= 12
    assert float(every.max()) > 10 * float(quality["evoked_se"].sel(region="all voxels").max())
    assert quality["region"].values.tolist() == ["all voxels", *STREAMS]
    assert int(quality["n_voxels"][0]) == int(quality["n_voxels"][1:].sum()) == 150


def test_names_of_streams_are_those_of_the_simulated_brain():
    assert tuple(ATLAS_NAMES["streams"].values()) == STREAMS


def test_voxels_of_simulated_signal_repeat_themselves(quality):
    assert float(quality["reliability"].mean()) > 0.05
    assert 0 < float(quality["noise_ceiling"].mean()) < 60
    table = region_quality(quality)
    assert table.index.tolist() == ["all voxels", *STREAMS]
    assert table.columns.tolist() == ["n_voxels", "tsnr", "reliability", "noise_ceiling"]


def test_trials_whose_response_leaves_the_run_count_for_nothing(simulated):
    late = np.flatnonzero(np.arange(simulated.sizes["trial"]) % 5 == 0)
    onset = simulated["trial_onset_tr"].copy()
    onset[late] = int(simulated["run_length"][0]) - 1
    without = np.setdiff1d(np.arange(simulated.sizes["trial"]), late)
    found = store_quality(simulated.assign(trial_onset_tr=onset))
    expected = store_quality(simulated.isel(trial=without))
    for name in ("reliability", "noise_ceiling"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def test_displacement_is_that_of_the_files(tmp_path):
    from tempgen.data.confounds import load_confounds

    source = with_motion(make_source(tmp_path), tmp_path)
    path = prepare_store(source, tmp_path / "store.zarr", say=silent)
    add_motion(source, path)
    found = store_quality(open_store(path))["displacement_mm"]
    for run in range(N_RUNS):
        raw = load_confounds(source.runs[run].confounds_path)[: N_TR - 1] * [1, 1, 1, 50, 50, 50]
        steps = np.abs(np.diff(raw, axis=0)).sum(axis=1)
        assert np.isnan(found[run, 0])
        assert np.corrcoef(found[run, 1:], steps)[0, 1] > 0.9
        assert float(found[run, 1:].mean()) == pytest.approx(steps.mean(), rel=0.1)


def test_rotations_count_on_a_sphere_of_50_mm():
    motion = np.zeros((1, 3, 6), dtype=np.float32)
    motion[0, 1, 4] = 1.0
    found = displacement(motion, std=np.full((1, 6), 0.01))
    np.testing.assert_allclose(found[0, 1:], [0.5, 0.5])


def test_other_signals_and_empty_seconds_are_refused(simulated):
    with pytest.raises(StoreError, match="holds betas"):
        store_quality(simulated.assign_attrs(signal="betas"))
    with pytest.raises(StoreError, match="No volume lies 4.1 to 4.2 s after onset"):
        store_quality(simulated, response_s=(4.1, 4.2))
    with pytest.raises(StoreError, match="no atlas 'glasser'; it has: streams"):
        store_quality(simulated, atlas="glasser")
