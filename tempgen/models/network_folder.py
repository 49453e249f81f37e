"""A small network as a folder: its configuration, and its weights in half precision."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tempgen.errors import BackboneError

Network = TypeVar("Network", bound=nn.Module)
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_network(module: nn.Module, config: Mapping[str, Any], folder: Path) -> None:
    """Write config.json and half-precision weights into an empty folder."""
    halves = {name: tensor.half().contiguous() for name, tensor in module.state_dict().items()}
    save_file(halves, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_network(folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and float32 weights of a folder; errors as of its files, which the caller knows how to name."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return config, {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}


def load_frozen(folder: Path, build: Callable[[Any], Network], *, named: str) -> Network:
    """The network in a folder with its weights, frozen and in evaluation mode.

    Parameters
    ----------
    build : callable
        Makes the network, without weights, of the folder's configuration.
    named : str
        What the folder should hold, for the message.

    Raises
    ------
    BackboneError
        If a file is missing or does not fit the others.
    """
    try:
        config, state = read_network(folder)
        network = build(config)
        network.load_state_dict(state)
    except (OSError, KeyError, TypeError, ValueError, SafetensorError, RuntimeError) as error:
        raise BackboneError(
            f"{folder} holds no {named}: {error}. Make one with 'tempgen pretrain-scenes', or install tempgen again."
        ) from error
    return network.requires_grad_(False).eval()
