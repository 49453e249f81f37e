"""What is on disk of a task: who works on it, how it ended, what it said. Readable by anyone at any moment."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempgen.errors import SweepError
from tempgen.files import whole_file
from tempgen.sweep.claim import is_alive, read_claim, seconds_since_touch
from tempgen.sweep.task import Task


@dataclass(frozen=True)
class Record:
    """A task's folder.

    ``task.json`` says what it is; ``claim`` is there while it runs; ``started.json`` says when it began and how often;
    ``done.json`` or ``failed.json`` how it ended; ``job.json`` names its SLURM job; ``log.txt`` is what it said.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @property
    def claim(self) -> Path:
        """The file of the process that works on it."""
        return self.folder / "claim"

    @property
    def log(self) -> Path:
        """What the task said."""
        return self.folder / "log.txt"

    @property
    def has_task(self) -> bool:
        """Whether it is said what the task is."""
        return (self.folder / "task.json").exists()

    def write_task(self, task: Task) -> None:
        """Say what the task is."""
        self._write("task", json.loads(task.to_json()))

    def task(self) -> Task:
        """What the task is.

        Raises
        ------
        SweepError
            If there is none.
        """
        try:
            text = (self.folder / "task.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SweepError(f"There is no task in {self.folder}: start the sweep again.") from None
        return Task.from_json(text)

    def done(self) -> Mapping[str, Any] | None:
        """How the task ended well, last time it did."""
        return self._read("done")

    def is_done(self, task: Task) -> bool:
        """Whether this very task ended well, and what it made is there."""
        done = self.done()
        return done is not None and done.get("key") == task.key and task.has_made

    def write_done(self, task: Task, *, seconds: float | None = None, host: str | None = None) -> None:
        """Say that the task ended well; without seconds if what it makes was there."""
        self._write(
            "done",
            {
                "key": task.key,
                "recipe": task.recipe,
                "seconds": None if seconds is None else round(seconds, 3),
                "host": host,
                "ended": time.time(),
            },
        )
        (self.folder / "failed.json").unlink(missing_ok=True)

    def failed(self, task: Task) -> Mapping[str, Any] | None:
        """How this very task failed or was stopped, if that is how it ended."""
        failed = self._read("failed")
        return failed if failed is not None and failed.get("key") == task.key else None

    def write_failed(self, task: Task, error: BaseException | str, *, stopped: bool = False) -> None:
        """Say how the task ended otherwise.

        Parameters
        ----------
        error : exception or str
        stopped : bool
            It was told to stop, or killed: starting it again helps. Else it raised an error.
        """
        if isinstance(error, BaseException):
            lines = traceback.format_exception_only(error)[-1].strip().splitlines()
            last, trace = (
                (lines[0] if lines else type(error).__name__),
                "".join(traceback.format_exception(error)),
            )
        else:
            last, trace = error, ""
        self._write("failed", {"key": task.key, "error": last, "trace": trace, "stopped": stopped})

    def n_starts(self, task: Task) -> int:
        """How often this very task was begun since the sweep was last started."""
        started = self._read("started")
        return int(started["n"]) if started is not None and started.get("key") == task.key else 0

    def write_started(self, task: Task, says: Mapping[str, Any]) -> None:
        """Say that the task begins."""
        began = {**says, "key": task.key, "n": self.n_starts(task) + 1, "began": time.time()}
        self._write("started", began)
        (self.folder / "failed.json").unlink(missing_ok=True)

    def forget(self) -> None:
        """Begin anew: it is to be done, and counts as never begun."""
        for name in ("started", "failed", "done"):
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def holder(self) -> Mapping[str, Any] | None:
        """Who works on it now, and is alive."""
        holder = read_claim(self.claim)
        return holder if holder is not None and is_alive(self.claim, holder) else None

    def seconds_running(self) -> float | None:
        """How long it has been running; by the clock of the file system, whoever runs it."""
        try:
            return seconds_since_touch(self.folder / "started.json")
        except OSError:
            return None

    def job(self) -> str | None:
        """The SLURM job that was submitted for it."""
        job = (self._read("job") or {}).get("id")
        return None if job is None else str(job)

    def n_jobs(self) -> int:
        """How many SLURM jobs were ever submitted for it."""
        return int((self._read("job") or {}).get("n", 0))

    def write_job(self, job_id: str | None) -> None:
        """Name the SLURM job that was submitted for it; None: there is none any more."""
        self._write("job", {"id": job_id, "n": self.n_jobs() + (job_id is not None)})

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        with whole_file(self.folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            content = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # a damaged one counts as none
            return None
        return content if isinstance(content, dict) else None
