"""DreamSim's ensemble, whose embeddings' cosine distance follows people's judgements of similarity.

Source: Fu et al. 2023, arXiv:2306.09344, and its package dreamsim (MIT licence), version 0.2.1. The package's last release
is of October 2024, so tempgen does not depend on it: it is used where the user installed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision.published import fetch_command, library
from tempgen.models.vision.torch_network import FunctionNetwork, resized

__all__ = ["open_network"]

KIND = "ensemble"
"""DINO ViT-B/16, CLIP ViT-B/16 and OpenCLIP ViT-B/16, each fine-tuned. Source: the package's default, as Dynadiff uses it."""
SIDE = 224
"""Pixels. Source: the package's preprocessing, bicubic to 224 x 224."""


def open_network(name: str = "dreamsim", device: str | None = None) -> FunctionNetwork:
    """DreamSim; its one layer ``"embedding"`` is centred and of length 1, so that 1 - a dot product is the distance.

    Raises
    ------
    NetworkUnavailableError
        If the package or its weights are missing.
    """
    package = library("dreamsim", network=name, command="pip install dreamsim")
    with _torch_hub_as_it_was() as hub:
        folder = hub / "dreamsim"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # on the CPU first: the network below moves it
            model: Any = package.dreamsim(
                pretrained=True,
                device="cpu",
                cache_dir=str(folder),
                dreamsim_type=KIND,
                normalize_embeds=True,
            )[0]
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise NetworkUnavailableError(
                f"the network {name!r} needs DreamSim's weights ({KIND}) in {folder} and could not get them "
                f"({type(error).__name__}: {next(iter(str(error).splitlines()), '')}). With a connection: {fetch_command(name)}"
            ) from error

    def embedding(pixels: Tensor) -> Tensor:
        embedded: Tensor = model.embed(resized(pixels, SIDE, SIDE, mode="bicubic"))
        return embedded

    return FunctionNetwork(
        name,
        model,
        functions={"embedding": embedding},
        weights=f"dreamsim {_version()} {KIND}",
        preprocessing=f"bicubic with antialiasing to {SIDE} x {SIDE} pixels where images have another size",
        device=device,
    )


def _version() -> str:
    try:
        return version("dreamsim")
    except PackageNotFoundError:  # a copy on the path, not installed
        return "unknown"


@contextmanager
def _torch_hub_as_it_was() -> Iterator[Path]:
    """Torch's hub folder, put back afterwards: the package moves it for the whole program."""
    before = torch.hub.get_dir()
    try:
        yield Path(before)
    finally:
        torch.hub.set_dir(before)
