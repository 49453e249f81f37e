"""A task that trains in milliseconds, and ways to run it in a process that can be killed."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tempgen.config.optimization import OptimizationConfig
from tempgen.models.keyed_noise import keyed_normal
from tempgen.training import train

N_SAMPLES = 37


class TinyModule(nn.Module):
    """A dropout MLP between frozen layers, with a normalization that keeps running statistics."""

    def __init__(self, dropout: float, normalized: bool = False) -> None:
        super().__init__()
        self.frozen = nn.Linear(6, 6).requires_grad_(False)
        middle = nn.BatchNorm1d(16) if normalized else nn.GELU()
        self.trained = nn.Sequential(nn.Linear(6, 16), middle, nn.Dropout(dropout), nn.Linear(16, 3))
        self.n_forwards = 0

    def forward(self, seen: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        self.n_forwards += 1
        error = (self.trained(self.frozen(seen)) - wanted).square().mean()
        return {"loss": error}


class TinyTask:
    """Linear regression with keyed noise on the input."""

    name = "tiny"
    n_samples = N_SAMPLES

    def __init__(
        self,
        *,
        dropout: float = 0.5,
        normalized: bool = False,
        recipe: dict[str, Any] | None = None,
        monitor: Callable[[TinyTask], float] | None = None,
        sleep_s: float = 0.0,
        held: Callable[[int], bool] | None = None,
        broken_from: int | None = None,
    ) -> None:
        torch.manual_seed(0)
        self.module = TinyModule(dropout, normalized)
        self.recipe = recipe or {"backbone": "scenes", "window": {"n_tr": 6}}
        self.seen = keyed_normal((6,), seed=0, keys=[(0, row) for row in range(N_SAMPLES)])
        self.wanted = self.seen[:, :3] * 2 + 1
        self.monitor, self.sleep_s, self.held, self.broken_from = monitor, sleep_s, held, broken_from
        self.validated = 0

    def batch(self, rows: np.ndarray, step: int) -> dict[str, Tensor]:
        time.sleep(self.sleep_s)
        while self.held is not None and self.held(step):
            time.sleep(0.01)  # however late a loaded machine comes to killing it
        noise = keyed_normal((6,), seed=1, keys=[(step, int(row)) for row in rows])
        wanted = self.wanted[torch.from_numpy(rows)]
        if self.broken_from is not None and step >= self.broken_from:
            wanted = wanted * float("nan")
        return {"seen": self.seen[torch.from_numpy(rows)] + 0.1 * noise, "wanted": wanted}

    def validate(self, module: nn.Module) -> dict[str, float]:
        self.validated += 1
        if self.monitor is not None:
            return {"monitor": self.monitor(self)}
        with torch.no_grad():
            return {"monitor": float(module(self.seen, self.wanted)["loss"])}


def tiny_config(**changes: Any) -> OptimizationConfig:
    """Sixty steps over several epochs, with checkpoints and looks at the held-out set that do not coincide."""
    content: dict[str, Any] = {
        "n_steps": 60,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "warmup_steps": 5,
        "checkpoint_every": 7,
        "validate_every": 11,
        "tracker": None,
    }
    return OptimizationConfig(**{**content, **changes})


def trained_weights(task: TinyTask) -> dict[str, Tensor]:
    """A copy of all that the module holds."""
    return {name: tensor.clone() for name, tensor in task.module.state_dict().items()}


def same_bits(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two state dicts are equal to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def quiet(line: str) -> None:
    """Say nothing."""


def start(target: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    """Run something in a process of its own, which has all that is loaded here."""
    process = multiprocessing.get_context("fork").Process(target=target)
    process.start()
    return process


def train_tiny(folder: Path, config: OptimizationConfig, **options: Any) -> TinyTask:
    """Train a new tiny task; it is returned with the chosen weights."""
    task = TinyTask(**options)
    train(task, config, folder, say=quiet)
    return task
