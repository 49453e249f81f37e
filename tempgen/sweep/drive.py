"""Run the tasks of a sweep: in an order that their needs allow, none twice, and again those that were killed."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, Self

from tqdm.auto import tqdm

from tempgen.config.launcher import LauncherConfig
from tempgen.sweep.claim import Claim
from tempgen.sweep.record import Record
from tempgen.sweep.task import Task

Say = Callable[[str], None]
_SETTLE_S = 2.0
"""Seconds after which all records are read again, though nothing that was begun here ended: others may write them."""


@dataclass
class Outcome:
    """How a sweep ended.

    Attributes
    ----------
    failed : dict of Path to str
        Name and last line of the error, by the task's folder.
    left_out : dict of Path to str
        Names of tasks whose needs failed.
    detached : bool
        Jobs go on without this driver.
    """

    failed: dict[Path, str] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    detached: bool = False


class Launcher(Protocol):
    """What runs tasks somewhere."""

    @property
    def poll_s(self) -> float:
        """Seconds between two looks."""
        ...

    def begin(self, ready: Sequence[Task], waiting: Sequence[Task]) -> None:
        """Begin what there is room for: ``ready`` tasks, or ``waiting`` ones if it can hold them until their needs are done."""
        ...

    def look(self) -> bool:
        """See what became of the tasks; whether any may have ended."""
        ...

    def is_live(self, task: Task) -> bool:
        """Whether it was begun here and is not over, as far as is known."""
        ...

    def is_over(self, job: str | None) -> bool:
        """Whether a job is known to have ended, whatever the claim that it left says."""
        ...

    def lost(self, task: Task) -> str | None:
        """Why a task that is over without having ended well is not begun again; None if it is."""
        ...

    def leave(self) -> bool:
        """The driver was told to stop; True if tasks go on without it."""
        ...

    def close(self) -> None:
        """No task is left."""
        ...


def drive(tasks: Sequence[Task], launcher: Launcher, config: LauncherConfig, *, say: Say) -> Outcome:
    """Run tasks until all are done, failed, or cannot run because one that they need failed.

    Where another driver is at the same sweep, this one watches, and takes over if that one ends before the tasks do.

    Parameters
    ----------
    tasks : sequence of Task
        Those that are not done; what they need is among them or done.
    launcher : Launcher
    config : LauncherConfig
    say : callable
        Receives a line for each thing worth knowing.
    """
    sweep = _Sweep(list(tasks), launcher, config)
    watched, settled = False, -math.inf
    with (
        _Told() as told,
        contextlib.ExitStack() as held,
        tqdm(total=len(tasks), desc="sweep", unit="task", disable=None) as bar,
    ):
        while not told.event.is_set():
            all_mine = sweep.take(held)
            if not (all_mine or watched):
                say("another process drives this sweep: watching, nothing is begun twice")
                watched = True
            if launcher.look() or time.monotonic() - settled > _SETTLE_S:
                bar.update(sweep.settle())
                if not sweep.open_tasks:
                    return sweep.outcome
                launcher.begin(*sweep.free())
                settled = time.monotonic()
            told.event.wait(launcher.poll_s)
        sweep.outcome.detached = launcher.leave()
        if not sweep.outcome.detached:
            told.leave()
        return sweep.outcome


@dataclass
class _Sweep:
    """Tasks that are not over yet, and how the others ended."""

    open_tasks: list[Task]
    launcher: Launcher
    config: LauncherConfig
    outcome: Outcome = field(default_factory=Outcome)
    _mine: set[Path] = field(default_factory=set)

    def take(self, held: contextlib.ExitStack) -> bool:
        """Become the driver of what nobody else drives; whether that is all of it."""
        folders = {task.folder.parent for task in self.open_tasks}
        for folder in sorted(folders - self._mine):
            claim = Claim.take(folder / "driver")
            if claim is not None:
                held.enter_context(claim.held())
                self._mine.add(folder)
        return folders <= self._mine

    def settle(self) -> int:
        """Close tasks that are done, have failed for good or were left out because of those; how many."""
        before = len(self.open_tasks)
        self.open_tasks = [task for task in self.open_tasks if not self._is_over(task)]
        broken = set(self.outcome.failed) | set(self.outcome.left_out)
        while left_out := [task for task in self.open_tasks if self._waits_for(task, broken)]:
            for task in left_out:
                broken.add(task.folder)
                self.outcome.left_out[task.folder] = task.name
                self.open_tasks.remove(task)
        return before - len(self.open_tasks)

    def _waits_for(self, task: Task, broken: set[Path]) -> bool:
        return bool(set(task.needs) & broken) and not self.launcher.is_live(task)

    def _is_over(self, task: Task) -> bool:
        record = Record(task.folder)
        if record.is_done(task):
            return True
        if self._runs(task) or task.folder.parent not in self._mine:
            return False
        failed, n_starts = record.failed(task), record.n_starts(task)
        why = self.launcher.lost(task)
        if failed is not None and not failed["stopped"]:
            why = str(failed["error"])
        elif why is None and n_starts > self.config.retries:
            said = (
                failed["error"] if failed is not None else "ended without a word: killed, or its machine died"
            )
            why = f"{said} (begun {n_starts} times)"
        if why is None:
            return False
        if failed is None or failed["stopped"]:
            with contextlib.suppress(OSError):  # a full disk: it is said here
                record.write_failed(task, why)
        self.outcome.failed[task.folder] = f"{task.name}: {why}"
        return True

    def _runs(self, task: Task) -> bool:
        if self.launcher.is_live(task):
            return True
        holder = Record(task.folder).holder()
        return holder is not None and not self.launcher.is_over(holder.get("job"))

    def free(self) -> tuple[list[Task], list[Task]]:
        """Tasks to begin, and those that wait for others to end first."""
        there = {task.folder for task in self.open_tasks}
        free = [task for task in self.open_tasks if task.folder.parent in self._mine and not self._runs(task)]
        ready = [task for task in free if not set(task.needs) & there]
        return ready, [task for task in free if set(task.needs) & there]


class _Told:
    """While it is entered, the first Ctrl-C or SIGTERM is a wish to stop, granted between two looks; a second acts as usual."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._number = signal.SIGTERM
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            numbers = (signal.SIGINT, signal.SIGTERM)
            self._before = {number: signal.signal(number, self._keep) for number in numbers}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _keep(self, number: int, frame: FrameType | None) -> None:
        self._number = signal.Signals(number)
        self._restore()
        self.event.set()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def leave(self) -> None:
        """End as the signal would have."""
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self._number)
