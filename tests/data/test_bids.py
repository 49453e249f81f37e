"""BIDS datasets, written small: what is read, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tempgen.data.bids import MOTION_CONFOUNDS, open_bids
from tempgen.data.source import TRIAL_COLUMNS
from tempgen.errors import ConfigError, SourceDataError
from tests.haxby import HAXBY, N_RUNS, convert_haxby, haxby_mask

SHAPE = (4, 3, 2)
N_TR = 20
TR_S = 2.0
AFFINE = np.diag([3.0, 3.0, 3.5, 1.0])
Rows = Sequence[Mapping[str, object]]
TWO_LABELS: Rows = (
    {"onset": 4.0, "duration": 2.0, "trial_type": "face"},
    {"onset": 12.0, "duration": 2.0, "trial_type": "house"},
    {"onset": 20.0, "duration": 2.0, "trial_type": "face"},
)


def write_bold(
    path: Path,
    *,
    n_tr: int = N_TR,
    shape: tuple[int, ...] = SHAPE,
    tr_s: float | None = TR_S,
    affine: NDArray[np.float64] = AFFINE,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(
        np.random.default_rng(0).integers(400, 600, (*shape, n_tr), dtype=np.int16), affine
    )
    if tr_s is not None:
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((3.0, 3.0, 3.5, tr_s))
    nibabel.save(image, path)
    return path


def write_mask(path: Path, mask: NDArray[Any], affine: NDArray[np.float64] = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), path)
    return path


def write_table(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(rows[0])
    lines = ["\t".join(columns), *("\t".join(str(row[column]) for column in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sidecar(path: Path, **content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def func(root: Path, session: str | None = None) -> Path:
    return root / "sub-01" / (f"ses-{session}" if session else "") / "func"


def write_run(
    root: Path, stem: str, rows: Rows | None = TWO_LABELS, *, session: str | None = None, **bold: Any
) -> None:
    """One raw run with its events; ``stem`` follows ``sub-01_``."""
    name = f"sub-01_{f'ses-{session}_' if session else ''}{stem}"
    write_bold(func(root, session) / f"{name}_bold.nii.gz", **bold)
    if rows is not None:
        write_table(func(root, session) / f"{name}_events.tsv", rows)


def write_derivative(folder: Path, stem: str, *, space: str = "_space-T1w", **bold: Any) -> None:
    """What fMRIPrep makes of a run: BOLD, brain mask and confounds."""
    write_bold(func(folder) / f"sub-01_{stem}{space}_desc-preproc_bold.nii.gz", **bold)
    mask = np.ones(bold.get("shape", SHAPE), dtype=bool)
    write_mask(func(folder) / f"sub-01_{stem}{space}_desc-brain_mask.nii.gz", mask)
    write_confounds(folder, stem)


def write_confounds(folder: Path, stem: str, *, n_rows: int = N_TR) -> None:
    rows = [
        dict.fromkeys(MOTION_CONFOUNDS, volume / 10) | {"dvars": "n/a" if volume == 0 else 1.5}
        for volume in range(n_rows)
    ]
    write_table(func(folder) / f"sub-01_{stem}_desc-confounds_timeseries.tsv", rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two raw runs of one task; the TR stands in the headers and above the subject."""
    root = tmp_path / "dataset [v1]"  # brackets mean something to glob
    write_run(root, "task-view_run-1")
    write_run(root, "task-view_run-2")
    write_sidecar(root / "task-view_bold.json", RepetitionTime=TR_S)
    return root


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    kept = np.zeros(SHAPE, dtype=bool)
    kept[1:3] = True
    return write_mask(tmp_path / "mask.nii.gz", kept)


@pytest.fixture
def fmriprep(root: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "fmriprep"
    for run in (1, 2):
        write_derivative(folder, f"task-view_run-{run}")
    return folder


# What is read


def test_raw_runs_with_trial_types_become_a_source_of_labels(root: Path, mask: Path) -> None:
    source = open_bids(root, "01", mask=mask)
    assert (source.kind, source.subject, source.tr_s, source.data_kind) == ("bids", "01", TR_S, "real")
    assert [run.name for run in source.runs] == ["run-1", "run-2"]
    assert [(run.session, run.run, run.n_tr) for run in source.runs] == [(1, 1, N_TR), (1, 2, N_TR)]
    assert source.mask.sum() == 12
    assert source.mask.dtype == bool
    np.testing.assert_allclose(source.affine, AFFINE)
    assert source.label_names == ("face", "house")
    assert source.read_images is None
    assert source.resample_tr_s is None
    assert tuple(source.trials.columns) == TRIAL_COLUMNS
    assert source.trials["run"].tolist() == [0, 0, 0, 1, 1, 1]
    assert source.trials["onset_tr"].tolist() == [2, 6, 10] * 2
    assert source.trials["image_id"].tolist() == [0, 1, 0] * 2
    assert source.trials["repetition"].tolist() == [0, 0, 1, 2, 1, 3]
    assert source.trials["duration_s"].tolist() == [2.0] * 6
    assert not source.trials["shared1000"].any()
    assert source.notes["task"] == "view"
    assert source.notes["mask"] == "file mask.nii.gz, 12 voxels"


def test_labels_of_entities_may_carry_their_prefix(root: Path, mask: Path) -> None:
    assert open_bids(root, "sub-01", task="task-view", mask=mask).subject == "01"


def test_runs_are_sorted_by_number_not_by_text(root: Path, mask: Path) -> None:
    write_run(root, "task-view_run-10")
    assert [run.run for run in open_bids(root, "01", mask=mask).runs] == [1, 2, 10]


def test_trials_are_sorted_by_onset_whatever_the_order_of_the_rows(root: Path, mask: Path) -> None:
    write_table(func(root) / "sub-01_task-view_run-1_events.tsv", TWO_LABELS[::-1])
    trials = open_bids(root, "01", mask=mask).trials
    assert trials["onset_s"].tolist() == [4.0, 12.0, 20.0] * 2


def test_all_sessions_are_read_unless_one_is_chosen(tmp_path: Path, mask: Path) -> None:
    for session in ("01", "02"):
        for run in (1, 2):
            write_run(tmp_path, f"task-view_run-{run}", session=session)
    names = ["ses-01_run-1", "ses-01_run-2", "ses-02_run-1", "ses-02_run-2"]
    assert [run.name for run in open_bids(tmp_path, "01", mask=mask).runs] == names
    chosen = open_bids(tmp_path, "01", session="02", mask=mask)
    assert [run.name for run in chosen.runs] == names[2:]
    assert {run.session for run in chosen.runs} == {2}
    with pytest.raises(SourceDataError, match=r"no session of sub-01 '03'; there are: 01, 02"):
        open_bids(tmp_path, "01", session="03", mask=mask)


def test_sessions_that_are_words_are_numbered_by_rank(tmp_path: Path, mask: Path) -> None:
    for session in ("pre", "post"):
        write_run(tmp_path, "task-view", session=session)
    runs = open_bids(tmp_path, "01", mask=mask).runs
    assert [(run.name, run.session, run.run) for run in runs] == [("ses-post", 1, 1), ("ses-pre", 2, 1)]


def test_a_single_run_needs_no_run_entity(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view")
    assert [run.name for run in open_bids(tmp_path, "01", mask=mask).runs] == ["run-01"]


def test_phase_images_are_not_runs(root: Path, mask: Path) -> None:
    for part in ("mag", "phase"):
        write_run(root, f"task-view_run-3_part-{part}")
    assert [run.run for run in open_bids(root, "01", mask=mask).runs] == [1, 2, 3]


def test_events_may_lie_above_the_runs_to_which_they_apply(tmp_path: Path, mask: Path) -> None:
    for run in (1, 2):
        write_run(tmp_path, f"task-view_run-{run}", None)
    write_table(tmp_path / "task-view_events.tsv", TWO_LABELS)
    write_table(tmp_path / "task-rest_events.tsv", [{"onset": 0, "duration": 1, "trial_type": "rest"}])
    nearer = [{"onset": 8.0, "duration": 1.0, "trial_type": "house"}]
    write_table(func(tmp_path) / "sub-01_task-view_run-2_events.tsv", nearer)
    trials = open_bids(tmp_path, "01", mask=mask).trials
    assert trials["onset_s"].tolist() == [4.0, 12.0, 20.0, 8.0]


def test_rows_without_a_stimulus_are_dropped_and_counted(root: Path, mask: Path) -> None:
    rows = [*TWO_LABELS, {"onset": 90.0, "duration": "n/a", "trial_type": "n/a"}]
    write_table(func(root) / "sub-01_task-view_run-2_events.tsv", rows)
    source = open_bids(root, "01", mask=mask)
    assert len(source.trials) == 6
    assert source.notes["rows_dropped"] == "1 rows of events without trial_type"


def test_an_unknown_duration_stays_unknown(root: Path, mask: Path) -> None:
    rows = [{"onset": 4.0, "duration": "n/a", "trial_type": "face"}]
    write_table(func(root) / "sub-01_task-view_run-1_events.tsv", rows)
    assert np.isnan(open_bids(root, "01", mask=mask).trials["duration_s"][0])


def test_the_most_specific_column_is_taken_unless_one_is_named(tmp_path: Path, mask: Path) -> None:
    rows = [{"onset": 4, "duration": 1, "trial_type": "face", "stimulus": "Ann", "response": "yes"}]
    write_run(tmp_path, "task-view", rows)
    assert open_bids(tmp_path, "01", mask=mask).label_names == ("Ann",)
    assert open_bids(tmp_path, "01", mask=mask, stimulus_column="response").label_names == ("yes",)
    with pytest.raises(
        SourceDataError, match=r"no column 'colour'; all runs have: duration, onset, response"
    ):
        open_bids(tmp_path, "01", mask=mask, stimulus_column="colour")


# Seen images


def write_image(path: Path, size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def stimulus_rows(*names: str) -> Rows:
    return [{"onset": 4.0 * k, "duration": 1, "stim_file": name} for k, name in enumerate(names)]


def test_stimulus_files_become_seen_images_by_rank_of_their_name(tmp_path: Path, mask: Path) -> None:
    write_image(tmp_path / "stimuli" / "b.png", (40, 20), (0, 0, 255))
    write_image(tmp_path / "stimuli" / "set" / "a.png", (40, 20), (255, 0, 0))
    write_run(tmp_path, "task-view", stimulus_rows("set/a.png", "b.png", "set/a.png"))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.trials["image_id"].tolist() == [1, 0, 1]
    assert source.label_names == ()
    assert source.read_images is not None
    images = source.read_images(np.array([1, 0]), 16)
    assert images.shape == (2, 8, 16, 3)  # proportions kept
    assert images.dtype == np.uint8
    assert images[:, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert source.read_images(np.array([0]), 100).shape == (1, 20, 40, 3)  # never enlarged


def test_images_of_different_sizes_become_central_squares_of_the_shortest_side(
    tmp_path: Path, mask: Path
) -> None:
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 200  # the central square
    (tmp_path / "stimuli").mkdir()
    Image.fromarray(wide).save(tmp_path / "stimuli" / "wide.png")
    write_image(tmp_path / "stimuli" / "tall.png", (30, 50), (10, 20, 30))
    write_run(tmp_path, "task-view", stimulus_rows("wide.png", "tall.png"))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.read_images is not None
    images = source.read_images(np.array([0, 1]), 64)
    assert images.shape == (2, 20, 20, 3)
    assert (images[1] == 200).all()
    assert "central squares" in source.notes["stimuli"]


def test_grey_images_and_palettes_become_colour(tmp_path: Path, mask: Path) -> None:
    write_image(tmp_path / "stimuli" / "colour.png", (8, 8), (9, 8, 7))
    Image.new("L", (8, 8), 77).save(tmp_path / "stimuli" / "grey.png")
    write_run(tmp_path, "task-view", stimulus_rows("stimuli/colour.png", "bids::stimuli/grey.png"))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.read_images is not None
    assert source.read_images(np.array([0, 1]), 8)[:, 0, 0].tolist() == [[77, 77, 77], [9, 8, 7]]


def test_an_image_outside_the_stimuli_is_refused(tmp_path: Path, mask: Path) -> None:
    write_image(tmp_path / "stimuli" / "a.png", (8, 8), (9, 8, 7))
    write_run(tmp_path, "task-view", stimulus_rows("a.png"))
    read_images = open_bids(tmp_path, "01", mask=mask).read_images
    assert read_images is not None
    for image_id in (-1, 1):
        with pytest.raises(SourceDataError, match=rf"Image {image_id} was asked for"):
            read_images(np.array([0, image_id]), 8)


def test_stimulus_files_that_are_missing_or_no_images_are_refused(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", stimulus_rows("a.png", "b.png"))
    with pytest.raises(SourceDataError, match=r"2 of 2 stimulus files are missing, the first is .*a\.png"):
        open_bids(tmp_path, "01", mask=mask)
    (tmp_path / "stimuli").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "stimuli" / name).write_bytes(b"no image")
    with pytest.raises(SourceDataError, match=r"a\.png cannot be read as an image"):
        open_bids(tmp_path, "01", mask=mask)


# Onsets and the volume grid


def rows_at(*onsets: float) -> Rows:
    return [
        {"onset": onset, "duration": 1.0, "trial_type": f"label{k % 2}"} for k, onset in enumerate(onsets)
    ]


def test_onsets_off_the_grid_go_to_the_nearest_volume_and_keep_their_residual(
    tmp_path: Path, mask: Path
) -> None:
    write_run(tmp_path, "task-view", rows_at(0.0, 3.1, 7.0, 39.5))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.trials["onset_tr"].tolist() == [0, 2, 4, 20]
    np.testing.assert_allclose(source.trials["onset_residual_s"], [0, -0.9, -1.0, -0.5])
    np.testing.assert_allclose(
        source.trials["onset_residual_s"], source.trials["onset_s"] - source.trials["onset_tr"] * source.tr_s
    )
    assert source.notes["onsets"] == "nearest volume, residuals up to 1.000 s"


def test_resampling_locks_the_volumes_to_the_onsets(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view_run-1", rows_at(0.4, 1.9, 6.4))
    write_run(tmp_path, "task-view_run-2", rows_at(3.403, 12.4))
    source = open_bids(tmp_path, "01", mask=mask, onsets="resample")
    assert source.tr_s == TR_S
    assert source.resample_tr_s == pytest.approx(1.5)
    assert source.store_tr_s == source.resample_tr_s
    assert source.resample_start_s == pytest.approx(0.4, abs=0.003)
    assert source.trials["onset_tr"].tolist() == [0, 1, 4, 2, 8]
    assert source.trials["onset_residual_s"].abs().max() < 0.004
    np.testing.assert_allclose(
        source.trials["onset_residual_s"],
        source.trials["onset_s"] - source.trials["onset_tr"] * 1.5,
        atol=1e-9,
    )
    assert source.runs[0].n_tr == N_TR
    assert source.notes["onsets"].startswith("resampled every 1.5 s from 0.40")


def test_resampling_onsets_that_lie_on_the_volumes_changes_nothing(root: Path, mask: Path) -> None:
    source = open_bids(root, "01", mask=mask, onsets="resample")
    assert (source.resample_tr_s, source.resample_start_s) == (None, 0.0)
    assert source.notes["onsets"].startswith("nearest volume")


def test_a_given_step_resamples_what_lies_on_no_grid(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", rows_at(0.0, 1.37, 5.91, 9.13))
    with pytest.raises(SourceDataError, match="resample_tr_s"):
        open_bids(tmp_path, "01", mask=mask, onsets="resample")
    source = open_bids(tmp_path, "01", mask=mask, onsets="resample", resample_tr_s=0.5)
    assert (source.resample_tr_s, source.resample_start_s) == (0.5, 0.0)
    assert source.trials["onset_tr"].tolist() == [0, 3, 12, 18]
    np.testing.assert_allclose(source.trials["onset_residual_s"], [0, -0.13, -0.09, 0.13])


@pytest.mark.parametrize(
    ("onset", "words"), [(-1.0, "before its first volume"), (40.0, "after its end at 40 s")]
)
def test_onsets_outside_the_run_are_refused_with_file_and_line(
    root: Path, mask: Path, onset: float, words: str
) -> None:
    write_table(func(root) / "sub-01_task-view_run-2_events.tsv", rows_at(4.0, 8.0, onset))
    with pytest.raises(SourceDataError, match=rf"run-2_events\.tsv, line 4: the onset, .*{words}"):
        open_bids(root, "01", mask=mask)


# The TR


def test_a_sidecar_nearer_to_the_run_overrides_the_ones_above(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", tr_s=None)
    write_sidecar(tmp_path / "bold.json", RepetitionTime=1.0)
    write_sidecar(tmp_path / "task-view_bold.json", RepetitionTime=1.2)
    write_sidecar(tmp_path / "task-rest_bold.json", RepetitionTime=9.0)
    assert open_bids(tmp_path, "01", mask=mask).tr_s == 1.2
    write_sidecar(tmp_path / "sub-01" / "sub-01_bold.json", RepetitionTime=1.4)
    assert open_bids(tmp_path, "01", mask=mask).tr_s == 1.4
    write_sidecar(func(tmp_path) / "sub-01_task-view_bold.json", RepetitionTime=1.6)
    write_sidecar(func(tmp_path) / "sub-01_task-view_sbref.json", RepetitionTime=8.0)
    assert open_bids(tmp_path, "01", mask=mask).tr_s == 1.6


def test_a_header_without_a_unit_of_time_defers_to_the_sidecar(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", tr_s=None)  # nibabel then writes 1 without a unit
    write_sidecar(tmp_path / "bold.json", RepetitionTime=1.7)
    assert open_bids(tmp_path, "01", mask=mask).tr_s == 1.7


def test_a_header_may_be_the_only_one_to_say_the_tr(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", tr_s=1.35)
    assert open_bids(tmp_path, "01", mask=mask).tr_s == 1.35


def test_a_header_rounded_to_milliseconds_agrees_with_its_sidecar(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", tr_s=1.333)
    write_sidecar(tmp_path / "bold.json", RepetitionTime=4 / 3)
    assert open_bids(tmp_path, "01", mask=mask).tr_s == 4 / 3
    assert open_bids(tmp_path, "01", mask=mask, tr_s=1.33317).tr_s == 1.33317


@pytest.mark.parametrize(
    ("header", "sidecar", "claim"), [(2.0, 2.5, None), (2.0, 2.0, 1.9), (2.0, None, 2.2)]
)
def test_contradicting_trs_are_refused_by_naming_all_three(
    tmp_path: Path, mask: Path, header: float, sidecar: float | None, claim: float | None
) -> None:
    write_run(tmp_path, "task-view", tr_s=header)
    if sidecar is not None:
        write_sidecar(tmp_path / "bold.json", RepetitionTime=sidecar)
    said = [f"{value:g} s" if value is not None else "none" for value in (header, sidecar, claim)]
    pattern = r"header {}, sidecar \(RepetitionTime\) {}, you \(tr_s\) {}".format(*said)
    with pytest.raises(SourceDataError, match=pattern):
        open_bids(tmp_path, "01", mask=mask, tr_s=claim)


def test_a_run_whose_tr_nobody_says_is_refused(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", tr_s=None)
    with pytest.raises(SourceDataError, match="Nothing says the TR"):
        open_bids(tmp_path, "01", mask=mask)
    write_sidecar(tmp_path / "bold.json", VolumeTiming=[0, 4, 9])
    with pytest.raises(SourceDataError, match="sparsely sampled"):
        open_bids(tmp_path, "01", mask=mask)
    assert open_bids(tmp_path, "01", mask=mask, tr_s=2.0).tr_s == 2.0


@pytest.mark.parametrize("value", ["2.0", 0, -2.0, [2.0]])
def test_a_repetition_time_that_is_no_positive_number_is_refused(
    tmp_path: Path, mask: Path, value: object
) -> None:
    write_run(tmp_path, "task-view")
    write_sidecar(tmp_path / "bold.json", RepetitionTime=value)
    with pytest.raises(SourceDataError, match="positive seconds are needed"):
        open_bids(tmp_path, "01", mask=mask)


@pytest.mark.parametrize(
    ("text", "words"), [("{broken", "cannot be read as JSON"), ("[2.0]", "one JSON object")]
)
def test_a_sidecar_that_is_no_json_object_is_refused(root: Path, mask: Path, text: str, words: str) -> None:
    (root / "task-view_bold.json").write_text(text, encoding="utf-8")
    with pytest.raises(SourceDataError, match=words):
        open_bids(root, "01", mask=mask)


def test_runs_of_different_trs_are_refused(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view_run-1", tr_s=2.0)
    write_run(tmp_path, "task-view_run-2", tr_s=1.5)
    with pytest.raises(SourceDataError, match=r"TRs of the runs differ: run-1 2 s, run-2 1\.5 s"):
        open_bids(tmp_path, "01", mask=mask)


# fMRIPrep


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


# Masks


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


# What is refused


def test_a_subject_that_is_not_there_is_refused_with_those_that_are(root: Path, mask: Path) -> None:
    with pytest.raises(SourceDataError, match=r"no subject sub-7 .*; there are: sub-01"):
        open_bids(root, "7", mask=mask)
    with pytest.raises(SourceDataError, match="there is none at all"):
        open_bids(root / "nowhere", "7", mask=mask)


def test_a_subject_without_runs_is_refused(root: Path, mask: Path) -> None:
    (root / "sub-02").mkdir()
    with pytest.raises(SourceDataError, match=r"sub-02 has no \*_bold\.nii\.gz"):
        open_bids(root, "02", mask=mask)


def test_one_of_several_tasks_must_be_chosen(root: Path, mask: Path) -> None:
    write_run(root, "task-rest", None)
    with pytest.raises(SourceDataError, match=r"more than one task of sub-01: rest, view\. Choose one"):
        open_bids(root, "01", mask=mask)
    assert len(open_bids(root, "01", task="view", mask=mask).runs) == 2
    with pytest.raises(SourceDataError, match=r"no task of sub-01 'look'; there are: rest, view"):
        open_bids(root, "01", task="look", mask=mask)


def test_a_run_without_events_is_refused(root: Path, mask: Path) -> None:
    write_run(root, "task-view_run-3", None)
    with pytest.raises(SourceDataError, match=r"no events\.tsv for sub-01_task-view_run-3_bold\.nii\.gz"):
        open_bids(root, "01", mask=mask)


def test_echoes_are_not_taken_for_runs(root: Path, mask: Path) -> None:
    for echo in (1, 2):
        write_run(root, f"task-view_run-3_echo-{echo}")
    with pytest.raises(SourceDataError, match=r"echo-1.* and .*echo-2.* hold the same run"):
        open_bids(root, "01", mask=mask)


def test_events_without_a_usable_column_are_refused_with_the_columns_there(
    tmp_path: Path, mask: Path
) -> None:
    write_run(tmp_path, "task-view", [{"onset": 4, "duration": 1, "colour": "red", "trial_type": "n/a"}])
    with pytest.raises(SourceDataError, match="there are: colour, duration, onset, trial_type"):
        open_bids(tmp_path, "01", mask=mask)
    with pytest.raises(SourceDataError, match="nothing was shown"):
        open_bids(tmp_path, "01", mask=mask, stimulus_column="trial_type")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"onset": 4.0, "trial_type": "face"}], "has no column duration; it has: onset, trial_type"),
        ([{"onset": "soon", "duration": 1, "trial_type": "face"}], "line 2: the onset is 'soon'"),
        ([{"onset": "n/a", "duration": 1, "trial_type": "face"}], "line 2: the onset is 'n/a'"),
        ([{"onset": 4.0, "duration": "long", "trial_type": "face"}], "line 2: the duration is 'long'"),
    ],
)
def test_events_without_times_are_refused(root: Path, mask: Path, rows: Rows, words: str) -> None:
    write_table(func(root) / "sub-01_task-view_run-1_events.tsv", rows)
    with pytest.raises(SourceDataError, match=words):
        open_bids(root, "01", mask=mask)


def test_an_empty_events_file_is_refused(root: Path, mask: Path) -> None:
    (func(root) / "sub-01_task-view_run-1_events.tsv").write_text("", encoding="utf-8")
    with pytest.raises(SourceDataError, match=r"run-1_events\.tsv cannot be read as a table"):
        open_bids(root, "01", mask=mask)


def test_runs_of_different_shape_or_place_are_refused(root: Path, mask: Path) -> None:
    write_run(root, "task-view_run-2", shape=(4, 3, 3))
    with pytest.raises(
        SourceDataError, match=r"run-2_bold.* volumes of \(4, 3, 3\) voxels, .*run-1.* has \(4, 3, 2\)"
    ):
        open_bids(root, "01", mask=mask)
    tilted = AFFINE.copy()
    tilted[0, 1] = 0.2
    write_run(root, "task-view_run-2", affine=tilted)
    with pytest.raises(SourceDataError, match=r"affines differ by up to 0\.2 mm"):
        open_bids(root, "01", mask=mask)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"onsets": "later"}, "nearest or resample"),
        ({"resample_tr_s": 1.0}, "would not be used"),
        ({"space": "T1w"}, "without derivatives"),
        ({"confounds": ("csf",)}, "without derivatives"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    root: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        open_bids(root, "01", **options)


# A real recording


@pytest.mark.skipif(not HAXBY.is_dir(), reason="the recording of Haxby 2001 is not beside the repository")
def test_the_recording_of_haxby_2001_reads_as_bids(tmp_path: Path) -> None:
    root = convert_haxby(HAXBY, tmp_path / "haxby")
    source = open_bids(root, "01", mask=haxby_mask(root))
    assert (source.tr_s, len(source.runs), source.mask.sum()) == (2.5, N_RUNS, 530)
    assert {run.n_tr for run in source.runs} == {121}
    assert source.label_names == (
        "bottle",
        "cat",
        "chair",
        "face",
        "house",
        "scissors",
        "scrambledpix",
        "shoe",
    )
    assert source.trials["onset_tr"].tolist() == [6, 21, 35, 49, 63, 78, 92, 106] * N_RUNS
    assert (source.trials["onset_residual_s"] == 0).all()
    assert (source.trials.groupby("run")["image_id"].nunique() == 8).all()
    assert source.trials["repetition"].max() == N_RUNS - 1
