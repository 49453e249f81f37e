"""What fMRIPrep makes of a BIDS dataset, and masks."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tempgen.data.bids import MOTION_CONFOUNDS, open_bids
from tempgen.errors import SourceDataError
from tests.data.bids.datasets import (
    AFFINE,
    N_TR,
    SHAPE,
    func,
    write_confounds,
    write_derivative,
    write_mask,
    write_run,
    write_sidecar,
)


def test_derivatives_give_bold_mask_and_confounds_and_the_raw_dataset_the_events(
    root: Path, fmriprep: Path
) -> None:
    keep = np.ones(SHAPE, dtype=bool)
    keep[0] = False
    write_mask(func(fmriprep) / "sub-01_task-view_run-2_space-T1w_desc-brain_mask.nii.gz", keep)
    source = open_bids(root, "01", derivatives=fmriprep)
    assert all(run.bold_path.is_relative_to(fmriprep) for run in source.runs)
    assert [run.name for run in source.runs] == ["run-1", "run-2"]
    assert [run.confounds_path for run in source.runs] == [
        func(fmriprep) / f"sub-01_task-view_run-{run}_desc-confounds_timeseries.tsv" for run in (1, 2)
    ]
    assert (source.mask == keep).all()  # inside the masks of both runs
    assert source.notes["mask"] == "inside the brain masks of all 2 runs, 18 voxels"
    assert source.notes["bold"] == "preprocessed, space T1w"
    assert len(source.trials) == 6


def test_the_sidecar_of_derivatives_overrides_the_raw_one(root: Path, fmriprep: Path) -> None:
    stem = "sub-01_task-view_run-1_space-T1w_desc-preproc_bold"
    write_sidecar(func(fmriprep) / f"{stem}.json", RepetitionTime=2.0005)
    source = open_bids(root, "01", derivatives=fmriprep)
    assert source.tr_s == 2.0005


def test_a_given_mask_replaces_those_of_the_derivatives(root: Path, fmriprep: Path, mask: Path) -> None:
    assert open_bids(root, "01", derivatives=fmriprep, mask=mask).mask.sum() == 12


def test_a_brain_mask_missing_for_one_run_is_refused(root: Path, fmriprep: Path) -> None:
    (func(fmriprep) / "sub-01_task-view_run-2_space-T1w_desc-brain_mask.nii.gz").unlink()
    with pytest.raises(SourceDataError, match=r"brain mask .*run-2.* is missing"):
        open_bids(root, "01", derivatives=fmriprep)


def test_one_of_several_spaces_and_resolutions_must_be_chosen(root: Path, fmriprep: Path) -> None:
    for run in (1, 2):
        for space in ("", "_space-MNI152NLin6Asym_res-1", "_space-MNI152NLin6Asym_res-2"):
            write_derivative(fmriprep, f"task-view_run-{run}", space=space)
    with pytest.raises(
        SourceDataError, match=r"more than one space .*: MNI152NLin6Asym, T1w, func\. Choose one"
    ):
        open_bids(root, "01", derivatives=fmriprep)
    with pytest.raises(SourceDataError, match=r"more than one resolution \(space: SPACE:res-LABEL\): 1, 2"):
        open_bids(root, "01", derivatives=fmriprep, space="MNI152NLin6Asym")
    for space, part in (("func", "run-1_desc"), ("T1w", "space-T1w"), ("MNI152NLin6Asym:res-2", "res-2")):
        source = open_bids(root, "01", derivatives=fmriprep, space=space)
        assert len(source.runs) == 2
        assert part in source.runs[0].bold_path.name
    with pytest.raises(SourceDataError, match=r"no space .* 'MNI305'"):
        open_bids(root, "01", derivatives=fmriprep, space="MNI305")


def test_confounds_asked_for_are_checked(root: Path, fmriprep: Path) -> None:
    assert len(open_bids(root, "01", derivatives=fmriprep, confounds=(*MOTION_CONFOUNDS, "dvars")).runs) == 2
    with pytest.raises(SourceDataError, match="lack csf"):
        open_bids(root, "01", derivatives=fmriprep, confounds=("csf",))
    write_confounds(fmriprep, "task-view_run-2", n_rows=N_TR - 1)
    with pytest.raises(SourceDataError, match=r"has 19 rows, .* has 20 volumes"):
        open_bids(root, "01", derivatives=fmriprep, confounds=MOTION_CONFOUNDS)
    (func(fmriprep) / "sub-01_task-view_run-2_desc-confounds_timeseries.tsv").unlink()
    assert open_bids(root, "01", derivatives=fmriprep).runs[1].confounds_path is None
    with pytest.raises(SourceDataError, match="no confounds of run-2"):
        open_bids(root, "01", derivatives=fmriprep, confounds=MOTION_CONFOUNDS)


def test_a_folder_without_preprocessed_runs_is_refused(root: Path) -> None:
    with pytest.raises(SourceDataError, match=r"sub-01 has no \*_desc-preproc_bold\.nii\.gz"):
        open_bids(root, "01", derivatives=root)


def test_without_any_mask_one_is_computed_and_the_notes_say_so(tmp_path: Path) -> None:
    shape = (14, 14, 14)
    write_run(tmp_path, "task-view", shape=shape, n_tr=24)
    path = func(tmp_path) / "sub-01_task-view_bold.nii.gz"
    image = nibabel.load(path)
    head = (np.indices(shape) - 6.5).__pow__(2).sum(axis=0) < 25
    series = np.asarray(image.dataobj) // 20 + 900 * head[..., None].astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(series.astype(np.int16), image.affine, image.header), path)
    source = open_bids(tmp_path, "01")
    overlap = 2 * (source.mask & head).sum() / (source.mask.sum() + head.sum())
    assert overlap > 0.9
    assert source.notes["mask"].startswith("computed from the mean of run-01 (nilearn")


def test_a_mask_of_another_shape_or_place_is_refused(root: Path, tmp_path: Path) -> None:
    other = write_mask(tmp_path / "other.nii.gz", np.ones((4, 3, 3)))
    with pytest.raises(SourceDataError, match=r"has shape \(4, 3, 3\), the runs have \(4, 3, 2\)"):
        open_bids(root, "01", mask=other)
    shifted = AFFINE.copy()
    shifted[0, 3] = 1.5
    moved = write_mask(tmp_path / "moved.nii.gz", np.ones(SHAPE), shifted)
    with pytest.raises(SourceDataError, match=r"lies elsewhere: affines differ by up to 1\.5 mm"):
        open_bids(root, "01", mask=moved)


def test_an_empty_mask_is_refused(root: Path, tmp_path: Path) -> None:
    empty = write_mask(tmp_path / "empty.nii.gz", np.zeros(SHAPE))
    with pytest.raises(SourceDataError, match="keeps no voxel"):
        open_bids(root, "01", mask=empty)


@pytest.mark.filterwarnings("ignore:Computed an empty mask")
def test_a_flat_run_gives_no_mask(tmp_path: Path) -> None:
    write_run(tmp_path, "task-view")
    path = func(tmp_path) / "sub-01_task-view_bold.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.int16), image.affine, image.header), path)
    with pytest.raises(
        SourceDataError, match=r"(No mask can be computed|keeps no voxel).*Give (a|another) mask"
    ):
        open_bids(tmp_path, "01")
