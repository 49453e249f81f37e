"""BIDS datasets: which runs and trials are read, and which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tempgen.data.bids import open_bids
from tempgen.data.source import TRIAL_COLUMNS
from tempgen.errors import ConfigError, SourceDataError
from tests.data.bids.datasets import AFFINE, N_TR, TR_S, TWO_LABELS, Rows, func, write_run, write_table
from tests.haxby import HAXBY, N_RUNS, convert_haxby, haxby_mask


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
