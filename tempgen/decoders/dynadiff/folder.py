"""The folder of a Dynadiff decoder: config.json, model.safetensors and a model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tempgen._version import __version__
from tempgen.config import differences, validate
from tempgen.config.dynadiff import DynadiffConfig
from tempgen.decoders.dynadiff.card import dynadiff_card
from tempgen.errors import ConfigError, DecoderError
from tempgen.files import whole_folder
from tempgen.models.backbone import BackboneSpec
from tempgen.models.brain_module import BrainModule

DECODER_FORMAT = 1
"""Changes when an older decoder folder can no longer be read."""
WEIGHTS = "model.safetensors"
BRAIN_MODULE, ADAPTER, NULL = "brain_module.", "adapter.", "null_embedding"


@dataclass(frozen=True)
class DecoderFolder:
    """What a decoder's folder holds.

    Attributes
    ----------
    n_voxels : mapping of str to int
        Subjects that the brain module has layers for.
    backbone : BackboneSpec
        What the decoder was trained on.
    brain_module, adapter : mapping of name to Tensor
    """

    config: DynadiffConfig
    subject: str
    n_voxels: Mapping[str, int]
    n_tr: int
    backbone: BackboneSpec
    brain_module: Mapping[str, Tensor]
    adapter: Mapping[str, Tensor]
    null_embedding: Tensor
    provenance: dict[str, Any]

    def check_backbone(self, spec: BackboneSpec) -> None:
        """Refuse a backbone on which the decoder was not trained.

        Raises
        ------
        DecoderError
            With the differences.
        """
        different = differences(_plain(self.backbone), _plain(spec))
        if different:
            raise DecoderError(
                "the decoder was trained on another backbone (its own -> the one given):\n"
                + "\n".join(f"  - {line}" for line in different)
                + f"\nGive it {self.backbone.name} of revision {self.backbone.revision}, or train it again."
            )

    def new_brain_module(self) -> BrainModule:
        """A brain module with the stored weights.

        Raises
        ------
        DecoderError
            If the weights do not fit the configuration.
        """
        with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
            module = BrainModule(
                self.config.brain_module,
                n_voxels=self.n_voxels,
                n_tr=self.n_tr,
                n_tokens=self.backbone.n_tokens,
                token_dim=self.backbone.token_dim,
            )
        try:
            module.load_state_dict(dict(self.brain_module), strict=True, assign=True)
        except RuntimeError as error:
            raise DecoderError(f"the brain module's weights do not fit its configuration: {error}") from error
        return module


def write_folder(folder: Path, content: DecoderFolder) -> None:
    """Write a decoder's folder, whole or not at all.

    Raises
    ------
    DecoderError
        If it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    spec = content.backbone
    config = {
        "kind": "dynadiff",
        "format": DECODER_FORMAT,
        "tempgen_version": __version__,
        "params": content.config.model_dump(mode="json"),
        "subject": content.subject,
        "shape": {"n_tr": content.n_tr, "n_voxels": dict(content.n_voxels)},
        "backbone": _plain(spec),
        "provenance": content.provenance,
    }
    tensors = {
        **{BRAIN_MODULE + name: tensor for name, tensor in content.brain_module.items()},
        **{ADAPTER + name: tensor for name, tensor in content.adapter.items()},
        NULL: content.null_embedding,
    }
    try:
        with whole_folder(folder) as temporary:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                temporary / WEIGHTS,
                metadata={"format": "pt"},
            )
            (temporary / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            (temporary / "README.md").write_text(dynadiff_card(config), encoding="utf-8")
    except (OSError, SafetensorError) as error:  # a full disk comes as either
        raise DecoderError(
            f"could not save the decoder to {folder} ({error}): what was there is as it was, and checkpoints of its training "
            "are kept. Make room there (or see who may write), then the same command goes on"
        ) from error


def read_folder(folder: Path) -> DecoderFolder:
    """Read what `write_folder` wrote, tensors on the CPU.

    Raises
    ------
    DecoderError
        If the folder or a file is missing or damaged, or another format wrote it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if (config.get("kind"), config.get("format")) != ("dynadiff", DECODER_FORMAT):
            raise DecoderError(
                f"{folder} holds a {config.get('kind')} decoder of format {config.get('format')}; "
                f"needed is dynadiff of format {DECODER_FORMAT}. Train it again."
            )
        tensors = load_file(folder / WEIGHTS)
        return DecoderFolder(
            config=validate(DynadiffConfig, config["params"], origin=str(folder / "config.json")),
            subject=config["subject"],
            n_voxels=config["shape"]["n_voxels"],
            n_tr=config["shape"]["n_tr"],
            backbone=_spec(config["backbone"]),
            brain_module=_below(tensors, BRAIN_MODULE),
            adapter=_below(tensors, ADAPTER),
            null_embedding=tensors[NULL],
            provenance=config["provenance"],
        )
    except (OSError, json.JSONDecodeError, SafetensorError, KeyError, TypeError, ConfigError) as error:
        raise DecoderError(f"{folder} is no Dynadiff decoder: {error}. Train it again.") from error


def _plain(spec: BackboneSpec) -> dict[str, Any]:
    return {**asdict(spec), "latent_shape": list(spec.latent_shape)}


def _spec(values: Mapping[str, Any]) -> BackboneSpec:
    return BackboneSpec(**{**values, "latent_shape": tuple(values["latent_shape"])})


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
