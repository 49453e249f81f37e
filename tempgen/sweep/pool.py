"""Worker processes of this machine: as many tasks at a time as cores, memory and GPUs allow, each in a session of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tempgen.config.launcher import LauncherConfig
from tempgen.errors import ConfigError
from tempgen.sweep.machine import free_memory_gb, gpu_names, memory_of_session_gb, n_cores
from tempgen.sweep.record import Record
from tempgen.sweep.task import Task
from tempgen.sweep.worker import FAILED

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Each library's own name for the number of its threads."""

_GRACE_S = 60.0
"""Seconds that a task has to save after it was told to stop. Source: a checkpoint takes a few."""
_LOOK_AT_MEMORY_S = 1.0


def threads_of(config: LauncherConfig, task: Task) -> dict[str, str]:
    """Environment that keeps a task to its cores."""
    return dict.fromkeys(THREADS, str(max(1, config.cpus // task.processes)))


@dataclass
class _Live:
    task: Task
    gpus: list[str]
    pid: int | None = None  # None until the server says so


@dataclass
class Pool:
    """Live tasks of this machine.

    Attributes
    ----------
    config : LauncherConfig
    n_slots : int
        Most tasks at a time.
    """

    config: LauncherConfig
    n_slots: int
    _free_gpus: list[str]
    _live: dict[Path, _Live] = field(default_factory=dict)
    _server: subprocess.Popen[bytes] | None = None
    _said: bytes = b""
    _looked: float = 0.0
    _mute: dict[Path, str] = field(default_factory=dict)
    poll_s: float = 0.05

    @classmethod
    def of(cls, config: LauncherConfig) -> Pool:
        """A pool for tasks that take what ``config`` says.

        Raises
        ------
        ConfigError
            If not even one fits this machine.
        """
        gpus = gpu_names()
        room = {"cores": n_cores() // max(config.cpus, config.n_processes)}
        if config.memory_gb is not None:
            room["memory"] = int(free_memory_gb() // config.memory_gb)
        if config.gpus:
            room["GPUs"] = len(gpus) // config.gpus
        for what, n_tasks in room.items():
            if n_tasks == 0:
                raise ConfigError(
                    f"No task fits this machine: it has {n_cores()} cores, {free_memory_gb():.1f} GB of free memory and {len(gpus)} "
                    f"GPUs, and a task asks for more {what}. Lower cpus, memory_gb, gpus or processes (--resources)."
                )
        return cls(config, min([*room.values(), config.max_at_once or sys.maxsize]), gpus)

    def begin(self, ready: Sequence[Task], waiting: Sequence[Task]) -> None:
        """Begin as many tasks as there is room for; what they say goes to their records' logs."""
        if self._server is None and ready:
            self._server = _start_server(
                {task.call.partition(":")[0] for task in (*ready, *waiting)}, self.config
            )
        for task in ready[: max(0, self.n_slots - len(self._live))]:
            gpus, self._free_gpus = self._free_gpus[: self.config.gpus], self._free_gpus[self.config.gpus :]
            environment = {**threads_of(self.config, task), "CUDA_VISIBLE_DEVICES": ",".join(gpus)}
            request = {
                "record": str(task.folder),
                "log": str(Record(task.folder).log),
                "environment": environment,
            }
            self._live[task.folder] = _Live(task, gpus)
            if self._server is not None and self._server.stdin is not None:
                with suppress(BrokenPipeError):  # it died: `look` sees to that
                    self._server.stdin.write(json.dumps(request).encode() + b"\n")
                    self._server.stdin.flush()

    def look(self) -> bool:
        """Note which processes ended (whether any did), and end those that take more memory than they asked for."""
        self._end_the_greedy()
        n_live = len(self._live)
        if self._server is None or self._server.stdout is None:
            return False
        while select.select([self._server.stdout], [], [], 0)[0]:
            some = os.read(self._server.stdout.fileno(), 65536)
            if not some:  # the server died, and its tasks with it
                self._server.wait()
                self._server, self._said = None, b""
                for one in list(self._live.values()):
                    self._over(one, -signal.SIGKILL)
                return True
            self._said += some
        *lines, self._said = self._said.split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "record" in answer:
                self._live[Path(answer["record"])].pid = answer["pid"]
            else:
                (ended,) = (one for one in self._live.values() if one.pid == answer["pid"])
                self._over(ended, answer["status"])
        return len(self._live) < n_live

    def _over(self, one: _Live, status: int) -> None:
        del self._live[one.task.folder]
        self._free_gpus += one.gpus
        record = Record(one.task.folder)
        if status < 0 and record.failed(one.task) is None and not record.is_done(one.task):
            with suppress(OSError):  # a full disk: it counts as begun all the same
                record.write_failed(one.task, f"was killed ({signal.Signals(-status).name})", stopped=True)
        if status == FAILED and record.failed(one.task) is None:
            self._mute[one.task.folder] = f"failed and could not keep a record of why (see {record.log})"

    def is_live(self, task: Task) -> bool:
        """Whether its process lives."""
        return task.folder in self._live

    def is_over(self, job: str | None) -> bool:
        """Nothing is known of jobs."""
        return False

    def lost(self, task: Task) -> str | None:
        """A process that was killed is begun again; not one whose error could not be kept, as on a full disk."""
        return self._mute.get(task.folder)

    def leave(self) -> bool:
        """Tell all tasks to stop, wait until they have saved, and end those that do not: none goes on without the driver."""
        for number, seconds in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, 5.0)):
            told: set[int] = set()
            end = time.monotonic() + seconds
            while self._live and time.monotonic() < end:
                for pid in {one.pid for one in self._live.values() if one.pid is not None} - told:
                    _signal_session(pid, number)
                    told.add(pid)
                time.sleep(self.poll_s)
                self.look()
        self.close()
        return False

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.communicate()
            self._server = None

    def _end_the_greedy(self) -> None:
        """End tasks that take more memory than they asked for, before the machine runs out of it."""
        limit = self.config.memory_gb
        if limit is None or time.monotonic() - self._looked < _LOOK_AT_MEMORY_S:
            return
        self._looked = time.monotonic()
        for one in self._live.values():
            taken = 0.0 if one.pid is None else memory_of_session_gb(one.pid)
            if one.pid is not None and taken > limit:
                Record(one.task.folder).write_failed(
                    one.task,
                    f"took {taken:.2f} GB of memory, asked for {limit:g}: raise memory_gb (--resources)",
                )
                _signal_session(one.pid, signal.SIGKILL)


def _start_server(modules: Iterable[str], config: LauncherConfig) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tempgen.sweep.worker", *sorted(modules)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **dict.fromkeys(THREADS, str(config.cpus))},
        start_new_session=True,  # a terminal's Ctrl-C is the driver's to answer
    )


def _signal_session(pid: int, number: int) -> None:
    """To a task's process and all that it started; they share its group."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
