"""Processes that train one network together, below the process that was asked for."""

from dataclasses import replace

import pytest

from tempgen.errors import SweepError
from tempgen.sweep.record import Record
from tempgen.sweep.together import run_together
from tempgen.training import train
from tests.sweep.actions import task_of
from tests.sweep.conftest import recorded
from tests.training.tiny import TinyTask, quiet, tiny_config


@pytest.mark.slow
def test_two_gloo_processes_have_the_loss_of_one_with_the_same_batch(tmp_path, run_tasks, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    task = replace(task_of(tmp_path, "two", "train", n_steps=20), processes=2)
    task.makes[0].parent.mkdir(parents=True)
    assert not run_tasks([task], processes=2).failed, Record(task.folder).log.read_text()
    loss, n_processes = task.makes[0].read_text().split()
    alone = train(TinyTask(dropout=0.0), tiny_config(keep="last", n_steps=20), tmp_path / "one", say=quiet)
    assert n_processes == "2"
    assert float(loss) == pytest.approx(alone.loss, abs=1e-5)


@pytest.mark.slow
def test_failure_of_one_process_is_the_failure_of_the_task(tmp_path):
    (task,) = recorded([replace(task_of(tmp_path, "a", "fail"), processes=2)])
    with pytest.raises(SweepError, match="Process [01] of 2 failed: ValueError: no a today"):
        run_together(task.run, 2)


def test_one_process_is_this_one():
    seen = []
    run_together(lambda: seen.append(1), 1)
    assert seen == [1]
