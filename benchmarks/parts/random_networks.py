"""Networks of the published metrics with random weights: speed and memory do not depend on weights, scores do.

AlexNet is written out here, layer by layer as torchvision has it (Krizhevsky 2014, arXiv:1404.5997), so that the 139,968
features of AlexNet(2) are there without torchvision; the others are torchvision's modules, where it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tempgen.models.vision import register_network
from tempgen.models.vision.published import library
from tempgen.models.vision.torchvision_networks import build as build_published
from tempgen.models.vision.torchvision_networks import hooked

__all__ = ["CountedNetwork", "register_random"]


class CountedNetwork:
    """A network that counts the images that went through it.

    Raises
    ------
    tempgen.errors.NetworkUnavailableError
        If torchvision is missing and the network is another than AlexNet.
    """

    def __init__(self, name: str, *, device: str) -> None:
        self._network = hooked(name, _random_module(name), weights=f"{name}, random weights", device=device)
        self.name, self.weights = self._network.name, self._network.weights
        self.preprocessing = self._network.preprocessing
        self.n_images = 0

    def features(self, images: NDArray[np.float32], layers: Sequence[str]) -> dict[str, NDArray[Any]]:
        """What the layers say of images, in one pass up to the deepest of them."""
        self.n_images += len(images)
        return self._network.features(images, layers)


def register_random(name: str, *, device: str) -> CountedNetwork:
    """A network with random weights, under the name that the metrics of suites refer to."""
    network = CountedNetwork(name, device=device)
    register_network(name, lambda _: network)
    return network


def _random_module(name: str) -> nn.Module:
    """The same weights each time, spread such that activations keep their scale."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "alexnet":
            module = _alexnet()
        else:
            models = library("torchvision.models", network=name)
            module = models.resnet50(weights=None) if name == "swav" else build_published(name, models)
        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
    return module


def _alexnet() -> nn.Module:
    """AlexNet's convolutions; ``features.4`` is the second one behind its ReLU, ``features.11`` the fifth."""

    def convolution(n_in: int, n_out: int, width: int, **settings: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, width, **settings), nn.ReLU(inplace=True)]

    module = nn.Sequential()
    layers = (
        *convolution(3, 64, 11, stride=4, padding=2),
        nn.MaxPool2d(3, 2),
        *convolution(64, 192, 5, padding=2),
        nn.MaxPool2d(3, 2),
        *convolution(192, 384, 3, padding=1),
        *convolution(384, 256, 3, padding=1),
        *convolution(256, 256, 3, padding=1),
        nn.MaxPool2d(3, 2),
    )
    module.add_module("features", nn.Sequential(*layers))
    return module
