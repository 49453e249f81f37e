"""Two processes on the CPU (gloo): what ``accelerate launch`` and torchrun start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tempgen.errors import ConfigError
from tempgen.training import train
from tempgen.training.checkpoints import Checkpoints, read_state, read_tensors
from tests.training.tiny import TinyTask, quiet, tiny_config, train_tiny

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true"}
TRAIN = """
import sys
from pathlib import Path
from tests.training.tiny import TinyTask, tiny_config
from tempgen.training import train
task = TinyTask(dropout=0.0, sleep_s=float(sys.argv[3]))
outcome = train(task, tiny_config(keep="last", ema_decay=0.9, gradient_accumulation_steps=2, n_steps=int(sys.argv[2])), Path(sys.argv[1]))
print("chosen", outcome.weights)
"""
SHARDS = """
import copy
import torch
from torch.distributed.fsdp import fully_shard
from tempgen.training.accelerated import LossModule
from tempgen.training.sharding import gather_shards, scatter_shards
from tests.training.tiny import TinyTask
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))

def sharded():
    task = TinyTask(dropout=0.0)
    model = LossModule(task.module)
    fully_shard(model, mesh=mesh)
    trained = [p for p in model.parameters() if p.requires_grad]
    return task, model, torch.optim.AdamW(trained, lr=0.01)

def step(task, model, optimizer):
    model(seen=task.seen, wanted=task.wanted)["loss"].backward()
    optimizer.step()
    optimizer.zero_grad()

task, model, optimizer = sharded()
for _ in range(3):
    step(task, model, optimizer)
weights, moments = gather_shards(model, optimizer)
both = [copy.deepcopy({"weights": weights, "moments": moments})]  # as a file would be
torch.distributed.broadcast_object_list(both, src=0)
task2, model2, optimizer2 = sharded()
scatter_shards(model2, optimizer2, **both[0])
step(task, model, optimizer)
step(task2, model2, optimizer2)
continued, resumed = gather_shards(model, optimizer), gather_shards(model2, optimizer2)
if rank == 0:
    assert set(weights) == {f"trained.{k}.{kind}" for k in (0, 3) for kind in ("weight", "bias")}, weights.keys()
    assert "exp_avg/trained.0.weight" in moments, moments.keys()
    assert not torch.equal(weights["trained.0.weight"], resumed[0]["trained.0.weight"])
    for first, second in zip(continued, resumed):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
    plain = TinyTask(dropout=0.0)
    again = torch.optim.AdamW(plain.module.trained.parameters(), lr=0.01)
    for _ in range(4):
        step(plain, plain.module, again)
    torch.testing.assert_close(resumed[0]["trained.0.weight"], plain.module.trained[0].weight.detach())
    print("shards fit")
torch.distributed.destroy_process_group()
"""


def launch(script: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
    ]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        env=ENVIRONMENT,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finished(process: subprocess.Popen[str], *, code: int = 0) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    return output


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(TRAIN)
    return path


@pytest.mark.slow
def test_two_processes_train_the_same_weights_as_one(tmp_path, script):
    process = launch(script, tmp_path / "two", 60, 0)
    alone = TinyTask(dropout=0.0)
    config = tiny_config(keep="last", ema_decay=0.9)
    outcome = train(alone, config, tmp_path / "one", say=quiet)
    output = finished(process)
    (chosen,) = (line.split()[1] for line in set(output.splitlines()) if line.startswith("chosen"))

    one, two = read_tensors(outcome.weights), read_tensors(Path(chosen))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-3, atol=1e-5)
    assert read_state(Checkpoints(tmp_path / "two").latest()).n_processes == 2
    assert output.count("held-out") == 6  # one process speaks


@pytest.mark.slow
def test_two_processes_save_together_on_sigterm_and_go_on_to_the_same_bits(tmp_path, script):
    finished(launch(script, tmp_path / "whole", 60, 0))
    process = launch(script, tmp_path / "stopped", 60, 0.02)
    end = time.monotonic() + 60
    while Checkpoints(tmp_path / "stopped").latest() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    state = read_state(Checkpoints(tmp_path / "stopped").latest())
    assert process.returncode != 0
    assert 7 <= state.step < 60
    finished(launch(script, tmp_path / "stopped", 60, 0))

    for name in ("weights.safetensors", "average.safetensors", "optimizer.safetensors"):
        whole = read_tensors(Checkpoints(tmp_path / "whole").latest() / name)
        stopped = read_tensors(Checkpoints(tmp_path / "stopped").latest() / name)
        assert all(torch.equal(whole[key], stopped[key]) for key in whole)


@pytest.mark.slow
def test_checkpoint_of_another_configuration_is_refused_by_all_processes(tmp_path, script):
    train_tiny(tmp_path / "run", tiny_config(n_steps=10))
    output = finished(launch(script, tmp_path / "run", 60, 0), code=1)
    assert "optimization.n_steps: 10 -> 60" in output


@pytest.mark.slow
def test_sharded_tensors_are_gathered_and_given_back(tmp_path):
    path = tmp_path / "shards.py"
    path.write_text(SHARDS)
    assert "shards fit" in finished(launch(path))


def test_batch_that_processes_cannot_share_is_refused(tmp_path, monkeypatch):
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "num_processes", property(lambda self: 3))
    with pytest.raises(ConfigError, match=r"batch_size 8 cannot be shared by 3 processes.*multiple of 3"):
        train(TinyTask(), tiny_config(), tmp_path, say=quiet)
