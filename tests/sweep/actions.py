"""What the tasks of these tests do."""

import os
import resource
import signal
import time
from pathlib import Path

from tempgen.sweep.task import Task


def task_of(folder, name, action, *, needs=(), recipe=None, makes=None, **arguments):
    """A task below ``folder`` that calls an action of this module and makes the file of its name."""
    made = folder / "made" / name if makes is None else makes
    return Task(
        name,
        action,
        f"tests.sweep.actions:{action}",
        {"path": str(made), **arguments},
        recipe=recipe if recipe is not None else {"name": name},
        folder=folder / "sweep" / name,
        makes=[made],
        needs=[folder / "sweep" / need for need in needs],
    )


def make(path, seconds=0.0):
    """Say when it ran, where and with which devices, a line for each time."""
    began = time.monotonic()
    time.sleep(seconds)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("a") as file:
        file.write(f"{began} {time.monotonic()} {os.environ.get('CUDA_VISIBLE_DEVICES')} {os.getpid()}\n")


def fail(path):
    raise ValueError(f"no {Path(path).name} today\nand a second line")


def fail_mutely(path):
    """Fail where no file can be written any more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    fail(path)


def die_at_first(path, number=int(signal.SIGKILL)):
    """Be killed, and the next time do it."""
    before = Path(path).with_name("tried")
    if not before.exists():
        before.parent.mkdir(parents=True, exist_ok=True)
        before.touch()
        os.kill(os.getpid(), number)
        time.sleep(30)
    make(path)


def die_always(path):
    os.kill(os.getpid(), signal.SIGKILL)


def grow(path):
    """Take 300 MB, slowly."""
    blocks = []
    for _ in range(30):
        blocks.append(b"x" * 10_000_000)
        time.sleep(0.1)
    make(path)


def fill(path):
    """Write more than the disk holds."""
    from tempgen.files import whole_file

    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(b"x" * 2_000_000)


def train(path, n_steps=20):
    """Train a small network in as many processes as there are; the first says the loss of the last steps."""
    from tempgen.training import train
    from tests.training.tiny import TinyTask, quiet, tiny_config

    config = tiny_config(keep="last", n_steps=n_steps)
    outcome = train(TinyTask(dropout=0.0), config, Path(path).parent / "run", say=quiet)
    if int(os.environ.get("RANK", "0")) == 0:
        Path(path).write_text(f"{outcome.loss!r} {os.environ.get('WORLD_SIZE', '1')}")
