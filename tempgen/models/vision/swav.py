"""ResNet-50 as SwAV trained it: torchvision's module with the weights that facebookresearch/swav published.

Source: ``hubconf.py`` of github.com/facebookresearch/swav, which Brain-Diffuser, MindEye and Dynadiff load by ``torch.hub``
and hook at ``avgpool``. It takes ``module.`` off the names and skips what does not fit; here what is skipped is listed, and
anything else that does not fit is an error.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision.published import library, published_file, read_state, sha256_of
from tempgen.models.vision.torch_network import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    HookedNetwork,
    normalizer,
)
from tempgen.models.vision.torchvision_networks import IMAGENET_PREPROCESSING

__all__ = ["open_network", "resnet_state"]

URL = "https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar"
"""ResNet-50 after 800 epochs. Source: hubconf.py of facebookresearch/swav."""
IGNORED_HEADS = ("projection_head.", "prototypes.")
"""Parts that only SwAV's training used; they lie behind ``avgpool``."""


def open_network(name: str = "swav", device: str | None = None) -> HookedNetwork:
    """SwAV's ResNet-50; any module's path is a layer, ``"avgpool"`` the one that is compared.

    Raises
    ------
    NetworkUnavailableError
        If torchvision or the weight file is missing, or the file does not fit.
    """
    models = library("torchvision.models", network=name)
    path = published_file(URL, network=name)
    state = resnet_state(read_state(path, network=name))
    with torch.device("meta"):
        module: nn.Module = models.resnet50(weights=None)
    module.fc = nn.Identity()  # SwAV has no classes
    fitted = module.load_state_dict(state, strict=False, assign=True)
    if fitted.missing_keys or fitted.unexpected_keys:
        wrong = [*fitted.missing_keys, *fitted.unexpected_keys]
        raise NetworkUnavailableError(
            f"the network {name!r} cannot be read from {path}: it does not have a ResNet-50's weights ({', '.join(wrong[:3])}). "
            f"Remove the file; it is fetched from {URL} when next used."
        )
    return HookedNetwork(
        name,
        module,
        # the file's name holds no hash, so it is identified by its contents
        weights=f"facebookresearch/swav {path.name}, sha256 {sha256_of(path)[:16]}",
        preprocessing=IMAGENET_PREPROCESSING,
        prepare=normalizer(IMAGENET_MEAN, IMAGENET_STD),
        device=device,
        smallest=32,
    )


def resnet_state(published: dict[str, Any]) -> dict[str, Any]:
    """Weights under torchvision's names, without `IGNORED_HEADS`.

    Examples
    --------
    >>> list(resnet_state({"module.conv1.weight": 0, "module.prototypes.weight": 1}))
    ['conv1.weight']
    """
    named = {key.removeprefix("module."): value for key, value in published.items()}
    return {key: value for key, value in named.items() if not key.startswith(IGNORED_HEADS)}
