"""What a sweep costs beside its tasks: seconds for each task, and seconds to start a finished sweep of 68 trainings again.

- Overhead: tasks that do nothing, run one after another by one worker process; the server's start, once for a sweep, apart.
- Start again: four SIMULATED subjects x (1 General + 16 Specialized decoders) are trained and evaluated in a temporary folder
  (not timed), then the same call is made again, in a process of its own (with Python's start and all imports) and within one.

The goal is 2 seconds to start the 68 trainings, with their 68 evaluations, again. Run it as
``python benchmarks/sweep.py [--quick]``; ``--quick`` takes one subject and 20 empty tasks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tempgen.config import Analysis, validate
from tempgen.config.launcher import LauncherConfig
from tempgen.sweep.drive import drive
from tempgen.sweep.pool import Pool
from tempgen.sweep.record import Record
from tempgen.sweep.task import Task
from tempgen.workflow.sweep import sweep_analyses

GOAL_S = 2.0
AGAIN = """
import sys
from tempgen.config import Analysis
from tempgen.config.launcher import LauncherConfig
from tempgen.workflow.sweep import sweep_analyses
analyses = [Analysis.model_validate_json(line) for line in open(sys.argv[1], encoding="utf-8")]
sweep_analyses(analyses, LauncherConfig(launcher="processes"), say=lambda line: None)
"""


def silent(_: str) -> None:
    """Nothing is said while the clock runs."""


def empty_tasks(folder: Path, n_tasks: int) -> list[Task]:
    """Tasks that do nothing, recorded."""
    tasks = [
        Task(
            f"empty{number:+d}",
            "empty",
            "tempgen.sweep.code:code_hash",
            {},
            {},
            folder=folder / "sweep" / str(number),
        )
        for number in range(n_tasks)
    ]
    for task in tasks:
        Record(task.folder).write_task(task)
    return tasks


def overhead(folder: Path, n_tasks: int) -> tuple[float, float]:
    """Seconds of the server's start, and of each empty task after it."""
    config = LauncherConfig(launcher="processes", max_at_once=1)
    pool = Pool.of(config)
    try:
        began = time.perf_counter()
        drive(empty_tasks(folder / "first", 1), pool, config, say=silent)
        first = time.perf_counter() - began
        began = time.perf_counter()
        drive(empty_tasks(folder / "others", n_tasks), pool, config, say=silent)
        each = (time.perf_counter() - began) / n_tasks
    finally:
        pool.close()
    return first - each, each


def subjects(folder: Path, n_subjects: int) -> list[Analysis]:
    """Small simulated subjects, each with 17 decoders."""
    return [
        validate(
            Analysis,
            {
                "name": f"subject-{subject}",
                "folder": folder / f"subject-{subject}",
                "data": {
                    "subject": str(subject),
                    "simulate": {"n_sessions": 1, "n_voxels": 60, "image_size": 16},
                },
                "split": {"n_test_runs": 2},
                "decoder": {"target_size": 4},
                "training": {"deltas": "-2..13", "general_delta": -3},
                "evaluation": {"deltas": "-2..13", "suite": "pixels"},
            },
            origin="the benchmark",
        )
        for subject in range(1, n_subjects + 1)
    ]


def start_again(folder: Path, n_subjects: int) -> tuple[float, float]:
    """Seconds to start a finished sweep again: in a new process, and within this one."""
    analyses, config = subjects(folder, n_subjects), LauncherConfig(launcher="processes")
    sweep_analyses(analyses, config, say=silent)
    listed = folder / "analyses.jsonl"
    listed.write_text("".join(one.model_dump_json() + "\n" for one in analyses), encoding="utf-8")
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", AGAIN, str(listed)], check=True)
    whole = time.perf_counter() - began
    began = time.perf_counter()
    sweep_analyses(analyses, config, say=silent)
    return whole, time.perf_counter() - began


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one subject, few tasks")
    quick = parser.parse_args().quick
    n_tasks, n_subjects = (20, 1) if quick else (200, 4)
    with tempfile.TemporaryDirectory() as folder:
        first, each = overhead(Path(folder), n_tasks)
        print(
            f"server of worker processes: {first:.2f} s once; each task: {1000 * each:.0f} ms ({n_tasks} empty tasks)"
        )
        whole, within = start_again(Path(folder), n_subjects)
    n_trainings = 17 * n_subjects
    print(
        f"a finished sweep of {n_trainings} trainings and as many evaluations, started again: {whole:.2f} s with Python's start, "
        f"{within:.2f} s without (goal for 68: {GOAL_S:g} s)"
    )


if __name__ == "__main__":
    main()
