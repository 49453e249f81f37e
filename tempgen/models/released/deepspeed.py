"""Checkpoints of DeepSpeed ZeRO stages 1 and 2: a folder of files to float32 weights by name.

A folder holds ``mp_rank_00_model_states.pt``, with the weights in the precision of the training (``module``) and the
shapes of the trained ones in order (``param_shapes``), and one ``zero_pp_rank_R_mp_rank_00_optim_states.pt`` per process:
its part of the float32 originals, all of a parameter group in one vector (``single_partition_of_fp32_groups``). Joined in
the order of the processes and cut by the shapes, these are the float32 weights. Source: DeepSpeed, ``zero_to_fp32.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tempgen.errors import DecoderError
from tempgen.files import whole_file
from tempgen.models.released.pickled import Placeholder, load_pickled

MODEL_FILE = "mp_rank_00_model_states.pt"
SHARDS = "*_optim_states.pt"
SHARD_NAME = re.compile(r"(?:\w+_)?zero_pp_rank_(\d+)_mp_rank_(\d+)_optim_states\.pt")


class CheckpointWeights(NamedTuple):
    """Weights of a checkpoint, the names of those that were trained, and the names of entries that are no weights."""

    tensors: dict[str, Tensor]
    trained: frozenset[str]
    others: tuple[str, ...]


def find_deepspeed_folder(source: Path) -> Path:
    """The one folder at or below ``source`` that holds a DeepSpeed checkpoint.

    Raises
    ------
    DecoderError
        If there is none, or several and no file ``latest`` that names one.
    """
    latest = source / "latest"
    if latest.is_file() and (named := source / latest.read_text().strip() / MODEL_FILE).is_file():
        return named.parent
    found = sorted(path.parent for path in source.rglob(MODEL_FILE))
    if len(found) == 1:
        return found[0]
    if found:
        raise DecoderError(
            f"{source} holds {len(found)} DeepSpeed checkpoints; name one: {', '.join(map(str, found))}"
        )
    if any(source.rglob("zero_pp_rank_*_model_states.pt")):
        raise DecoderError(
            f"{source} is a checkpoint of DeepSpeed ZeRO stage 3; stages 1 and 2 are read. "
            "Convert it by the zero_to_fp32.py in its folder and give the file that this writes"
        )
    raise DecoderError(f"there is no DeepSpeed checkpoint in {source}: no {MODEL_FILE} at or below it")


def read_deepspeed(source: Path) -> CheckpointWeights:
    """Weights of a checkpoint: trained ones in float32 if the optimizer's shards are there, all else as saved.

    Parameters
    ----------
    source : Path
        The folder, or one above it that holds no other checkpoint.

    Raises
    ------
    DecoderError
        If a file is missing or cannot be read, some but not all shards are there (the missing ones are named), or their
        sizes do not fit the parameters' shapes.
    """
    folder = find_deepspeed_folder(source)
    model = _dictionary(load_pickled(folder / MODEL_FILE), folder / MODEL_FILE)
    if not isinstance(model.get("module"), Mapping):
        raise DecoderError(f"{folder / MODEL_FILE} has no weights: its entry 'module' is missing")
    tensors, others = split_by_type(model["module"])
    tensors |= model.get("frozen_param_fragments") or {}
    groups = [dict(group) for group in model.get("param_shapes") or []]
    if any(folder.glob(SHARDS)):
        if not groups:
            raise DecoderError(
                f"{folder / MODEL_FILE} lacks param_shapes, without which its shards cannot be cut"
            )
        tensors |= _join(_load_shards(folder), groups, folder=folder)
        for alias, name in (model.get("shared_params") or {}).items():
            if name in tensors:
                tensors[alias] = tensors[name]
    return CheckpointWeights(tensors, frozenset(name for group in groups for name in group), others)


def deepspeed_to_safetensors(source: Path, path: Path, *, trained_only: bool = True) -> list[str]:
    """Convert a DeepSpeed checkpoint to one safetensors file of float32 weights, whole or not at all.

    Parameters
    ----------
    source : Path
        The checkpoint's folder.
    path : Path
        The file to write.
    trained_only : bool
        Leave out the frozen weights, which are those of the backbone.

    Returns
    -------
    list of str
        Names of the weights written, as in the checkpoint.

    Raises
    ------
    DecoderError
        As :func:`read_deepspeed`.
    """
    from safetensors.torch import save_file

    weights = read_deepspeed(source)
    kept = {
        name: tensor.to(torch.float32, copy=True).contiguous()
        for name, tensor in weights.tensors.items()
        if not (trained_only and weights.trained) or name in weights.trained
    }
    with whole_file(path) as temporary:
        save_file(kept, temporary)
    return list(kept)


def split_by_type(entries: Mapping[str, Any]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Tensors by name, and the names of all else."""
    tensors = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    return tensors, tuple(name for name in entries if name not in tensors)


def _dictionary(loaded: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(loaded, Mapping):
        raise DecoderError(
            f"{path} holds a {type(loaded).__name__}, not a dictionary: it is no DeepSpeed checkpoint"
        )
    return loaded


def _load_shards(folder: Path) -> list[list[Tensor]]:
    """Each process' part of each parameter group, in the order of the processes."""
    by_rank: dict[int, Path] = {}
    for path in folder.glob(SHARDS):
        match = SHARD_NAME.fullmatch(path.name)
        if match is None or int(match[2]) != 0:
            raise DecoderError(f"{path} is a shard of tensor-parallel training, which is not read")
        by_rank[int(match[1])] = path
    states = {}
    for rank, path in sorted(by_rank.items()):
        state = _dictionary(load_pickled(path), path).get("optimizer_state_dict")
        if not isinstance(state, Mapping) or "single_partition_of_fp32_groups" not in state:
            raise DecoderError(f"{path} lacks the float32 weights of ZeRO stage 1 or 2")
        states[rank] = state
    counts = next(iter(states.values())).get("partition_count", len(states))
    n_processes = max(counts) if isinstance(counts, list) else int(_plain(counts))
    missing = sorted(set(range(n_processes)) - set(states))
    if missing or len(states) > n_processes:
        what = (
            f"those of processes {missing} are missing" if missing else "some are left of another checkpoint"
        )
        raise DecoderError(
            f"{folder} was saved by {n_processes} processes, but has {len(states)} shards ({SHARDS}): {what}. "
            "Copy the checkpoint again; without any shards its weights are read as the model file has them"
        )
    return [list(states[rank]["single_partition_of_fp32_groups"]) for rank in range(n_processes)]


def _join(shards: list[list[Tensor]], groups: list[dict[str, Any]], *, folder: Path) -> dict[str, Tensor]:
    """Cut the joined vectors of all parameter groups by the parameters' shapes."""
    if any(len(shard) != len(groups) for shard in shards):
        raise DecoderError(
            f"shards in {folder} have {sorted({len(shard) for shard in shards})} parameter groups, "
            f"the model file has {len(groups)}: they are of different checkpoints"
        )
    tensors: dict[str, Tensor] = {}
    for index, shapes in enumerate(groups):
        vector = torch.cat([shard[index].flatten() for shard in shards])
        needed = sum(math.prod(shape) for shape in shapes.values())
        alignment = 2 * len(shards)  # the vector may be padded to a multiple of it
        if not needed <= len(vector) <= alignment * math.ceil(needed / alignment):
            raise DecoderError(
                f"shards in {folder} hold {len(vector):,} numbers for parameter group {index}, "
                f"whose parameters have {needed:,}: one is cut short or of another checkpoint"
            )
        parts = vector[:needed].split([math.prod(shape) for shape in shapes.values()])
        tensors |= {
            name: part.view(tuple(shape)) for (name, shape), part in zip(shapes.items(), parts, strict=True)
        }
    return tensors


def _plain(value: Any) -> Any:
    """The value of an enum that a placeholder stands for."""
    return value.args[0] if isinstance(value, Placeholder) and value.args else value
