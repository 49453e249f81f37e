"""The sizes of Versatile Diffusion, on the meta device."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tempgen import models as models  # before diffusers
from tempgen.models.backbone import load_backbone


def save_full_size_configurations(folder: Path) -> None:
    """Configurations of the hub's image UNet, VAE and CLIP ViT-L/14, without weights."""
    configurations = {
        "image_unet": {
            "sample_size": 64,
            "in_channels": 4,
            "out_channels": 4,
            "layers_per_block": 2,
            "block_out_channels": [320, 640, 1280, 1280],
            "attention_head_dim": 8,
            "cross_attention_dim": 768,
            "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
            "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
        },
        "vae": {
            "latent_channels": 4,
            "layers_per_block": 2,
            "block_out_channels": [128, 256, 512, 512],
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
        },
        "image_encoder": {"projection_dim": 768, "image_size": 224, "patch_size": 14},
    }
    for name, configuration in configurations.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(configuration))


def n_millions(module: torch.nn.Module) -> float:
    return round(sum(parameter.numel() for parameter in module.parameters()) / 1e6, 1)


def test_full_size_parts_have_the_papers_parameter_counts(tmp_path: Path) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    save_full_size_configurations(tmp_path)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(tmp_path / "image_unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(tmp_path / "vae"))

    assert n_millions(unet) == 859.5
    assert n_millions(vae) == 83.7
    assert vae.config.scaling_factor == 0.18215


def test_full_size_spec_is_the_papers(tmp_path: Path) -> None:
    save_full_size_configurations(tmp_path)

    spec = load_backbone(tmp_path, parts=()).spec

    assert (spec.image_size, spec.latent_shape) == (512, (4, 64, 64))
    assert (spec.n_tokens, spec.token_dim) == (257, 768)
