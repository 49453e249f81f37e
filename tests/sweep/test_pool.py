"""Worker processes: order, bounds, devices, and what becomes of tasks that fail or are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempgen.config.launcher import LauncherConfig
from tempgen.errors import ConfigError
from tempgen.sweep.claim import Claim
from tempgen.sweep.pool import Pool
from tempgen.sweep.record import Record
from tempgen.sweep.status import status_rows, status_table
from tests.sweep.actions import task_of
from tests.sweep.conftest import recorded

DRIVER = """
import sys
from pathlib import Path
from tempgen.config.launcher import LauncherConfig
from tempgen.sweep.drive import drive
from tempgen.sweep.pool import Pool
from tempgen.sweep.record import Record
config = LauncherConfig(launcher="processes", max_at_once=2)
tasks = [Record(path).task() for path in sorted(Path(sys.argv[1]).glob("sweep/[a-z]*/")) if (path / "task.json").exists()]
print("driving", flush=True)
outcome = drive(tasks, Pool.of(config), config, say=print)
print(outcome, flush=True)
"""


def lines_of(task):
    return [line.split() for line in task.makes[0].read_text().splitlines()]


def driver(folder):
    process = subprocess.Popen([sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


def ended(pid):
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def until(condition, *, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_tasks_begin_after_what_they_need_and_run_once(tmp_path, run_tasks):
    first, second = task_of(tmp_path, "a", "make", seconds=0.3), task_of(tmp_path, "b", "make", needs=["a"])
    outcome = run_tasks([second, first])
    assert not outcome.failed
    ((_, end, *_),), ((begin, *_),) = lines_of(first), lines_of(second)
    assert float(begin) >= float(end)


def test_no_more_tasks_live_than_are_allowed(tmp_path, run_tasks):
    tasks = [task_of(tmp_path, name, "make", seconds=0.4) for name in "abcde"]
    run_tasks(tasks, max_at_once=2)
    spans = [tuple(map(float, lines_of(task)[0][:2])) for task in tasks]
    alive = [sum(begin <= moment < end for begin, end in spans) for moment, _ in spans]
    assert max(alive) == 2


def test_cores_and_memory_bound_the_tasks_that_live_at_a_time(monkeypatch):
    monkeypatch.setattr("tempgen.sweep.pool.n_cores", lambda: 16)
    monkeypatch.setattr("tempgen.sweep.pool.free_memory_gb", lambda: 21.0)
    assert Pool.of(LauncherConfig(launcher="processes", cpus=3)).n_slots == 5
    assert Pool.of(LauncherConfig(launcher="processes", cpus=3, memory_gb=6)).n_slots == 3
    with pytest.raises(ConfigError, match="more memory"):
        Pool.of(LauncherConfig(launcher="processes", memory_gb=22))


def test_each_live_task_has_gpus_of_its_own(tmp_path, run_tasks, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    tasks = [task_of(tmp_path, name, "make", seconds=0.5) for name in "abc"]
    run_tasks(tasks, gpus=1, max_at_once=None)
    given = [lines_of(task)[0][2] for task in tasks]
    assert set(given[:2]) == {"3", "5"}
    assert given[2] in given[:2]


def test_killed_task_is_begun_again(tmp_path, run_tasks):
    task = task_of(tmp_path, "a", "die_at_first")
    assert not run_tasks([task]).failed
    assert Record(task.folder).n_starts(task) == 2


def test_task_that_is_always_killed_is_given_up_and_says_by_what(tmp_path, run_tasks):
    task = task_of(tmp_path, "a", "die_always")
    outcome = run_tasks([task], retries=1)
    assert outcome.failed == {task.folder: "a: was killed (SIGKILL) (begun 2 times)"}


def test_task_that_raises_is_not_begun_again_and_others_go_on(tmp_path, run_tasks):
    tasks = [
        task_of(tmp_path, "bad", "fail"),
        task_of(tmp_path, "later", "make", needs=["bad"]),
        task_of(tmp_path, "good", "make"),
    ]
    outcome = run_tasks(tasks)
    assert outcome.failed == {tasks[0].folder: "bad: ValueError: no bad today"}
    assert list(outcome.left_out.values()) == ["later"]
    assert tasks[2].makes[0].exists()
    assert Record(tasks[0].folder).n_starts(tasks[0]) == 1
    assert "raise ValueError" in Record(tasks[0].folder).log.read_text()
    table = status_table(status_rows(tmp_path))
    assert "3 tasks: 1 waiting, 1 failed, 1 done" in table
    assert "ValueError: no bad today" in table


def test_task_that_takes_more_memory_than_it_asked_for_is_ended_and_says_so(tmp_path, run_tasks):
    greedy, modest = task_of(tmp_path, "greedy", "grow"), task_of(tmp_path, "modest", "make")
    outcome = run_tasks([greedy, modest], memory_gb=0.15)
    assert list(outcome.failed) == [greedy.folder]
    assert "asked for 0.15: raise memory_gb" in outcome.failed[greedy.folder]
    assert not greedy.makes[0].exists()


def test_killed_driver_leaves_no_task_running_and_the_next_one_goes_on(tmp_path, run_tasks):
    tasks = recorded([task_of(tmp_path, "a", "make"), task_of(tmp_path, "b", "make", seconds=60)])
    process = driver(tmp_path)
    until(lambda: Record(tasks[0].folder).done() and Record(tasks[1].folder).holder())
    pid = Record(tasks[1].folder).holder()["pid"]
    process.kill()
    process.wait()
    until(lambda: ended(pid))
    assert Record(tasks[1].folder).failed(tasks[1])["stopped"]
    again = task_of(tmp_path, "b", "make", seconds=0.0)
    assert not run_tasks([tasks[0], again]).failed
    assert len(lines_of(tasks[0])) == 1


def test_driver_that_is_told_to_stop_stops_its_tasks(tmp_path):
    (task,) = recorded([task_of(tmp_path, "a", "make", seconds=60)])
    process = driver(tmp_path)
    until(lambda: Record(task.folder).holder())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert Record(task.folder).holder() is None
    assert Record(task.folder).failed(task)["error"] == "was told to stop"


def test_error_that_cannot_be_kept_ends_the_task_and_not_in_a_circle(tmp_path, run_tasks):
    task = task_of(tmp_path, "a", "fail_mutely")
    outcome = run_tasks([task])
    assert "failed and could not keep a record of why" in outcome.failed[task.folder]
    assert Record(task.folder).n_starts(task) == 1


def test_process_that_waits_for_another_to_end_its_task_stops_when_told(tmp_path):
    (task,) = recorded([task_of(tmp_path, "a", "make")])
    claim = Claim.take(Record(task.folder).claim)
    pool = Pool.of(LauncherConfig(launcher="processes"))
    pool.begin([task], [])
    until(lambda: pool.look() or pool._live[task.folder].pid)
    time.sleep(0.5)  # it looks at the claim
    os.kill(pool._live[task.folder].pid, signal.SIGTERM)
    until(pool.look, seconds=3)
    assert claim.is_own()
    pool.close()


def test_server_that_dies_takes_its_last_words_with_it(tmp_path):
    (task,) = recorded([task_of(tmp_path, "a", "make")])
    pool = Pool.of(LauncherConfig(launcher="processes"))
    pool.begin([task], [])
    until(lambda: Record(task.folder).is_done(task))
    time.sleep(0.3)  # that the task ended is said, and not yet read
    os.kill(pool._server.pid, signal.SIGKILL)
    pool._server.wait()
    assert pool.look()
    again = recorded([task_of(tmp_path, "b", "make")])
    pool.begin(again, [])
    until(lambda: pool.look() and Record(again[0].folder).is_done(again[0]))
    pool.close()


def test_two_drivers_of_one_sweep_begin_each_task_once(tmp_path, run_tasks):
    tasks = recorded([task_of(tmp_path, name, "make", seconds=0.3) for name in "abcdef"])
    process = driver(tmp_path)
    assert not run_tasks(tasks).failed
    out, _ = process.communicate(timeout=30)
    assert "failed={}" in out
    assert [len(lines_of(task)) for task in tasks] == [1] * 6


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_full_disk_fails_the_task_and_leaves_no_half_file(tmp_path, run_tasks):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], check=False
    ).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        task = task_of(tmp_path, "a", "fill", makes=small / "big")
        outcome = run_tasks([task])
        assert "No space left on device" in outcome.failed[task.folder]
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
