"""Records of tasks as a started sweep leaves them."""

import pytest

from tempgen.config.launcher import LauncherConfig
from tempgen.sweep.drive import drive
from tempgen.sweep.pool import Pool
from tempgen.sweep.record import Record


def recorded(tasks):
    for task in tasks:
        Record(task.folder).write_task(task)
    return tasks


@pytest.fixture
def run_tasks():
    """Run tasks in worker processes; returns how it ended."""

    def run(tasks, **resources):
        config = LauncherConfig(launcher="processes", **{"max_at_once": 2, **resources})
        pool = Pool.of(config)
        try:
            return drive(recorded(tasks), pool, config, say=print)
        finally:
            pool.close()

    return run
