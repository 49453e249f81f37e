"""The options of a sweep on the command line."""

import json

import pytest
from typer.testing import CliRunner

from tempgen.cli.app import app
from tempgen.sweep.record import Record
from tests.sweep.actions import task_of

OPTIONS = ["-s", "data.simulate.n_sessions=1", "-s", "data.simulate.n_voxels=40"]


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_dry_run_says_what_would_run_and_writes_nothing(tmp_path):
    folder = tmp_path / "out"
    done = invoke(
        "run", "--dry-run", "--launcher", "slurm", "-r", "gpus=1", "-s", f"folder={folder}", *OPTIONS
    )
    assert done.exit_code == 0, done.output
    assert "17 trainings" in done.output or "16 trainings" in done.output
    assert not folder.exists()


@pytest.mark.parametrize("command", ["run", "evaluate", "train-general", "train-specialized"])
def test_resources_that_would_not_be_used_are_refused(command, tmp_path):
    done = invoke(command, "-r", "gpus=1", "-s", f"folder={tmp_path / 'out'}")
    assert "gpus would not be used by the launcher local" in str(done.exception)


def test_status_shows_how_tasks_ended(tmp_path):
    good, bad = task_of(tmp_path, "good", "make"), task_of(tmp_path, "bad", "fail")
    for task in (good, bad):
        Record(task.folder).write_task(task)
    good.makes[0].parent.mkdir()
    good.makes[0].touch()
    Record(good.folder).write_done(good, seconds=75.0, host="here")
    Record(bad.folder).write_failed(bad, ValueError("no bad today\nand more"))
    done = invoke("status", tmp_path)
    assert "2 tasks: 1 failed, 1 done" in done.output
    assert "ValueError: no bad today" in done.output
    assert "and more" not in done.output
    assert json.loads((bad.folder / "failed.json").read_text())["stopped"] is False


def test_status_of_a_folder_without_a_sweep_says_what_is_needed(tmp_path):
    assert "--launcher processes or slurm" in str(invoke("status", tmp_path).exception)
