import shutil

import h5py
import nibabel as nib
import numpy as np
import pytest

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd import open_nsd
from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.simulate import open_truth, simulate_nsd
from tempgen.errors import SourceDataError


@pytest.fixture(scope="module")
def resting_root(tmp_path_factory):
    """One simulated session of 14 files, the first and the last resting state."""
    root = tmp_path_factory.mktemp("nsd")
    simulate_nsd(root, SimulationConfig(n_voxels=40, n_sessions=1, image_size=16, resting_runs=True))
    return root


@pytest.fixture
def own_root(resting_root, tmp_path):
    """A copy to damage; the stimuli are linked."""
    root = tmp_path / "nsd"
    shutil.copytree(resting_root, root)
    return root


def test_resting_runs_of_a_14_run_session_are_left_out(resting_root):
    source = open_nsd(resting_root, 1)
    assert [run.run for run in source.runs] == list(range(1, 13))
    assert source.runs[0].bold_path.name == "timeseries_session01_run02.nii.gz"
    assert {run.n_tr for run in source.runs} == {225}


def test_trials_are_those_of_the_design(resting_root):
    source = open_nsd(resting_root, 1)
    assert len(source.trials) == 750
    assert source.trials.groupby("run").size().tolist() == [63, 62] * 6
    assert source.trials["repetition"].value_counts().tolist() == [250, 250, 250]
    gaps = source.trials.groupby("run")["onset_tr"].diff().dropna()
    assert set(gaps) <= {3, 6, 9, 12}
    assert np.allclose(source.trials["onset_s"], source.trials["onset_tr"] * 4 / 3)
    assert 0 < source.trials["shared1000"].mean() < 0.2


def test_region_atlas_and_images_belong_to_the_same_subject(resting_root):
    source = open_nsd(resting_root, 1)
    truth = open_truth(resting_root, 1)
    np.testing.assert_array_equal(np.argwhere(source.mask), np.stack([truth[axis] for axis in "ijk"], axis=1))
    assert set(np.unique(source.voxel_labels["streams"][source.mask])) <= set(range(-1, 8))
    images = source.read_images(np.array([3, 1]), 16)
    assert images.shape == (2, 16, 16, 3)
    with h5py.File(NsdLayout(resting_root, 1).stimuli) as file:
        np.testing.assert_array_equal(images[0], file["imgBrick"][2])


def test_hemispheres_can_be_named(resting_root):
    whole = open_nsd(resting_root, 1).mask
    halves = [open_nsd(resting_root, 1, roi=f"{side}.nsdgeneral").mask for side in ("lh", "rh")]
    np.testing.assert_array_equal(halves[0] | halves[1], whole)
    assert not (halves[0] & halves[1]).any()


def test_simulated_subjects_say_so(resting_root):
    source = open_nsd(resting_root, 1)
    assert source.data_kind == "simulated"
    assert source.notes == {"code": "rotating", "snr": "0.5"}


def test_real_subjects_were_acquired_at_another_tr_than_simulated_ones(own_root):
    assert open_nsd(own_root, 1).acquisition_tr_s == pytest.approx(4 / 3)
    NsdLayout(own_root, 1).simulation_marker.unlink()
    source = open_nsd(own_root, 1)
    assert source.data_kind == "real"
    assert source.store_tr_s == pytest.approx(4 / 3)
    assert source.acquisition_tr_s == 1.6


def test_motion_is_pointed_at_only_when_asked_for(resting_root):
    assert open_nsd(resting_root, 1).runs[0].confounds_path is None
    assert (
        open_nsd(resting_root, 1, with_motion=True).runs[0].confounds_path.name
        == "motion_session01_run02.tsv"
    )


def remove_bold(layout):
    layout.bold(session=1, run=5).unlink()


def remove_design_folder(layout):
    shutil.rmtree(layout.timeseries_folder / "design")


def lengthen_design(layout):
    path = layout.design(session=1, run=5)
    path.write_text(path.read_text() + "0\n0\n")


def shorten_design(layout):
    path = layout.design(session=1, run=5)
    path.write_text("\n".join(path.read_text().split()[:200]) + "\n")


def remove_a_design(layout):
    layout.design(session=1, run=5).unlink()


def truncate_experiment_design(layout):
    content = layout.experiment_design.read_bytes()
    layout.experiment_design.write_bytes(content[: len(content) // 2])


def write_text_into_design(layout):
    layout.design(session=1, run=5).write_text("onset\timage\n")


def empty_a_design(layout):
    layout.design(session=1, run=5).write_text("0\n" * 225)


def ask_for_an_image_beyond_the_stimuli(layout):
    path = layout.design(session=1, run=5)
    rows = path.read_text().split()
    rows[9] = "80000"
    path.write_text("\n".join(rows) + "\n")


def shrink_the_mask(layout):
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), dtype=np.int16), np.eye(4)), layout.roi("nsdgeneral"))


def remove_stimuli(layout):
    layout.stimuli.unlink()


def remove_experiment_design(layout):
    layout.experiment_design.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_bold, r"timeseries_session01_run05\.nii\.gz"),
        (remove_design_folder, "No design of subj01"),
        (lengthen_design, "227 rows, the run has 226 volumes"),
        (shorten_design, "200 rows, the run has 226 volumes"),
        (remove_a_design, r"Runs \[5\] of session 1 have BOLD and no design"),
        (truncate_experiment_design, r"nsd_expdesign\.mat cannot be read"),
        (write_text_into_design, "is no design"),
        (empty_a_design, "14 runs, of which 11 have trials"),
        (ask_for_an_image_beyond_the_stimuli, "image 80000"),
        (shrink_the_mask, r"the region's mask has \(3, 3, 3\)"),
        (remove_stimuli, "stimulus file .* is missing"),
        (remove_experiment_design, "nsd_expdesign"),
    ],
)
def test_damage_is_refused_with_one_clear_error(own_root, damage, message):
    damage(NsdLayout(own_root, 1))
    with pytest.raises(SourceDataError, match=message):
        open_nsd(own_root, 1)


def test_what_is_not_on_disk_is_refused_with_what_is(resting_root):
    with pytest.raises(SourceDataError, match=r"no ROI 'V1'.*on disk are: .*nsdgeneral"):
        open_nsd(resting_root, 1, roi="V1")
    with pytest.raises(
        SourceDataError, match=r"Sessions \[2\] of subj01 have no design files; on disk are \[1\]"
    ):
        open_nsd(resting_root, 1, sessions=[1, 2])
    with pytest.raises(SourceDataError, match="No design of subj07"):
        open_nsd(resting_root, 7)
