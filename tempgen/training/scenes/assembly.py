"""The folders that pretraining ends in: the backbone and its judges, in half precision, as the package has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

from tempgen._version import __version__
from tempgen.data.scenes import BACKGROUNDS, CATEGORIES
from tempgen.files import whole_folder
from tempgen.models.backbone.scenes import CONFIG, LINEAR, NAME, save_scene_encoder
from tempgen.models.scene_classifier import SceneClassifier, save_scene_classifier
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.models.scene_segmenter import save_scene_segmenter
from tempgen.training.scenes.autoencoder import PatchBasis
from tempgen.training.scenes.denoiser import make_scheduler
from tempgen.training.scenes.encoder import EncoderModule
from tempgen.training.scenes.segmenter import SegmenterModule


@torch.no_grad()
def write_backbone(
    folder: Path,
    *,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    encoder: SceneEncoder,
    basis: PatchBasis,
    inputs: Mapping[str, Tensor],
    story: Mapping[str, Any],
) -> None:
    """Write a backbone's folder, whole or not at all.

    Parameters
    ----------
    folder : Path
    unet, vae, encoder : module
        Trained; the first two are halved in place.
    basis : PatchBasis
    inputs : mapping of str to Tensor
        What :func:`~tempgen.training.scenes.inputs.unet_inputs` gave.
    story : mapping
        How it was trained: plain values for ``backbone.json``.
    """
    encoder.token_mean.copy_(inputs["token_mean"])
    encoder.token_scale.copy_(inputs["token_scale"])
    linear = {
        "patch_mean": basis.mean,
        "patch_basis": basis.basis,
        "latent_shift": inputs["latent_shift"],
        "latent_scale": inputs["latent_scale"],
        "token_readout": inputs["token_readout"].half(),
    }
    description = {
        "name": NAME,
        "image_size": 64,
        "latent_shape": list(inputs["latents"].shape[1:]),
        "n_tokens": inputs["tokens"].shape[1],
        "token_dim": inputs["tokens"].shape[2],
        "tempgen_version": __version__,
        **story,
    }
    with whole_folder(folder) as temporary:
        unet.half().save_pretrained(temporary / "image_unet")
        vae.half().save_pretrained(temporary / "vae")
        make_scheduler().save_pretrained(temporary / "scheduler")
        save_scene_encoder(encoder, temporary)
        save_file({name: tensor.contiguous() for name, tensor in linear.items()}, temporary / LINEAR)
        (temporary / CONFIG).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def write_classifier(folder: Path, module: EncoderModule) -> None:
    """Write the classifier's body and, of its readouts, that of the categories; whole or not at all."""
    first = len(BACKGROUNDS)
    rows = slice(first, first + len(CATEGORIES))
    classifier = SceneClassifier(module.encoder, CATEGORIES)
    classifier.readout.weight.copy_(module.read_content.weight[rows])
    classifier.readout.bias.copy_(module.read_content.bias[rows])
    with whole_folder(folder) as temporary:
        save_scene_classifier(classifier, temporary)


def write_segmenter(folder: Path, module: SegmenterModule) -> None:
    """Write the segmentation network; whole or not at all."""
    with whole_folder(folder) as temporary:
        save_scene_segmenter(module.segmenter, temporary)
