"""The VAE of the scenes backbone: from 8 x 8 blocks of pixels to 24 values each, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tempgen.config.optimization import OptimizationConfig
from tempgen.models.backbone.scenes import UNSHUFFLE, rotate, rotate_back
from tempgen.models.keyed_noise import keyed_normal
from tempgen.training.scenes.linear_start import N_GROUPS, read_as_pairs, write_from_pairs
from tempgen.training.scenes.pictures import Pictures

LATENT_CHANNELS = 24
"""Of the 192 values of a block. Source: measured; 16 lose the outlines of small objects."""
CHANNELS = 64
"""Of the VAE's layers. Source: house choice; 96 gave 0.1 dB more for twice the weights."""
KL_WEIGHT = 1e-6
"""Source: Rombach et al. 2022 (latent diffusion), KL-regularized autoencoders."""
GRADIENT_WEIGHT = 0.5
"""Of the error of differences between neighbouring pixels: sharp outlines. Source: house choice."""
FIRST_LOGVAR = -6.0
"""Latents start nearly without noise: with unit noise the VAE learns little in its first minutes. Source: measured."""


@dataclass(frozen=True)
class PatchBasis:
    """Principal components of 8 x 8 blocks of pixels in [-1, 1], each scaled to variance 1, ascending.

    Attributes
    ----------
    mean : Tensor, shape (192,)
    basis : Tensor, shape (192, 192)
        A centred block times this is the VAE's input.
    """

    mean: Tensor
    basis: Tensor

    @classmethod
    def of(cls, pictures: Pictures, *, n_scenes: int = 3000) -> PatchBasis:
        """Of the first scenes."""
        blocks = functional.pixel_unshuffle(pictures.pixels(slice(0, n_scenes)) * 2 - 1, UNSHUFFLE)
        rows = blocks.movedim(1, -1).reshape(-1, blocks.shape[1]).double()
        mean = rows.mean(dim=0)
        variances, directions = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        # the faintest components are not blown up beyond this
        return cls(mean.float(), (directions * variances.clamp(min=1e-4) ** -0.5).float())


class AutoencoderModule(nn.Module):
    """The VAE with its loss: absolute, squared and gradient error in pixels, and a little KL."""

    mean: Tensor
    basis: Tensor
    inverse: Tensor

    def __init__(self, basis: PatchBasis) -> None:
        super().__init__()
        n_channels = len(basis.mean)
        self.vae = AutoencoderKL(
            in_channels=n_channels,
            out_channels=n_channels,
            down_block_types=("DownEncoderBlock2D",),
            up_block_types=("UpDecoderBlock2D",),
            block_out_channels=(CHANNELS,),
            layers_per_block=1,
            latent_channels=LATENT_CHANNELS,
            norm_num_groups=N_GROUPS,
            mid_block_add_attention=False,
            sample_size=64 // UNSHUFFLE,
        ).to(memory_format=torch.channels_last)
        self.register_buffer("mean", basis.mean, persistent=False)
        self.register_buffer("basis", basis.basis, persistent=False)
        self.register_buffer("inverse", torch.linalg.inv(basis.basis), persistent=False)
        start_as_principal_components(self.vae)

    def forward(self, images: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Losses of images (n, 3, 64, 64) in [0, 1] with the noise (n, 24, 8, 8) of their latents."""
        pixels = images * 2 - 1
        posterior = self.vae.encode(self.blocks(pixels)).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        latents = mean + torch.exp(0.5 * logvar) * noise
        error = self.decode(latents) - pixels
        squared = error.square().mean()
        gradient = error.diff(dim=-1).square().mean() + error.diff(dim=-2).square().mean()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        loss = error.abs().mean() + squared + GRADIENT_WEIGHT * gradient + KL_WEIGHT * kl
        return {"loss": loss, "squared_error": squared.detach(), "kl": kl.detach()}

    def blocks(self, pixels: Tensor) -> Tensor:
        """The VAE's input for pixels in [-1, 1]."""
        return rotate(functional.pixel_unshuffle(pixels, UNSHUFFLE), mean=self.mean, basis=self.basis)

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels in about [-1, 1] of latents."""
        decoded = self.vae.decode(latents).sample.float()
        return functional.pixel_shuffle(rotate_back(decoded, mean=self.mean, inverse=self.inverse), UNSHUFFLE)


@torch.no_grad()
def start_as_principal_components(vae: AutoencoderKL) -> None:
    """Set a fresh VAE so that its latents are the 24 largest principal components, which it reads and writes back.

    See :mod:`tempgen.training.scenes.linear_start`; the residual blocks start as identities. From here the VAE learns in a
    minute what takes ten from random weights.
    """
    n_inputs = vae.config.in_channels
    largest = [n_inputs - 1 - rank for rank in range(LATENT_CHANNELS)]
    latents = list(range(LATENT_CHANNELS))
    for module in vae.modules():
        if type(module).__name__ == "ResnetBlock2D":
            module.conv2.weight.zero_()
            module.conv2.bias.zero_()
    read_as_pairs(vae.encoder.conv_in, largest)
    write_from_pairs(vae.encoder.conv_out, latents)
    read_as_pairs(vae.decoder.conv_in, latents)
    write_from_pairs(vae.decoder.conv_out, largest)
    identity = torch.eye(LATENT_CHANNELS)[..., None, None]
    vae.quant_conv.weight.zero_()
    vae.quant_conv.weight[:LATENT_CHANNELS, :LATENT_CHANNELS] = identity
    vae.quant_conv.bias[:LATENT_CHANNELS] = 0
    vae.quant_conv.bias[LATENT_CHANNELS:] = FIRST_LOGVAR
    vae.post_quant_conv.weight.copy_(identity)
    vae.post_quant_conv.bias.zero_()


@dataclass
class AutoencoderTask:
    """Trains the VAE; a task of the training loop."""

    pictures: Pictures
    held_out: Pictures
    module: AutoencoderModule
    config: OptimizationConfig
    recipe: Mapping[str, Any]
    name: str = "autoencoder"

    @property
    def n_samples(self) -> int:
        """Training scenes."""
        return len(self.pictures)

    def batch(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        """Images, and noise keyed by (step, scene)."""
        side = 64 // UNSHUFFLE
        noise = keyed_normal(
            (LATENT_CHANNELS, side, side), seed=self.config.seed, keys=[(step, int(row)) for row in rows]
        )
        return {"images": self.pictures.pixels(rows), "noise": noise}

    def validate(self, module: nn.Module) -> dict[str, float]:
        """PSNR (dB) of held-out scenes through the VAE, without noise."""
        pixels = self.held_out.pixels(slice(0, 200)).to(self.module.mean.device) * 2 - 1
        posterior = self.module.vae.encode(self.module.blocks(pixels)).latent_dist
        error = (self.module.decode(posterior.mean.float()).clamp(-1, 1) - pixels) / 2
        psnr = -10 * error.square().mean(dim=(1, 2, 3)).log10().mean()
        return {"psnr_db": float(psnr), "monitor": -float(psnr)}
