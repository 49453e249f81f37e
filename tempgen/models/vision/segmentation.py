"""What each pixel shows, by a semantic segmentation model of transformers trained on ADE20K's 150 classes.

Dynadiff's code segments with ViT-Adapter (Mask2Former on BEiT v2, trained on COCO-Stuff's 171 classes) at 512 x 512. That
network needs an environment of its own with Python 3.7, so another one stands in for it here, and numbers are not the
paper's: wherever mIoU is shown, the model is named. Default: UperNet on ConvNeXt-B (MIT licence). Any model of transformers'
AutoModelForSemanticSegmentation can take its place, such as microsoft/beit-large-finetuned-ade-640-640 (Apache 2.0): larger,
and of the same family as ViT-Adapter.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision.interface import LABELS
from tempgen.models.vision.published import CONFIG, PREPROCESSOR, hub_folder, library, load_pretrained
from tempgen.models.vision.torch_network import FunctionNetwork, normalizer, resized

__all__ = ["PINNED", "open_network"]

PINNED = "openmmlab/upernet-convnext-base@13a9c410ff779f25236a8d24802d2742e4694e9c"
"""Repository and revision on the hub."""
_FILTERS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_N_AT_ONCE = 4  # 150 maps of 512 x 512 pixels are 157 MB an image


def open_network(name: str = "ade20k", device: str | None = None, chosen: str = PINNED) -> FunctionNetwork:
    """A segmentation network; its one layer ``"labels"`` has a class for each pixel of the images as they come.

    Parameters
    ----------
    name : str
    device : str, optional
        By default a GPU where there is one, else the CPU.
    chosen : str
        Another model, ``REPOSITORY@REVISION`` or a folder. Open it as ``"ade20k:REPOSITORY@REVISION"``.

    Raises
    ------
    NetworkUnavailableError
        If transformers or the model's files are missing.
    """
    full_name = name if chosen == PINNED else f"{name}:{chosen}"
    transformers = library("transformers", network=full_name)
    folder, weights = hub_folder(chosen, network=full_name, needs=(CONFIG, PREPROCESSOR))
    height, width, mode, mean, std = _preprocessing(folder, full_name)
    model: Any = load_pretrained(transformers.AutoModelForSemanticSegmentation, folder, network=full_name)
    if getattr(model, "auxiliary_head", None) is not None:
        model.auxiliary_head = None  # serves training alone
    normalize = normalizer(mean, std)
    kind = torch.uint8 if model.config.num_labels <= 256 else torch.int16

    def labels(pixels: Tensor) -> Tensor:
        """Likeliest classes at the images' size, as ``post_process_semantic_segmentation`` of transformers finds them."""
        logits = model(pixel_values=normalize(resized(pixels, height, width, mode=mode))).logits
        if logits.shape[-2:] != pixels.shape[-2:]:
            logits = functional.interpolate(logits, size=pixels.shape[-2:], mode="bilinear")
        return logits.argmax(dim=1).to(kind)

    return FunctionNetwork(
        full_name,
        model,
        functions={LABELS: labels},
        weights=weights,
        preprocessing=(
            f"{mode} with antialiasing to {height} x {width} pixels, colours standardized with means "
            f"{tuple(mean)} and SDs {tuple(std)}; evidence resized bilinearly to the images' size, the likeliest class taken"
        ),
        device=device,
        n_at_once=_N_AT_ONCE,
    )


def _preprocessing(folder: Path, name: str) -> tuple[int, int, str, list[float], list[float]]:
    """Height, width, filter, means and SDs of preprocessor_config.json. Images are never cropped: labels cover them."""
    path = folder / PREPROCESSOR
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        size = settings["size"]
        if not isinstance(size, dict):
            size = {"height": size, "width": size}
        height = int(size.get("height", size.get("shortest_edge", 0)))
        width = int(size.get("width", height))
        mode = _FILTERS[int(settings.get("resample", 2))]
        mean, std = list(map(float, settings["image_mean"])), list(map(float, settings["image_std"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        height, width, mode, mean, std, reason = 0, 0, "", [], [], f": {error!r}"
    else:
        reason = ""
    if height < 1 or width < 1 or len(mean) != 3 or len(std) != 3 or mode == "nearest":
        raise NetworkUnavailableError(
            f"the network {name!r} cannot be read: {path} does not say how large its images are (size), how they are resized "
            f"(resample 2 or 3) and standardized (image_mean, image_std){reason}. Choose a model that comes with these."
        )
    return height, width, mode, mean, std
