"""How far a sweep is: one row a task, read from the tasks' records and, where they have jobs, one squeue.

Where SLURM does not answer, nothing is claimed of jobs that only it knows of: they are ``unknown`` until the next look.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from tempgen.errors import SweepError
from tempgen.sweep.record import Record
from tempgen.sweep.squeue import queue
from tempgen.sweep.task import Task

State = Literal["done", "running", "queued", "unknown", "waiting", "failed"]
STATES: tuple[State, ...] = ("running", "queued", "unknown", "waiting", "failed", "done")
GO_ON: tuple[State, ...] = ("running", "queued", "unknown")
"""States that change by themselves."""
SWEEP = "sweep"
"""Folder of the records, below that of an analysis."""


@dataclass(frozen=True)
class Row:
    """What is known of a task.

    Attributes
    ----------
    task : Task
    state : str
        ``waiting``: nothing will begin it before the sweep is started again. ``unknown``: it has a job, and SLURM does not answer.
    seconds : float or None
        That it took, or runs.
    left_s : float or None
        That it will still take, as the tasks of its kind that are done took.
    note : str
        The last error line, or where it runs.
    """

    task: Task
    state: State
    seconds: float | None = None
    left_s: float | None = None
    note: str = ""


def sweep_records(folder: Path) -> list[Record]:
    """Records of all tasks below the folder of an analysis, or of several.

    Raises
    ------
    SweepError
        If there are none.
    """
    found = [
        path.parent
        for depth in ("", "*/", "*/*/")
        for path in sorted(folder.glob(f"{depth}{SWEEP}/*/task.json"))
    ]
    if not found:
        raise SweepError(
            f"There is no sweep in {folder}: name the folder of an analysis that was started with --launcher processes or slurm."
        )
    return [Record(path) for path in found]


def status_rows(folder: Path) -> list[Row]:
    """How far each task of a sweep is.

    Raises
    ------
    SweepError
        If there is no sweep.
    """
    records = {record: record.task() for record in sweep_records(folder)}
    jobs = {record: job for record in records if (job := record.job()) is not None}
    listed = queue() if any(not record.is_done(records[record]) for record in jobs) else {}
    driven = {parent: _is_driven(parent) for parent in {record.folder.parent for record in records}}
    rows = [
        _row(record, task, job=jobs.get(record), listed=listed, driven=driven[record.folder.parent])
        for record, task in records.items()
    ]
    took, place = _typical(rows), _places(list(records.values()))
    rows.sort(key=lambda row: place[row.task.folder])
    return [
        Row(row.task, row.state, row.seconds, _left(row, took), row.note) if row.state != "done" else row
        for row in rows
    ]


def _places(tasks: Sequence[Task]) -> dict[Path, tuple[Any, ...]]:
    """Sort keys: by analysis, then kinds as they need one another, then the numbers in the names."""
    needs = {task.folder: task.needs for task in tasks}

    def depth(folder: Path) -> int:
        return 1 + max((depth(need) for need in needs.get(folder, ())), default=0)

    ranks: dict[str, tuple[int, str]] = {}
    for task in tasks:
        ranks[task.kind] = max(ranks.get(task.kind, (0, "")), (depth(task.folder), task.kind))
    return {
        task.folder: (str(task.folder.parent), *ranks[task.kind], _number(task.folder.name), task.folder.name)
        for task in tasks
    }


def _number(name: str) -> int:
    found = re.search(r"[+-]\d+$", name)
    return int(found[0]) if found else 0


def _row(record: Record, task: Task, *, job: str | None, listed: Collection[str] | None, driven: bool) -> Row:
    if record.is_done(task):
        done = record.done() or {}
        return Row(
            task, "done", done.get("seconds"), 0.0, "" if done.get("seconds") is not None else "was there"
        )
    holder = record.holder()
    if holder is not None:
        where = f"job {holder['job']}, " if holder.get("job") else ""
        return Row(
            task,
            "running",
            record.seconds_running(),
            note=f"{where}{str(holder.get('host', 'unknown')).split()[0]}",
        )
    failed = record.failed(task)
    if job is not None and job in (listed or ()):
        note = f"job {job}"
        return Row(task, "queued", note=note if failed is None else f"{note}; before: {failed['error']}")
    if driven and (failed is None or failed["stopped"]):
        return Row(task, "queued", note="" if failed is None else f"before: {failed['error']}")
    if job is not None and listed is None and (failed is None or failed["stopped"]):
        return Row(task, "unknown", note=f"job {job}: SLURM does not answer")
    if failed is not None:
        return Row(task, "failed", note=str(failed["error"]))
    if record.n_starts(task):
        return Row(task, "failed", note="ended without a word: killed, or its machine died")
    return Row(task, "waiting")


def _is_driven(folder: Path) -> bool:
    from tempgen.sweep.claim import is_alive, read_claim

    path = folder / "driver"
    holder = read_claim(path)
    return holder is not None and is_alive(path, holder)


def _typical(rows: Sequence[Row]) -> dict[str, float]:
    """Median seconds of the tasks of a kind that are done."""
    by_kind: dict[str, list[float]] = {}
    for row in rows:
        if row.state == "done" and row.seconds is not None:
            by_kind.setdefault(row.task.kind, []).append(row.seconds)
    return {kind: median(seconds) for kind, seconds in by_kind.items()}


def _left(row: Row, took: Mapping[str, float]) -> float | None:
    whole = took.get(row.task.kind)
    return None if whole is None else max(0.0, whole - (row.seconds or 0.0))


def status_table(rows: Sequence[Row]) -> str:
    """The rows as text: a line that counts, then a table, longest news last."""
    counts = ", ".join(f"{n} {state}" for state in STATES if (n := sum(row.state == state for row in rows)))
    width = max(len(row.task.name) for row in rows)
    lines = [f"{len(rows)} tasks: {counts}{_all_left(rows)}", f"{'task':{width}}  state       time    left  "]
    lines += [
        f"{row.task.name:{width}}  {row.state:7}  {_time(row.seconds):>7} {_time(row.left_s) if row.state != 'done' else '':>7}  "
        f"{row.note}".rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _all_left(rows: Sequence[Row]) -> str:
    """Time left for all: the work that is left, shared by as many as run now."""
    left = [row for row in rows if row.state in ("running", "queued")]
    n_running = sum(row.state == "running" for row in left)
    if not left or not n_running or any(row.left_s is None for row in left):
        return ""
    return f"; about {_time(sum(row.left_s or 0.0 for row in left) / n_running)} left"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"
