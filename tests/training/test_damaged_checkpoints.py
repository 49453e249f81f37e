"""Checkpoints that a disk damaged: noticed, and never gone on from."""

import shutil

import pytest
import torch

from tempgen.training import train
from tempgen.training.checkpoints import Checkpoints, read_tensors
from tests.training.tiny import TinyTask, quiet, tiny_config


class Stopped(Exception):
    pass


def stopped_run(folder):
    task = TinyTask(dropout=0.0)
    batch = task.batch

    def until_thirty(rows, step):
        if step >= 30:
            raise Stopped
        return batch(rows, step)

    task.batch = until_thirty
    with pytest.raises(Stopped):
        train(task, tiny_config(), folder, say=quiet)
    return Checkpoints(folder).latest()


def flip(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 0x40
    path.write_bytes(bytes(content))


def cut(path):
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize(
    "name", ["weights.safetensors", "optimizer.safetensors", "state.json", "digests.json"]
)
def test_training_from_a_damaged_checkpoint_begins_anew_and_ends_with_the_same_weights(
    tmp_path, damage, name
):
    damage(stopped_run(tmp_path / "run") / name)
    said = []
    again = train(TinyTask(dropout=0.0), tiny_config(), tmp_path / "run", say=said.append)
    whole = train(TinyTask(dropout=0.0), tiny_config(), tmp_path / "whole", say=quiet)
    assert any("is damaged; the training begins anew" in line for line in said)
    first, second = read_tensors(again.weights), read_tensors(whole.weights)
    assert all(torch.equal(first[key], second[key]) for key in second)


def test_training_goes_on_from_an_older_checkpoint_where_the_latest_is_damaged(tmp_path):
    latest = stopped_run(tmp_path / "run")
    step = int(latest.name.split("-")[1])
    older = Checkpoints(tmp_path / "older")
    shutil.copytree(tmp_path / "run", tmp_path / "older")
    later = older.step_folder(step + 1)
    shutil.copytree(latest, later)  # as if the run had been killed before it removed the one before
    flip(later / "weights.safetensors")
    said = []
    train(TinyTask(dropout=0.0), tiny_config(), tmp_path / "older", say=said.append)
    assert any(f"is damaged; the training goes on from {latest.name}" in line for line in said)
    assert any(f"goes on after step {step}" in line for line in said)


def test_whole_checkpoint_is_gone_on_from(tmp_path):
    stopped_run(tmp_path / "run")
    said = []
    train(TinyTask(dropout=0.0), tiny_config(), tmp_path / "run", say=said.append)
    assert any("goes on after step" in line for line in said)
