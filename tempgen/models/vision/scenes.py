"""The package's own small networks, trained on simulated scenes: they judge where no published weights are at hand."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from torch import Tensor

from tempgen.errors import BackboneError, NetworkUnavailableError
from tempgen.models.vision.interface import LABELS
from tempgen.models.vision.torch_network import FunctionNetwork, HookedNetwork, TorchNetwork, resized

__all__ = ["open_network"]

SIDE = 64
"""Pixels of the scenes that both were trained on."""
CLASSIFIER_LAYERS = {"early": "encoder.body.2", "late": "encoder.to_whole", "logits": "readout"}
"""Behind the first stage, at 1/4 of the resolution; what the readout reads; evidence for each category."""
_N_AT_ONCE = 256
_PREPROCESSING = f"bilinear with antialiasing to {SIDE} x {SIDE} pixels where images have another size"


def open_network(name: str, device: str | None = None) -> TorchNetwork:
    """``"scene_classifier"`` (layers ``early``, ``late``, ``logits``) or ``"scene_segmenter"`` (layer ``labels``, 64 x 64).

    Raises
    ------
    NetworkUnavailableError
        If the packaged weights are missing.
    """
    try:
        return _classifier(name, device) if name == "scene_classifier" else _segmenter(name, device)
    except BackboneError as error:
        raise NetworkUnavailableError(f"the network {name!r} cannot be opened: {error}") from error


def _at_training_size(pixels: Tensor) -> Tensor:
    return resized(pixels, SIDE, SIDE)


def _classifier(name: str, device: str | None) -> HookedNetwork:
    from tempgen.models.scene_classifier import PACKAGED, load_scene_classifier

    return HookedNetwork(
        name,
        deepcopy(load_scene_classifier()),  # others hold the same one, perhaps on another device
        layers=CLASSIFIER_LAYERS,
        weights=_identity(PACKAGED),
        preprocessing=_PREPROCESSING,
        prepare=_at_training_size,
        device=device,
        n_at_once=_N_AT_ONCE,
    )


def _segmenter(name: str, device: str | None) -> FunctionNetwork:
    from tempgen.models.scene_segmenter import PACKAGED, load_scene_segmenter

    segmenter = deepcopy(load_scene_segmenter())
    return FunctionNetwork(
        name,
        segmenter,
        functions={LABELS: segmenter.labels},
        weights=_identity(PACKAGED),
        preprocessing=_PREPROCESSING,
        prepare=_at_training_size,
        device=device,
        n_at_once=_N_AT_ONCE,
    )


def _identity(folder: Path) -> str:
    from tempgen.models.backbone.fingerprint import fingerprint

    files = [folder / "config.json", folder / "model.safetensors"]
    return f"tempgen {folder.name}, {fingerprint(folder, files)}"
