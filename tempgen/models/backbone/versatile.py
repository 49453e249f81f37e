"""Versatile Diffusion's image half: plain image UNet, VAE, scheduler and CLIP's tokens of all patches."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tempgen.errors import BackboneError
from tempgen.models.backbone.hub_format import HUB_PARTS, SCHEDULER_FOLDER, read_json
from tempgen.models.backbone.interface import Backbone, BackboneSpec, check_images

REPOSITORY = "shi-labs/versatile-diffusion"
# The revision whose weights the released decoders of Dynadiff were trained on (arXiv 2505.14556 and its code).
REVISION = "2926f8e11ea526b562cd592b099fcf9c2985d0b7"

# Noise schedule that Versatile Diffusion was trained with: arXiv 2211.08332, and the conversion script in diffusers.
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
# Of a VAE whose configuration is older than this key: Stable Diffusion 1's, as diffusers assumes too.
SCALING_FACTOR = 0.18215
# What a CLIP configuration means that does not say it (transformers.CLIPVisionConfig).
CLIP_DEFAULTS = {"projection_dim": 512, "image_size": 224, "patch_size": 32}
# Mean and standard deviation of the images that CLIP was trained on (arXiv 2103.00020, its preprocessing).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class VersatileBackbone(Backbone):
    """Versatile Diffusion without its text half (reference: Xu et al. 2023, arXiv 2211.08332)."""

    @torch.no_grad()
    def tokens(self, images: Tensor) -> Tensor:
        """Projected CLIP embeddings of an image's class token and patches, as Versatile Diffusion was trained on.

        The last hidden states of all tokens are layer-normalized and projected, then divided by the length of the
        projected class token, so that token 0 has length 1.

        Parameters
        ----------
        images : Tensor, shape (n, 3, height, width)
            In [0, 1]; resized for CLIP by `clip_pixels`.

        Returns
        -------
        Tensor, shape (n, n_tokens, token_dim)
            float32; 257 x 768 at full size.

        Raises
        ------
        BackboneError
            If the images have another shape, or the image encoder was not loaded.
        """
        encoder = self._loaded("image_encoder")
        check_images(images)
        weight = encoder.visual_projection.weight
        pixels = clip_pixels(images, side=encoder.config.image_size).to(weight.device, weight.dtype)
        states = encoder.vision_model(pixel_values=pixels).last_hidden_state
        projected = encoder.visual_projection(encoder.vision_model.post_layernorm(states)).float()
        return projected / projected[:, :1].norm(dim=-1, keepdim=True)


def clip_pixels(images: Tensor, *, side: int) -> Tensor:
    """Images as CLIP takes them: short side resized (bicubic, antialiased), centre cropped, standardized.

    torch alone; equals transformers' preprocessing of 8-bit images up to their rounding to bytes.

    Parameters
    ----------
    images : Tensor, shape (n, 3, height, width)
        In [0, 1].
    side : int
        Side of CLIP's images, in pixels (224 for ViT-L/14).

    Returns
    -------
    Tensor, shape (n, 3, side, side)
        float32.
    """
    height, width = images.shape[-2:]
    short = min(height, width)
    size = (side * height // short, side * width // short)
    pixels = images.float()
    if size != (height, width):
        pixels = functional.interpolate(
            pixels, size=size, mode="bicubic", antialias=True, align_corners=False
        )
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    pixels = pixels[..., top : top + side, left : left + side].clamp(0, 1)  # bicubic overshoots at edges
    mean, std = (
        torch.tensor(values, device=pixels.device).reshape(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD)
    )
    return (pixels - mean) / std


def versatile_spec(folder: Path, *, revision: str) -> BackboneSpec:
    """Sizes of the backbone from its parts' configurations, whether their weights are there or not.

    Raises
    ------
    BackboneError
        If the parts don't fit each other: latents of the VAE, tokens of the image encoder, against the UNet.
    """
    unet, vae, encoder = (
        read_json(folder / HUB_PARTS[part].subfolder / "config.json")
        for part in ("unet", "vae", "image_encoder")
    )
    encoder = {**CLIP_DEFAULTS, **encoder}
    try:
        channels, latent_side = int(unet["in_channels"]), int(unet["sample_size"])
        token_dim = int(unet["cross_attention_dim"])
        vae_channels, n_halvings = int(vae["latent_channels"]), len(vae["block_out_channels"]) - 1
        projection = int(encoder["projection_dim"])
        patches = int(encoder["image_size"]) // int(encoder["patch_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise BackboneError(
            f"a configuration in {folder} lacks or misstates {error}; needed are those of an image UNet, "
            "a VAE and a CLIP image encoder. Fetch the backbone again."
        ) from error
    if vae_channels != channels:
        raise BackboneError(
            f"the VAE in {folder} makes latents of {vae_channels} channels and the UNet takes {channels}. "
            "Use parts of one backbone."
        )
    if projection != token_dim:
        raise BackboneError(
            f"the image encoder in {folder} makes tokens of {projection} values and the UNet takes {token_dim}. "
            "Use parts of one backbone."
        )
    return BackboneSpec(
        name="versatile-diffusion",
        image_size=latent_side * 2**n_halvings,
        latent_shape=(channels, latent_side, latent_side),
        n_tokens=patches**2 + 1,
        token_dim=token_dim,
        revision=revision,
    )


def latent_scale(folder: Path) -> float:
    """Scale from the VAE's latents to the UNet's, from the VAE's configuration."""
    return float(
        read_json(folder / HUB_PARTS["vae"].subfolder / "config.json").get("scaling_factor", SCALING_FACTOR)
    )


def load_scheduler(folder: Path, *, defaults: Mapping[str, Any] = SCHEDULER) -> Any:
    """A DDIM scheduler with the noise schedule of the training.

    The folder's ``scheduler/scheduler_config.json`` counts, whichever diffusers scheduler it was saved by; what it does
    not say is taken from ``defaults`` (`SCHEDULER`), not from diffusers' own.

    Raises
    ------
    BackboneError
        If the folder says that the UNet predicts something else than the noise (epsilon).
    """
    from diffusers import DDIMScheduler

    path = folder / SCHEDULER_FOLDER / "scheduler_config.json"
    stated = read_json(path) if path.is_file() else {}
    known = inspect.signature(DDIMScheduler.__init__).parameters
    settings = {**defaults, **{key: value for key, value in stated.items() if key in known}}
    if settings["prediction_type"] != "epsilon":
        raise BackboneError(
            f"{path} says prediction_type {settings['prediction_type']!r}; needed is a UNet that predicts 'epsilon'."
        )
    return DDIMScheduler(**settings)
