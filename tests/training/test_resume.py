"""A run that was killed or stopped ends, when started again, with the same bits."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tempgen.errors import TrainingError
from tempgen.training import checkpoints, engine, train
from tempgen.training.checkpoints import Checkpoints, read_state, read_tensors
from tests.training.tiny import TinyTask, quiet, same_bits, start, tiny_config, train_tiny, trained_weights


def happens(condition, *, seconds: float = 240) -> bool:
    """Whether a condition holds at some time until then."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_killed_run_ends_with_the_same_bits(tmp_path, precision, n_workers):
    config = tiny_config(mixed_precision=precision, n_workers=n_workers, ema_decay=0.9, max_grad_norm=0.5)
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    last = Checkpoints(tmp_path / "whole").latest()
    rng = np.random.default_rng([n_workers, len(precision)])
    folder = tmp_path / "killed"
    reached = []
    for target in sorted(rng.choice(np.arange(8, 55), 4, replace=False)):
        process = start(
            lambda target=target: train_tiny(
                folder, config, sleep_s=0.004, held=lambda step: step > target + 3
            )
        )
        assert happens(
            lambda target=target: (path := Checkpoints(folder).latest()) and int(path.name[5:]) >= target - 7
        )
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        reached.append(int(Checkpoints(folder).latest().name[5:]))
    task = train_tiny(folder, config)

    assert 0 < reached[0] < reached[-1] < config.n_steps
    assert task.validated < config.n_steps // config.validate_every + 1  # it went on, it did not start anew
    assert same_bits(trained_weights(task), reference)
    for name in ("weights.safetensors", "average.safetensors", "optimizer.safetensors"):
        assert same_bits(read_tensors(Checkpoints(folder).latest() / name), read_tensors(last / name))


SAVING = {
    "before anything is written": ("write_tensors", 0),
    "when half of the files are written": ("write_tensors", 1),
    "before the folder gets its name": ("_to_disk", 0),
    "after the folder has its name": ("_to_disk", 1),
}


@pytest.mark.parametrize("moment", SAVING)
@pytest.mark.parametrize("which_save", [1, 2])
def test_run_killed_while_saving_ends_with_the_same_bits(tmp_path, moment, which_save, monkeypatch):
    config = tiny_config(n_steps=24, validate_every=6, checkpoint_every=8)
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    name, call = SAVING[moment]
    # Best weights (one file) are saved at 6, 12 and 18, checkpoints (two files) at 8 and 16.
    calls_of_a_save = 2 if name == "_to_disk" else 3  # best and checkpoint
    fatal = which_save * calls_of_a_save + call

    original, count = getattr(checkpoints, name), [0]

    def deadly(*arguments):
        if count[0] == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        count[0] += 1
        return original(*arguments)

    def run() -> None:
        for module in (checkpoints, engine):
            monkeypatch.setattr(module, name, deadly, raising=False)
        train_tiny(tmp_path / "killed", config)

    process = start(run)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    task = train_tiny(tmp_path / "killed", config)

    assert same_bits(trained_weights(task), reference)
    assert not list((tmp_path / "killed" / "checkpoints").glob(".*")), "leftovers stay"


def test_run_killed_while_removing_old_checkpoints_ends_with_the_same_bits(tmp_path, monkeypatch):
    config = tiny_config()
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    original = shutil.rmtree

    def half(folder, **options):
        if Path(folder, checkpoints.STATE).exists():  # of a checkpoint, not of what is being written
            Path(folder, checkpoints.DIGESTS).unlink()
            Path(folder, checkpoints.STATE).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        original(folder, **options)

    def run() -> None:
        monkeypatch.setattr(shutil, "rmtree", half)
        train_tiny(tmp_path / "killed", config)

    process = start(run)
    process.join()
    assert process.exitcode == -signal.SIGKILL

    assert same_bits(trained_weights(train_tiny(tmp_path / "killed", config)), reference)


def test_checkpoint_that_an_earlier_version_left_half_removed_is_passed_over(tmp_path):
    config = tiny_config(n_steps=20)
    with pytest.raises(TrainingError):
        train_tiny(tmp_path, config, broken_from=16)
    half = Checkpoints(tmp_path).step_folder(7)
    half.mkdir()
    (half / checkpoints.WEIGHTS).write_bytes(b"")

    assert Checkpoints(tmp_path).clean() == [half]
    assert Checkpoints(tmp_path).latest() == Checkpoints(tmp_path).step_folder(14)


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_signal_saves_and_leaves(tmp_path, number, exit_code, n_workers):
    config = tiny_config(checkpoint_every=1_000, validate_every=1_000, n_workers=n_workers)
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    begun, sent = tmp_path / "begun", tmp_path / "sent"

    def run() -> None:
        task = TinyTask(sleep_s=0.01, held=lambda step: step > 50 and not sent.exists())
        forward = task.module.forward
        task.module.forward = lambda **batch: (begun.touch(), forward(**batch))[1]
        train(task, config, tmp_path / "stopped", say=quiet)

    process = start(run)
    assert happens(begun.exists)
    os.kill(process.pid, number)
    sent.touch()
    process.join()
    saved = read_state(Checkpoints(tmp_path / "stopped").latest())

    assert process.exitcode == exit_code  # of multiprocessing, for KeyboardInterrupt: 1
    assert 0 < saved.step < config.n_steps
    assert same_bits(trained_weights(train_tiny(tmp_path / "stopped", config)), reference)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["last step", "last validation"])
def test_signal_of_the_last_moment_is_not_lost(tmp_path, number, moment):
    config = tiny_config()
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    task = TinyTask()
    batch, validate = task.batch, task.validate

    def batch_and_signal(rows, step):
        if moment == "last step" and step == config.n_steps - 1:
            signal.raise_signal(number)
        return batch(rows, step)

    def validate_and_signal(module):
        if moment == "last validation" and task.validated == config.n_steps // config.validate_every:
            signal.raise_signal(number)
        return validate(module)

    task.batch, task.validate = batch_and_signal, validate_and_signal
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(task, config, tmp_path / "stopped", say=quiet)

    again = train_tiny(tmp_path / "stopped", config)
    assert again.module.n_forwards == 0
    assert same_bits(trained_weights(again), reference)


def test_run_killed_while_an_older_one_makes_room_begins_anew(tmp_path, monkeypatch):
    config = tiny_config()
    reference = trained_weights(train_tiny(tmp_path, config))

    def half(folder, **_):
        for file in Path(folder).glob("*/*"):
            if file.name != checkpoints.STATE:
                file.unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", half)
        with pytest.raises(KeyboardInterrupt):
            Checkpoints(tmp_path).clean(everything=True)

    assert same_bits(trained_weights(train_tiny(tmp_path, config)), reference)


def test_worker_processes_change_nothing(tmp_path):
    alone = train_tiny(tmp_path / "0", tiny_config(n_workers=0))
    helped = train_tiny(tmp_path / "2", tiny_config(n_workers=2))

    assert same_bits(trained_weights(alone), trained_weights(helped))


def test_running_statistics_of_trained_layers_are_resumed(tmp_path):
    config = tiny_config(keep="last")
    reference = trained_weights(train_tiny(tmp_path / "whole", config, normalized=True))
    process = start(
        lambda: train_tiny(
            tmp_path / "cut", config, normalized=True, sleep_s=0.005, held=lambda step: step > 50
        )
    )
    assert happens(lambda: Checkpoints(tmp_path / "cut").latest())
    process.kill()
    process.join()

    assert same_bits(trained_weights(train_tiny(tmp_path / "cut", config, normalized=True)), reference)


def test_finished_run_is_not_trained_again(tmp_path):
    config = tiny_config()
    first = train_tiny(tmp_path, config)
    again = TinyTask()
    outcome = train(again, config, tmp_path, say=quiet)

    assert again.module.n_forwards == 0
    assert outcome.loss is None
    assert outcome.n_steps == config.n_steps
    assert same_bits(trained_weights(first), trained_weights(again))


def test_overwrite_starts_anew(tmp_path):
    train_tiny(tmp_path, tiny_config())
    task = TinyTask(recipe={"other": 1})
    train(task, tiny_config(seed=1), tmp_path, say=quiet, overwrite=True)

    assert task.module.n_forwards > 60
    assert same_bits(
        trained_weights(task), trained_weights(train_tiny(Path(tmp_path / "x"), tiny_config(seed=1)))
    )


def test_accumulated_run_is_resumed_with_the_same_bits(tmp_path):
    config = tiny_config(gradient_accumulation_steps=4)
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    with pytest.raises(TrainingError):
        train_tiny(tmp_path / "cut", config, broken_from=30)

    assert same_bits(trained_weights(train_tiny(tmp_path / "cut", config)), reference)


def test_no_worker_outlives_a_killed_run(tmp_path):
    def children(number: int) -> set[int]:
        return {int(word) for word in Path(f"/proc/{number}/task/{number}/children").read_text().split()}

    if not Path("/proc/self/task").exists():
        pytest.skip("needs Linux' /proc")
    process = start(lambda: train_tiny(tmp_path, tiny_config(n_workers=2), sleep_s=0.02))
    assert happens(lambda: len(children(process.pid)) == 2)  # they have just begun
    workers = children(process.pid)
    process.kill()
    process.join()

    assert happens(lambda: not any(Path(f"/proc/{worker}/stat").exists() for worker in workers), seconds=3)
