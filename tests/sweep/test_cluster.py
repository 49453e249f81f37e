"""What the driver of a cluster gives up, without a cluster."""

from tempgen.config.launcher import LauncherConfig
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
