"""Accelerate, set up as the loop needs it, several times in one process if asked."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import GradientAccumulationPlugin, ProjectConfiguration
from torch import Tensor, nn

from tempgen.config.optimization import OptimizationConfig
from tempgen.errors import ConfigError
from tempgen.models.keyed_noise import keyed_seed


def make_accelerator(config: OptimizationConfig, folder: Path) -> Accelerator:
    """An Accelerator for one run, on the devices and processes that ``accelerate launch`` or torchrun gave.

    Raises
    ------
    ConfigError
        If the batch cannot be shared out, the machine lacks the precision, or the tracker is not installed.
    """
    _check_tracker(config)
    AcceleratorState._reset_state()  # an earlier run of this process may have had another precision
    GradientState._reset_state()
    try:
        accelerator = Accelerator(
            mixed_precision=config.mixed_precision,
            dynamo_backend="inductor" if config.compile else None,
            log_with=config.tracker,
            project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder / "curves")),
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=config.gradient_accumulation_steps, sync_with_dataloader=False
            ),
            # A subject's layers get no gradient where a batch has none of its trials.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
    except ValueError as error:
        raise ConfigError(
            f"optimization.mixed_precision {config.mixed_precision} does not work here: {error} "
            "Set mixed_precision to no or bf16."
        ) from error
    if (
        config.mixed_precision == "fp16" and accelerator.device.type == "cpu"
    ):  # torch has no loss scaling there
        raise ConfigError("optimization.mixed_precision fp16 needs a GPU: set it to no or bf16.")
    parts = config.gradient_accumulation_steps * accelerator.num_processes
    if config.batch_size % parts:
        raise ConfigError(
            f"batch_size {config.batch_size} cannot be shared by {accelerator.num_processes} processes in "
            f"{config.gradient_accumulation_steps} accumulation step(s): make it a multiple of {parts}."
        )
    return accelerator


def _check_tracker(config: OptimizationConfig) -> None:
    if config.tracker == "tensorboard" and find_spec("tensorboard") is None:
        raise ConfigError(
            "optimization.tracker is tensorboard, which is not installed: pip install tensorboard, or set tracker to null."
        )


class LossModule(nn.Module):
    """A task's module in a shell of its own, so that what Accelerate changes for a run ends with the run."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, **batch: Any) -> dict[str, Tensor]:
        """Call the module."""
        return self.module(**batch)


def make_optimizer(
    parameters: list[nn.Parameter], config: OptimizationConfig, device: torch.device
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, in one kernel where torch has one for the device."""
    options: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": config.betas,
        "weight_decay": config.weight_decay,
    }
    if device.type in ("cpu", "cuda"):
        try:
            return torch.optim.AdamW(parameters, fused=True, **options)
        except RuntimeError:  # torch before 2.4 has none for the CPU
            pass
    return torch.optim.AdamW(parameters, **options)


def seed_dropout(device: torch.device, seed: int, *key: int) -> None:
    """Set torch's global random state from a key, so that dropout needs no saved state.

    ``torch.manual_seed`` does the same for every kind of device there is, and takes 0.1 ms.
    """
    value = keyed_seed(seed, *key, kind=b"dropout")
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch with its tensors on the device."""
    if device.type == "cpu":
        return batch
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }
