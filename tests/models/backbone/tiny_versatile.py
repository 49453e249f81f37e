"""A tiny random Versatile Diffusion in the hub's format: its subfolders, its file names, its configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tempgen import models as models  # before diffusers and transformers

N_TOKENS = 17
TOKEN_DIM = 12
UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 1,
    "block_out_channels": (8, 16),
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "cross_attention_dim": TOKEN_DIM,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
# Names of the VAE's attention weights before diffusers 0.12, in which the hub's files were saved.
OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def tiny_parts(seed: int = 0) -> dict[str, Any]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        norm_num_groups=2,
        latent_channels=4,
        sample_size=16,
    )
    clip = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=20,
        projection_dim=TOKEN_DIM,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=4,
    )
    encoder = CLIPVisionModelWithProjection(clip)
    with torch.no_grad():  # as saved, norms are the identity: make their absence visible
        for norm in (encoder.vision_model.post_layernorm, encoder.vision_model.pre_layrnorm):
            norm.weight.normal_(1, 0.3)
            norm.bias.normal_(0, 0.3)
    parts = {"vae": vae, "unet": UNet2DConditionModel(**UNET), "image_encoder": encoder}
    return {name: part.eval() for name, part in parts.items()}


def save_tiny_versatile(
    folder: Path, *, safe: bool = True, old_vae_names: bool = False, seed: int = 0
) -> dict:
    """Save tiny parts as the hub has them; returns the parts."""
    parts = tiny_parts(seed)
    parts["unet"].save_pretrained(folder / "image_unet", safe_serialization=safe)
    parts["vae"].save_pretrained(folder / "vae", safe_serialization=safe)
    parts["image_encoder"].save_pretrained(folder / "image_encoder")
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.parent.mkdir()
    scheduler.write_text(
        json.dumps({"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012})
    )
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "VersatileDiffusionPipeline"}))
    if old_vae_names:
        state = {old_name(name): value for name, value in parts["vae"].state_dict().items()}
        config = json.loads((folder / "vae" / "config.json").read_text())
        del config["scaling_factor"]  # newer than the hub's configuration
        (folder / "vae" / "config.json").write_text(json.dumps(config))
        save_weights(folder / "vae", "diffusion_pytorch_model", state, safe=safe)
    if not safe:  # transformers saves nothing but safetensors any more
        state = dict(parts["image_encoder"].state_dict())
        # Older transformers saved these indices too.
        state["vision_model.embeddings.position_ids"] = torch.arange(N_TOKENS)[None]
        (folder / "image_encoder" / "model.safetensors").unlink()
        torch.save(state, folder / "image_encoder" / "pytorch_model.bin")
    return parts


def old_name(name: str) -> str:
    if ".attentions." in name:
        for new, old in OLD_ATTENTION.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name


def save_weights(folder: Path, stem: str, state: dict[str, torch.Tensor], *, safe: bool) -> None:
    from safetensors.torch import save_file

    if safe:
        save_file({name: value.contiguous() for name, value in state.items()}, folder / f"{stem}.safetensors")
    else:
        torch.save(state, folder / f"{stem}.bin")
