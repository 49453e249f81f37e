"""What the driver of a cluster gives up and what its status says, without a cluster."""

import subprocess

from typer.testing import CliRunner

from tempgen.cli.app import app
from tempgen.config.launcher import LauncherConfig
from tempgen.sweep import squeue
from tempgen.sweep.drive import drive
from tempgen.sweep.record import Record
from tests.sweep.actions import task_of
from tests.sweep.conftest import recorded


def test_jobs_that_never_begin_their_task_are_not_submitted_for_ever(tmp_path, monkeypatch):
    from tempgen.sweep import cluster

    (task,) = recorded([task_of(tmp_path, "a", "make")])
    submitted = []

    def submit(tasks, config, *, after=()):
        submitted.append(tasks)
        Record(tasks[0].folder).write_job(f"{len(submitted)}_0")

    monkeypatch.setattr(cluster, "submit", submit)
    monkeypatch.setattr(cluster, "queue", dict)  # each ended at once: its setup failed
    monkeypatch.setattr(cluster, "was_cancelled", lambda job: False)
    config = LauncherConfig(launcher="slurm", retries=1, poll_s=0.01)
    outcome = drive([task], cluster.Cluster(config), config, say=print)
    assert "2 jobs ended before they began it, the last is 2_0" in outcome.failed[task.folder]
    assert len(submitted) == 2


def test_a_question_that_slurm_does_not_answer_neither_ends_the_looking_nor_calls_tasks_failed(
    tmp_path, monkeypatch
):
    begun, pending, broken = recorded([task_of(tmp_path, name, "make") for name in ("a", "b", "c")])
    for number, task in enumerate((begun, pending, broken)):
        Record(task.folder).write_job(f"7_{number}")
    Record(begun.folder).write_started(begun, {})
    Record(broken.folder).write_failed(broken, ValueError("of its own"))
    answers = [subprocess.TimeoutExpired("squeue", 60), "7_0|RUNNING|1:00\n7_1|PENDING|1:00\n", ""]

    def asked(command, **_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(command, 0, answer, "")

    monkeypatch.setattr(squeue.subprocess, "run", asked)
    said = CliRunner().invoke(app, ["status", str(tmp_path), "--follow", "--every", "0.1"])
    assert said.exit_code == 0, said.output
    first, second, third = said.output.split("3 tasks: ")[1:]
    assert first.startswith("2 unknown, 1 failed")
    assert "job 7_1: SLURM does not answer" in first
    assert second.startswith("2 queued, 1 failed")
    assert third.startswith("1 waiting, 2 failed")  # its job is over, and never began it
