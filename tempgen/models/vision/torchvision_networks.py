"""AlexNet, Inception v3 and EfficientNet-B1 of torchvision, at the layers that the published evaluation codes compare.

Sources, read for the layers, weights and normalization: Brain-Diffuser's ``scripts/eval_extract_features.py`` (hooks on
AlexNet's ``features[4]`` and ``features[11]`` and on ``avgpool`` of the others, at 224 x 224), Dynadiff's
``metrics/image_metrics.py``, which follows it, and MindEye2's ``src/final_evaluations.ipynb`` (the same layers by their
names, each network at its own size). ``features.4`` and ``features.11`` are the outputs of the ReLUs behind the second
and the fifth convolution.

The EfficientNet-B1 of Brain-Diffuser and Dynadiff (``weights=True``) has the weights IMAGENET1K_V1, MindEye's (``DEFAULT``)
has IMAGENET1K_V2: two networks here. Inception v3 with published weights shifts the normalized input once more to its own
range (``transform_input``), in all of these codes; so it does here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tempgen.models.vision.published import library, published_file, read_state
from tempgen.models.vision.torch_network import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    HookedNetwork,
    normalizer,
)

__all__ = ["hooked", "open_network"]

IMAGENET_PREPROCESSING = (
    "colours standardized with ImageNet's means (0.485, 0.456, 0.406) and SDs (0.229, 0.224, 0.225)"
)


@dataclass(frozen=True)
class _Published:
    """A builder of torchvision, the weights that it takes and what it needs besides."""

    builder: str
    weights: str
    smallest: int
    options: tuple[tuple[str, Any], ...] = ()


_NETWORKS = {
    "alexnet": _Published("alexnet", "AlexNet_Weights.IMAGENET1K_V1", smallest=63),
    "inception": _Published(
        "inception_v3",
        "Inception_V3_Weights.IMAGENET1K_V1",
        smallest=75,
        options=(("transform_input", True), ("init_weights", False)),
    ),
    "efficientnet": _Published("efficientnet_b1", "EfficientNet_B1_Weights.IMAGENET1K_V1", smallest=32),
    "efficientnet-v2": _Published("efficientnet_b1", "EfficientNet_B1_Weights.IMAGENET1K_V2", smallest=32),
}


def open_network(name: str, device: str | None = None) -> HookedNetwork:
    """One of torchvision's networks with its published weights, which are fetched when first used.

    Parameters
    ----------
    name : {"alexnet", "inception", "efficientnet", "efficientnet-v2"}
    device : str, optional
        By default a GPU where there is one, else the CPU.

    Raises
    ------
    NetworkUnavailableError
        If torchvision or the weights are missing.
    """
    published = _NETWORKS[name]
    models = library("torchvision.models", network=name)
    enum, _, version = published.weights.partition(".")
    state = read_state(published_file(getattr(models, enum)[version].url, network=name), network=name)
    with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
        module = build(name, models)
    module.load_state_dict(state, assign=True)
    return hooked(name, module, weights=f"torchvision {published.weights}", device=device)


def build(name: str, models: Any) -> nn.Module:
    """The module without its weights."""
    published = _NETWORKS[name]
    module: nn.Module = getattr(models, published.builder)(weights=None, **dict(published.options))
    return module


def hooked(name: str, module: nn.Module, *, weights: str, device: str | None = None) -> HookedNetwork:
    """A torchvision module as a network: any module's path is a layer, ``"features.4"`` or ``"avgpool"``."""
    shifted = ", then shifted to Inception's own range" if name == "inception" else ""
    return HookedNetwork(
        name,
        module,
        weights=weights,
        preprocessing=IMAGENET_PREPROCESSING + shifted,
        prepare=normalizer(IMAGENET_MEAN, IMAGENET_STD),
        device=device,
        smallest=_NETWORKS[name].smallest if name in _NETWORKS else 1,
    )
