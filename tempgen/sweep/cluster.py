"""SLURM, by exca over submitit: the only module that knows these. Submits tasks; what it asks is in :mod:`tempgen.sweep.squeue`.

Neither accounting (sacct) nor a server is needed: that a job is over is seen by its absence from the queue, how it ended by
the record that its task wrote.
"""

from __future__ import annotations

import logging
import pickle
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import exca
import pydantic

from tempgen.config.launcher import LauncherConfig
from tempgen.errors import SweepError
from tempgen.sweep.pool import threads_of
from tempgen.sweep.record import Record
from tempgen.sweep.squeue import Job, queue, was_cancelled
from tempgen.sweep.task import Task


class SlurmTask(pydantic.BaseModel):
    """A task as exca submits it: what names it is what its cache is keyed by.

    Attributes
    ----------
    record : str
        Folder of the task's record.
    key : str
        What determines what it makes.
    submission : int
        A task that was killed is submitted once more, as another job.
    """

    model_config = pydantic.ConfigDict(extra="forbid")
    record: str
    key: str
    submission: int
    infra: exca.TaskInfra = exca.TaskInfra(version="1")

    @infra.apply
    def run(self) -> str:
        """Do the task; its result is on disk."""
        from tempgen.sweep.worker import run_task

        run_task(Record(Path(self.record)))
        return self.record


@dataclass
class Cluster:
    """Jobs of this user, and which of them are the sweep's tasks.

    Attributes
    ----------
    config : LauncherConfig
    """

    config: LauncherConfig
    _queue: Mapping[str, Job] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)
    _over: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _submitted: Counter[Path] = field(default_factory=Counter)

    @property
    def poll_s(self) -> float:
        """Seconds between two looks."""
        return self.config.poll_s

    def begin(self, ready: Sequence[Task], waiting: Sequence[Task]) -> None:
        """Submit everything: SLURM holds what waits until what it needs has ended well."""
        left = [*ready, *waiting]
        while left:
            after = {task.folder: self._after(task) for task in left}
            groups: dict[tuple[Any, ...], list[Task]] = {}
            for task in left:
                if (jobs := after[task.folder]) is not None:
                    groups.setdefault((task.folder.parent, task.kind, task.processes, *jobs), []).append(task)
            if not groups:
                return
            for (_, _, _, *jobs), tasks in groups.items():
                submit(tasks, self.config, after=jobs)
            begun = {task.folder for tasks in groups.values() for task in tasks}
            self._submitted.update(begun)
            left = [task for task in left if task.folder not in begun]

    def _after(self, task: Task) -> list[str] | None:
        """Jobs that a task has to wait for; None if one of them is still to be submitted."""
        jobs = []
        for need in map(Record, task.needs):
            if need.is_done(need.task()):
                continue
            job = need.job()
            if job is None or job in self._over:
                return None
            jobs.append(job)
        return jobs

    def look(self) -> bool:
        """Ask SLURM for this user's jobs; one that is absent twice is over (a file server may show its record late)."""
        found = queue()
        if found is None:
            return False
        known = {job for job in (*self._queue, *self._absent) if job not in found}
        self._over |= known & self._absent
        self._absent, self._queue = known - self._over, found
        self._seen |= set(found)
        return True

    def is_live(self, task: Task) -> bool:
        """Whether its job is in the queue, or may be."""
        job = Record(task.folder).job()
        if job is None or job in self._over:
            return False
        if job not in self._queue:
            self._absent.add(job)
        return True

    def is_over(self, job: str | None) -> bool:
        """Whether a job left the queue."""
        return job in self._over

    def lost(self, task: Task) -> str | None:
        """A job that somebody cancelled under the eyes of this driver, or that never came to begin its task, is given up."""
        record = Record(task.folder)
        job = record.job()
        if job is None or job not in self._over:
            return None
        if job in self._seen and was_cancelled(job):
            return f"job {job} was cancelled"
        n_mute = self._submitted[task.folder] - record.n_starts(task)
        if n_mute > self.config.retries and all(
            Record(need).is_done(Record(need).task()) for need in task.needs
        ):
            logs = task.folder.parent / "jobs"
            return f"{n_mute} jobs ended before they began it, the last is {job}: see their logs below {logs}"
        return None

    def leave(self) -> bool:
        """Jobs go on without the driver."""
        return True

    def close(self) -> None:
        """Nothing is held."""


def check_slurm() -> None:
    """Refuse to begin where there is no SLURM.

    Raises
    ------
    SweepError
        If its commands are not on this machine.
    """
    lacking = [name for name in ("sbatch", "squeue", "scancel", "srun") if shutil.which(name) is None]
    if lacking:
        raise SweepError(
            f"This machine lacks {', '.join(lacking)}: start the sweep on a login node of the cluster, or use --launcher processes."
        )


def submit(tasks: Sequence[Task], config: LauncherConfig, *, after: Sequence[str] = ()) -> None:
    """Submit tasks as one job array, and note each one's job in its record.

    Parameters
    ----------
    tasks : sequence of Task
    config : LauncherConfig
    after : sequence of str
        Jobs that must end well before; if one does not, these are removed from the queue.

    Raises
    ------
    SweepError
        If SLURM does not take them.
    """
    logging.getLogger("exca").setLevel(logging.ERROR)  # it says what it submits: so does the driver
    first = tasks[0]
    infra = {
        "folder": first.folder.parent.resolve() / "jobs",
        "cluster": "slurm",
        "mode": "retry",
        "job_name": f"tempgen-{first.kind}",
        "timeout_min": config.minutes,
        "cpus_per_task": max(config.cpus, first.processes),
        "gpus_per_node": config.gpus or None,
        "mem_gb": config.memory_gb,
        "slurm_partition": config.partition,
        "slurm_account": config.account,
        "slurm_use_srun": True,  # signals reach steps, not what a batch script runs by itself
        "slurm_setup": [
            *(f"export {name}={value}" for name, value in threads_of(config, first).items()),
            *config.setup,
        ],
        "slurm_additional_parameters": {
            "requeue": True,
            "signal": f"TERM@{min(90, config.minutes * 15)}",  # seconds to save in before the time limit
            **_dependency(after),
        },
    }
    submitted = [
        SlurmTask(
            record=str(task.folder.resolve()),
            key=task.key,
            submission=Record(task.folder).n_jobs(),
            infra=infra,
        )
        for task in tasks
    ]
    base = SlurmTask(
        record="array", key="none", submission=0, infra=infra
    )  # not in the array: else "retry" is ignored
    try:
        with base.infra.job_array(max_workers=config.max_at_once or len(tasks)) as array:
            array += submitted
    except (RuntimeError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        raise SweepError(f"SLURM did not take {len(tasks)} jobs ({first.name}...): {said}") from error
    for task, one in zip(tasks, submitted, strict=True):
        Record(task.folder).write_job(_job_id(one))


def _dependency(after: Sequence[str]) -> dict[str, str]:
    if not after:
        return {}
    return {"dependency": f"afterok:{':'.join(after)}", "kill-on-invalid-dep": "yes"}


def _job_id(submitted: SlurmTask) -> str:
    """The job's id, read where exca keeps it: asking exca for the job would ask SLURM's accounting."""
    folder = submitted.infra.uid_folder()
    if folder is None:
        raise SweepError("exca keeps no folder for a job")
    with (folder / "job.pkl").open("rb") as file:
        return str(pickle.load(file).job_id)
