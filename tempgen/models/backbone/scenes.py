"""The embedded backbone: diffusers' own classes at a size that two CPU cores train and sample, on procedural scenes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from tempgen.errors import BackboneError
from tempgen.models.backbone.fingerprint import fingerprint
from tempgen.models.backbone.interface import Backbone, BackboneSpec, check_images
from tempgen.models.network_folder import read_network, save_network
from tempgen.models.scene_encoder import SceneEncoder

NAME = "scenes"
UNSHUFFLE = 8
"""Pixels a side that become channels before the VAE: it works at 8 x 8. Source: house choice, 6 times the speed of 16 x 16."""
CONFIG, LINEAR, ENCODER = "backbone.json", "linear.safetensors", "image_encoder"


class ScenesBackbone(Backbone):
    """A latent diffusion model of 64 x 64 scenes; see the model card beside its weights.

    The VAE sees blocks of 8 x 8 pixels as 192 channels, rotated and scaled to the principal components of the scenes' blocks
    (``patch_basis``): a linear map without loss that lets a small VAE learn quickly.

    Parameters
    ----------
    patch_mean, patch_basis : Tensor, shape (192,), (192, 192)
        Mean of the blocks, and the matrix that takes a centred block to the VAE's channels.
    token_readout : Tensor, shape (16, 96, 96)
        For each place of the grid, the linear map from its token to the latents there; see :func:`arguments_of`.
    """

    token_readout: Tensor

    def __init__(
        self,
        spec: BackboneSpec,
        *,
        patch_mean: Tensor,
        patch_basis: Tensor,
        token_readout: Tensor,
        **parts: Any,
    ) -> None:
        super().__init__(spec, **parts)
        self.register_buffer("token_readout", token_readout.float(), persistent=False)
        # Not buffers: `.to(bfloat16)` would round them.
        self._mean, self._basis = patch_mean.float(), patch_basis.float()
        self._inverse = torch.linalg.inv(self._basis)
        for part in (self.unet, self.vae):
            if part is not None:
                part.to(memory_format=torch.channels_last)
        if self.unet is not None:
            use_plain_attention(self.unet)

    def to_vae(self, images: Tensor) -> Tensor:
        """Blocks of pixels as channels, rotated: (n, 3, 64, 64) in [0, 1] -> (n, 192, 8, 8)."""
        return rotate(
            functional.pixel_unshuffle(images * 2 - 1, UNSHUFFLE), mean=self._mean, basis=self._basis
        )

    def from_vae(self, decoded: Tensor) -> Tensor:
        """The way back: (n, 192, 8, 8) -> (n, 3, 64, 64)."""
        blocks = rotate_back(decoded, mean=self._mean, inverse=self._inverse)
        return functional.pixel_shuffle(blocks, UNSHUFFLE) / 2 + 0.5

    def unet_arguments(self, latents: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """Tokens for the cross-attention; the whole's also beside the timestep, the grid's as latents beside the noisy ones."""
        return arguments_of(latents, tokens, self.token_readout)

    @torch.no_grad()
    def tokens(self, images: Tensor) -> Tensor:
        """Standardized tokens, float32 (n, 17, 96): of the whole image, then of a 4 x 4 grid in reading order.

        Raises
        ------
        BackboneError
            If the images are no squares in [0, 1], or the image encoder was not loaded.
        """
        encoder = self._loaded("image_encoder")
        check_images(images, square=True)
        side, device = self.spec.image_size, encoder.token_mean.device
        pixels = images.to(device).float()
        if images.shape[-1] != side:
            pixels = functional.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
        tokens: Tensor = encoder(pixels.clamp(0, 1).to(next(encoder.parameters()).dtype)).float()
        return tokens


def arguments_of(latents: Tensor, tokens: Tensor, readout: Tensor) -> dict[str, Tensor]:
    """What the UNet of scenes is called with.

    Cross-attention alone is slow to learn which token belongs to which place. So the UNet also sees, as channels beside the
    noisy latents, the latents that can be read linearly from each token: zero where there are no tokens, faint where they
    were shrunk for want of evidence.

    Parameters
    ----------
    latents : Tensor, shape (n, channels, height, width)
        Noisy.
    tokens : Tensor, shape (n, 1 + n_places, token_dim)
        Of the whole image, then of a square grid of places in reading order.
    readout : Tensor, shape (n_places, token_dim, values of a place's latents)
        See :func:`tempgen.training.scenes.inputs.fit_readout`.
    """
    read = torch.einsum("npt,ptv->nvp", tokens[:, 1:], readout.to(tokens.dtype))
    grid_side, within = grid_sides(n_places=len(readout), side=latents.shape[-1])
    placed = functional.pixel_shuffle(read.unflatten(2, (grid_side, grid_side)), within).to(latents.dtype)
    sample = torch.cat([latents, placed], dim=1).contiguous(memory_format=torch.channels_last)
    return {"sample": sample, "encoder_hidden_states": tokens, "class_labels": tokens[:, 0]}


def grid_sides(*, n_places: int, side: int) -> tuple[int, int]:
    """Places a side of a square grid, and latents a side of each place, for latents of ``side``."""
    grid_side = math.isqrt(n_places)
    return grid_side, side // grid_side


def rotate(blocks: Tensor, *, mean: Tensor, basis: Tensor) -> Tensor:
    """Channels in another basis: (n, channels, height, width), ``(x - mean) @ basis`` at each place."""
    moved = (blocks.movedim(1, -1) - mean.to(blocks)) @ basis.to(blocks)
    return moved.movedim(-1, 1)


def rotate_back(rotated: Tensor, *, mean: Tensor, inverse: Tensor) -> Tensor:
    """What :func:`rotate` was given."""
    return (rotated.movedim(1, -1) @ inverse.to(rotated) + mean.to(rotated)).movedim(-1, 1)


def use_plain_attention(unet: nn.Module) -> None:
    """Attention as matrix products: with few channels a head, the fused kernel's backward takes half of a CPU step."""
    from diffusers.models.attention_processor import AttnProcessor

    unet.set_attn_processor(AttnProcessor())  # type: ignore[operator]


def load_scenes(folder: Path, *, parts: tuple[str, ...], dtype: torch.dtype | None) -> ScenesBackbone:
    """The backbone in a folder that ``tempgen pretrain-scenes`` wrote; by default the packaged one.

    Raises
    ------
    BackboneError
        If a file is missing or does not fit the others.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        linear = load_file(folder / LINEAR)
        chosen = {"torch_dtype": dtype or torch.float32}
        unet = (
            UNet2DConditionModel.from_pretrained(folder, subfolder="image_unet", **chosen)
            if "unet" in parts
            else None
        )
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", **chosen) if "vae" in parts else None
        scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
        encoder = load_scene_encoder(folder) if "image_encoder" in parts else None
        spec = BackboneSpec(
            name=NAME,
            image_size=int(config["image_size"]),
            latent_shape=tuple(config["latent_shape"]),
            n_tokens=int(config["n_tokens"]),
            token_dim=int(config["token_dim"]),
            revision=fingerprint(folder, weight_files(folder)),
        )
        return ScenesBackbone(
            spec,
            patch_mean=linear["patch_mean"],
            patch_basis=linear["patch_basis"],
            token_readout=linear["token_readout"],
            latent_scale=linear["latent_scale"],
            latent_shift=linear["latent_shift"],
            scheduler=scheduler,
            unet=unet,
            vae=vae,
            image_encoder=encoder,
        )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError, RuntimeError) as error:
        raise BackboneError(
            f"{folder} is no scenes backbone: {error}. Make one with 'tempgen pretrain-scenes', or install tempgen again."
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """Configurations and weights of a backbone's folder: what its identity depends on."""
    return [path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors")]


def load_scene_encoder(folder: Path) -> SceneEncoder:
    """The image encoder alone, from the folder of a backbone; errors as its files raise them."""
    config, state = read_network(folder / ENCODER)
    encoder = SceneEncoder(**{**config, "channels": tuple(config["channels"])})
    encoder.load_state_dict(state)
    return encoder


def save_scene_encoder(encoder: SceneEncoder, folder: Path) -> None:
    """Write the image encoder in half precision into the folder of a backbone."""
    (folder / ENCODER).mkdir()
    save_network(encoder, encoder.config, folder / ENCODER)
