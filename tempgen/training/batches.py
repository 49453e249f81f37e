"""The batches of a run, in order, from any step on: made here or by worker processes, the same either way."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tempgen.config.optimization import OptimizationConfig
from tempgen.training.schedule import rows_of_step
from tempgen.training.task import TrainingTask

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG. Source: linux/prctl.h."""


@dataclass
class StepBatches(Dataset[dict[str, Tensor]]):
    """A process' share of the batches of all steps from ``first_step`` on, ``gradient_accumulation_steps`` for each step."""

    task: TrainingTask
    config: OptimizationConfig
    first_step: int
    process: int = 0
    n_processes: int = 1

    def __len__(self) -> int:
        return (self.config.n_steps - self.first_step) * self.config.gradient_accumulation_steps

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        step, part = divmod(position, self.config.gradient_accumulation_steps)
        step += self.first_step
        rows = rows_of_step(
            step,
            n_samples=self.task.n_samples,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
        )
        size = self.config.batch_size // (self.config.gradient_accumulation_steps * self.n_processes)
        first = (part * self.n_processes + self.process) * size
        return self.task.batch(rows[first : first + size], step)


def iterate(batches: StepBatches, *, pin_memory: bool) -> Generator[dict[str, Tensor], None, None]:
    """All batches in order; with ``config.n_workers`` they are made ahead by other processes, which end at ``close``."""
    if not batches.config.n_workers:
        yield from (batches[position] for position in range(len(batches)))
        return
    loader: DataLoader[dict[str, Tensor]] = DataLoader(
        batches,
        batch_size=None,  # an item is a batch
        num_workers=batches.config.n_workers,
        pin_memory=pin_memory,
        multiprocessing_context="fork" if sys.platform == "linux" else None,  # others would copy the module
        worker_init_fn=partial(_follow_the_main_process, os.getpid()),
        generator=torch.Generator(),  # the workers' seeds are not drawn from the global state, which is dropout's
    )
    yield from loader


def _follow_the_main_process(main: int, worker: int) -> None:
    """Ctrl-C and a scheduler's SIGTERM reach all processes of a group; the main one saves, then ends its workers.

    A second SIGTERM, which Python and torch send to a worker that does not end, acts as usual. If the main process is
    killed, torch's workers notice by its process number, but not if it happens before they first look: Linux is asked.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(number, signal.SIG_DFL) and None)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != main:
            os._exit(1)
