"""The diffusion backbone of an analysis, in memory once, and what it makes of the seen images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempgen.data.store import read_seen_images
from tempgen.errors import ConfigError
from tempgen.workflow.places import Places
from tempgen.workflow.trial_sets import TrialSets

if TYPE_CHECKING:
    from tempgen.decoders.dynadiff import EncodedImages
    from tempgen.models.backbone import Backbone

DIFFUSION_PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate")
"""What the extra ``diffusion`` installs for decoding."""


def device_of(sets: TrialSets) -> str:
    """Where diffusion is computed: as the analysis says, else on a GPU if there is one."""
    import torch

    return sets.analysis.training.device or ("cuda" if torch.cuda.is_available() else "cpu")


def check_installed(packages: Sequence[str] = DIFFUSION_PACKAGES) -> None:
    """Refuse, before anything is computed, what needs packages that are not installed.

    Raises
    ------
    ConfigError
        With the command that installs them.
    """
    from importlib.util import find_spec

    lacking = [name for name in packages if find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"This decoder needs {', '.join(lacking)}, which this installation lacks: pip install 'tempgen[diffusion]'."
        )


def open_backbone(sets: TrialSets) -> Backbone:
    """Load the analysis' backbone.

    Raises
    ------
    BackboneError
        If it is not there and cannot be fetched.
    """
    config = sets.analysis.decoder
    import torch

    from tempgen.models.backbone import load_backbone

    device = device_of(sets)
    source = config.backbone_folder or config.backbone
    precision = config.optimization.mixed_precision if config.kind == "dynadiff" else "no"
    halves = {"bf16": torch.bfloat16, "fp16": torch.float16} if device.startswith("cuda") else {}
    if precision not in halves:
        return load_backbone(source, device=device)
    # On a GPU the UNet is kept as it is used: half the memory, and no cast in each step. What is computed once stays exact.
    backbone = load_backbone(source, device=device, parts=("vae", "image_encoder"))
    backbone.unet = load_backbone(source, device=device, dtype=halves[precision], parts=("unet",)).unet
    return backbone


def check_training_device(device: str | None) -> None:
    """Refuse a device on which Accelerate will not train.

    Raises
    ------
    ConfigError
        If ``training.device`` names another kind of device than Accelerate takes on this machine.
    """
    import torch

    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "y", "on", "t")
    taken = "cuda" if torch.cuda.is_available() and not on_cpu else "cpu"
    if device is not None and not device.startswith(taken):
        raise ConfigError(
            f"training.device is {device}, but Accelerate trains Dynadiff on {taken} here. Leave training.device out; "
            "ACCELERATE_USE_CPU=true keeps it off a GPU, CUDA_VISIBLE_DEVICES or 'accelerate launch' chooses one."
        )


def encoded_seen_images(
    sets: TrialSets, backbone: Backbone, image_ids: NDArray[np.int64], *, with_tokens: bool
) -> EncodedImages:
    """VAE moments (and true tokens) of seen images, computed once for all lags and kept beside the store."""
    from tempgen.decoders.dynadiff import encode_images

    return encode_images(
        backbone,
        image_ids,
        lambda ids: read_seen_images(sets.store, ids),
        folder=Places(sets.analysis).encoded,
        source=str(sets.store.attrs["fingerprint"]),
        with_tokens=with_tokens,
    )
