"""Onsets, the volume grid, and who says the TR of a BIDS dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempgen.data.bids import open_bids
from tempgen.errors import SourceDataError
from tests.data.bids.datasets import N_TR, TR_S, Rows, func, write_run, write_sidecar, write_table


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
