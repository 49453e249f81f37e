"""A small network as a folder: its configuration, and its weights in half precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

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
