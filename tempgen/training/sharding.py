"""Where a run's tensors live under Accelerate: in every process (one process, DDP), or in shards (DeepSpeed ZeRO, FSDP).

Checkpoints hold the same files in all cases, whole tensors by name, except that DeepSpeed keeps its optimizer in files of
its own. What could not be tried for want of several GPUs: DeepSpeed, and FSDP as Accelerate wraps it (gathering and
loading of sharded tensors are tested on CPU processes).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from tempgen.config.optimization import OptimizationConfig
from tempgen.errors import ConfigError

DEEPSPEED_FOLDER = "deepspeed"
_SHELL = "module."  # a LossModule's name for the task's module
_FULL = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
_PARTIAL = StateDictOptions(full_state_dict=True, strict=False)


def is_deepspeed(accelerator: Accelerator) -> bool:
    """Whether DeepSpeed runs the steps."""
    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)


def is_fsdp(accelerator: Accelerator) -> bool:
    """Whether each process holds a part of each parameter."""
    return bool(accelerator.distributed_type == DistributedType.FSDP)


def check_sharding(accelerator: Accelerator, config: OptimizationConfig) -> None:
    """Refuse options that shards cannot honour.

    Raises
    ------
    ConfigError
        For an average of the weights under DeepSpeed or FSDP, or the best weights under FSDP, whose sharded module cannot
        be validated by the task.
    """
    sharded = is_deepspeed(accelerator) or is_fsdp(accelerator)
    if sharded and config.ema_decay is not None:
        raise ConfigError("optimization.ema_decay does not work with DeepSpeed or FSDP: set it to null.")
    if is_fsdp(accelerator) and config.keep == "best":
        raise ConfigError(
            "optimization.keep: best does not work with FSDP, which is not validated: set it to last."
        )


def configure_deepspeed(accelerator: Accelerator, config: OptimizationConfig) -> None:
    """Give DeepSpeed the batch that it would read from a DataLoader, and the clipping that it does itself."""
    parts = config.gradient_accumulation_steps * accelerator.num_processes
    settings = accelerator.state.deepspeed_plugin.deepspeed_config
    settings["train_micro_batch_size_per_gpu"] = config.batch_size // parts
    settings["gradient_accumulation_steps"] = config.gradient_accumulation_steps
    settings["gradient_clipping"] = config.max_grad_norm or 0.0


def gather_shards(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Whole trained tensors and optimizer moments (``"exp_avg/NAME"``), on the CPU of the first process; all must call.

    Parameters
    ----------
    model : nn.Module
        The prepared shell around the task's module.
    """
    weights, moments = get_state_dict(model, optimizer, options=_FULL)
    named = {name.removeprefix(_SHELL): value for name, value in weights.items() if isinstance(value, Tensor)}
    flat: dict[str, Tensor] = {}
    states = cast(Mapping[str, Any], moments.get("state", {}))
    for name, state in states.items():
        flat |= {
            f"{kind}/{name.removeprefix(_SHELL)}": torch.as_tensor(value) for kind, value in state.items()
        }
    return named, flat


def scatter_shards(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    weights: Mapping[str, Tensor],
    moments: Mapping[str, Tensor],
) -> None:
    """The way back: every process gives the whole tensors and keeps its shards."""
    set_model_state_dict(model, {_SHELL + name: value for name, value in weights.items()}, options=_PARTIAL)
    states: dict[str, dict[str, Tensor]] = {}
    for key, value in moments.items():
        kind, _, name = key.partition("/")
        states.setdefault(_SHELL + name, {})[kind] = value
    settings = {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}
    group = {**settings, "params": list(states)}
    saved: Any = {"state": states, "param_groups": [group]}
    set_optimizer_state_dict(model, optimizer, saved, options=_PARTIAL)


def save_deepspeed(accelerator: Accelerator, folder: Path) -> Path:
    """DeepSpeed's own files, trained parameters only, in a hidden folder that a checkpoint takes in; all must call."""
    place = folder / ".deepspeed.tmp.state"
    accelerator.save_state(str(place), exclude_frozen_parameters=True)
    accelerator.wait_for_everyone()
    return place


def take_in(place: Path, checkpoint: Path) -> None:
    """Move DeepSpeed's files into a checkpoint that is being written."""
    os.rename(place, checkpoint / DEEPSPEED_FOLDER)


def load_deepspeed(accelerator: Accelerator, checkpoint: Path) -> None:
    """Go on from DeepSpeed's own files; frozen parameters are not among them."""
    accelerator.load_state(str(checkpoint / DEEPSPEED_FOLDER), load_module_strict=False)
