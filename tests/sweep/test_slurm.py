"""A sweep on a real SLURM, with tasks killed, preempted and cancelled, and its driver restarted: the same bits in the end."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import tempgen
from tempgen.config.launcher import load_launcher
from tempgen.sweep.record import Record
from tempgen.sweep.status import status_rows
from tempgen.workflow import run_analysis
from tempgen.workflow.sweep import describe_sweep, sweep_analyses
from tests.sweep.actions import task_of
from tests.sweep.conftest import recorded
from tests.sweep.slurm import Slurm, run, stepds, wait_until, why_no_slurm
from tests.workflow.conftest import analysis_of, silent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_no_slurm() is not None, reason=str(why_no_slurm())),
]
RESOURCES = ("poll_s=0.5", "minutes=5")
DRIVER = """
import sys
from pathlib import Path
from tempgen.config import Analysis
from tempgen.config.launcher import load_launcher
from tempgen.workflow.sweep import sweep_analyses
analysis = Analysis.model_validate_json(Path(sys.argv[1]).read_text())
print(sweep_analyses([analysis], load_launcher("slurm", sys.argv[2:])), flush=True)
"""
TASK_DRIVER = """
import sys
from pathlib import Path
from tempgen.config.launcher import load_launcher
from tempgen.sweep.cluster import Cluster
from tempgen.sweep.drive import drive
from tempgen.sweep.record import Record
config = load_launcher("slurm", sys.argv[2:])
tasks = [Record(path.parent).task() for path in Path(sys.argv[1]).glob("sweep/*/task.json")]
print(drive(tasks, Cluster(config), config, say=print), flush=True)
"""


@pytest.fixture(scope="module")
def slurm():
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        slurm = Slurm(Path(folder), slurmd_timeout=15)
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.stop()
    assert not stepds()


@pytest.fixture
def drivers(tmp_path):
    """Starts drivers; none outlives the test."""
    begun = []

    def begin(analysis):
        path = tmp_path / "analysis.json"
        path.write_text(analysis.model_dump_json())
        begun.append(Driver(DRIVER, path, tmp_path))
        return begun[-1]

    begin.of_tasks = lambda folder: begun.append(Driver(TASK_DRIVER, folder, tmp_path)) or begun[-1]

    yield begin
    for driver in begun:
        driver.process.kill()
        driver.process.wait()


def seventeen(folder):
    """The General decoder and sixteen Specialized ones of a small simulated subject."""
    return analysis_of(
        folder,
        simulate={"n_voxels": 60},
        split={"n_test_runs": 2},
        training={"deltas": "-2..13", "general_delta": -3},
        evaluation={"deltas": "-2..13"},
    )


class Driver:
    """A process that drives the sweep, as a terminal would."""

    def __init__(self, script, path, folder):
        self.log = folder / "driver.txt"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", script, str(path), *RESOURCES],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(30)


def row_where(analysis, **wanted):
    """A row of the sweep's status that is as wanted, else None."""
    if not list(analysis.folder.glob("sweep/*/task.json")):
        return None
    for row in status_rows(analysis.folder):
        if row.state == wanted["state"] and row.task.kind == wanted["kind"]:
            return row
    return None


def restarts(job):
    shown = run("scontrol", "-o", "show", "job", job, check=False)
    return sum(map(int, re.findall(r"Restarts=(\d+)", shown)))


def test_sweep_survives_what_happens_on_a_cluster_and_ends_with_the_same_bits(
    slurm, drivers, tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    analysis = seventeen(tmp_path / "swept")
    driver = drivers(analysis)

    # one task is killed
    running = wait_until(
        lambda: row_where(analysis, state="running", kind="train"), "a training", seconds=120
    )
    killed = Record(running.task.folder)
    os.kill(killed.holder()["pid"], signal.SIGKILL)
    first_job = killed.job()
    wait_until(lambda: killed.job() != first_job, "another job for the killed task", seconds=120)

    # all that run are preempted by a more urgent job
    preempted = wait_until(
        lambda: row_where(analysis, state="running", kind="train"), "a training", seconds=180
    )
    job = Record(preempted.task.folder).job()
    run("sbatch", "-p", "urgent", "-n", slurm.cpus, "--output=/dev/null", "--wrap", "sleep 1")
    wait_until(lambda: restarts(job) > 0, "the preempted job to be requeued", seconds=120)

    # the driver is told to stop: jobs go on without it
    assert driver.end(signal.SIGINT) == 0
    assert "detached: the jobs go on" in driver.log.read_text()
    assert slurm.jobs()

    # another driver comes back to them; one job is cancelled
    submitted = {
        path.parent: json.loads(path.read_text())["n"] for path in analysis.folder.glob("sweep/*/job.json")
    }
    driver = drivers(analysis)
    waits = wait_until(
        lambda: row_where(analysis, state="queued", kind="evaluate"), "an evaluation that waits"
    )
    wait_until(lambda: (analysis.folder / "sweep" / "driver").exists(), "the second driver")
    time_to_see = 3 * 0.5
    with pytest.raises(subprocess.TimeoutExpired):
        driver.process.wait(time_to_see)
    run("scancel", Record(waits.task.folder).job())
    assert driver.process.wait(600) == 1
    assert f"{waits.task.name}: job {Record(waits.task.folder).job()} was cancelled" in driver.log.read_text()
    again = {
        path.parent: json.loads(path.read_text())["n"] for path in analysis.folder.glob("sweep/*/job.json")
    }
    assert sum(again.values()) - sum(submitted.values()) <= 1  # running jobs were found, not submitted again

    # what is there can be read, and the last start does the rest
    partial = tempgen.open_results(analysis.folder)
    assert partial.attrs["n_cells"] == 32
    assert 0 < partial.attrs["n_cells_there"] < 32
    assert "34 tasks, 1 would run" in describe_sweep([analysis], load_launcher("slurm"))
    assert sweep_analyses([analysis], load_launcher("slurm", RESOURCES), say=silent)

    swept = tempgen.open_results(analysis.folder)
    alone = run_analysis(seventeen(tmp_path / "alone"), say=silent, with_figures=False)
    assert set(swept.variables) == set(alone.variables)
    for name, variable in alone.variables.items():
        if variable.dtype == object:
            np.testing.assert_array_equal(swept[name].values, variable.values)
        else:
            assert swept[name].values.tobytes() == variable.values.tobytes(), name
    assert {row.state for row in status_rows(analysis.folder)} == {"done"}
    wait_until(
        lambda: not slurm.jobs(), "an empty queue", seconds=60
    )  # SLURM notices a job's end a while after it


def test_task_whose_node_died_is_run_when_there_is_a_node_again(slurm, drivers, tmp_path):
    (task,) = recorded([task_of(tmp_path, "a", "make", seconds=5.0)])
    driver = drivers.of_tasks(tmp_path)
    holder = wait_until(Record(task.folder).holder, "the task", seconds=120)
    slurm.end("slurmd", signal.SIGKILL)
    for pid in [*stepds(), holder["pid"]]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    slurm.start_node()
    assert driver.process.wait(200) == 0
    assert "failed={}" in driver.log.read_text()
    assert len(task.makes[0].read_text().splitlines()) == 1
    assert Record(task.folder).n_starts(task) == 2


def test_task_that_raises_on_the_cluster_says_so_and_is_not_begun_again(slurm, drivers, tmp_path):
    tasks = recorded([task_of(tmp_path, "bad", "fail"), task_of(tmp_path, "later", "make", needs=["bad"])])
    driver = drivers.of_tasks(tmp_path)
    assert driver.process.wait(120) == 0
    assert "bad: ValueError: no bad today" in driver.log.read_text()
    assert "'later'" in driver.log.read_text()
    assert Record(tasks[0].folder).n_starts(tasks[0]) == 1
    assert not slurm.jobs()
