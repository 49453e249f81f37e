"""The UNet of the scenes backbone, trained on cached latents with tokens as imperfect as decoders give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn

from tempgen.config.optimization import OptimizationConfig
from tempgen.models.backbone.scenes import arguments_of, use_plain_attention
from tempgen.models.keyed_noise import keyed_normal, keyed_uniform
from tempgen.training.scenes.corruption import TokenCorruption
from tempgen.training.scenes.linear_start import N_GROUPS, read_as_pairs, write_from_pairs

_NOISE, _TIMESTEP = 1, 2  # first entries of the keys
N_VALIDATION = 500
"""Held-out scenes of the validation loss."""


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's betas; sampling starts at the last timestep, and predicted latents are clipped to their range.

    Source: Rombach et al. 2022 (betas); Lin et al. 2024 (trailing timesteps); clipping was measured on a prototype.
    """
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        timestep_spacing="trailing",
        clip_sample=True,
        clip_sample_range=3.5,
        set_alpha_to_one=True,
    )


def make_unet(channels: tuple[int, int], *, latent_channels: int, token_dim: int) -> UNet2DConditionModel:
    """The image UNet: convolutions at 8 x 8, cross-attention to the tokens at 4 x 4.

    It takes noisy latents and beside them those that are read from the tokens: twice the channels that it gives.
    """
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=2 * latent_channels,
        out_channels=latent_channels,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=token_dim,
        class_embed_type="projection",  # of the whole image's token
        projection_class_embeddings_input_dim=token_dim,
        attention_head_dim=4,  # diffusers takes this as the number of heads
        norm_num_groups=N_GROUPS,
    ).to(memory_format=torch.channels_last)
    use_plain_attention(unet)
    start_as_identity(unet)
    return unet


@torch.no_grad()
def start_as_identity(unet: UNet2DConditionModel) -> None:
    """Set a fresh UNet so that it gives back the noisy latents, which at the noisy end nearly is the noise.

    There an error of the predicted noise becomes an error 15 times as large in the predicted image: the little that is not
    noise has to be learned, the rest should not. See :mod:`tempgen.training.scenes.linear_start`; the input reaches the
    output through the outermost skip connection.
    """
    values = list(range(unet.config.out_channels))
    read_as_pairs(unet.conv_in, values)
    write_from_pairs(unet.conv_out, values)
    last = unet.up_blocks[-1].resnets[-1]
    last.conv2.weight.zero_()
    last.conv2.bias.zero_()
    n_channels = unet.conv_in.out_channels
    last.conv_shortcut.weight.zero_()
    last.conv_shortcut.bias.zero_()
    last.conv_shortcut.weight[:, -n_channels:, 0, 0] = torch.eye(n_channels)


class DenoiserModule(nn.Module):
    """The UNet with its loss, weighted towards the noisy end.

    Parameters
    ----------
    alphas_cumprod : Tensor, shape (n_timesteps,)
    readout : Tensor, shape (n_places, token_dim, values)
        What :func:`~tempgen.training.scenes.inputs.fit_readout` gave.
    cap : float
        Loss is weighted by ``min(1 / alpha_bar, cap)``.
    """

    alphas: Tensor
    readout: Tensor

    def __init__(
        self, unet: UNet2DConditionModel, *, alphas_cumprod: Tensor, readout: Tensor, cap: float
    ) -> None:
        super().__init__()
        self.unet = unet
        self.cap = cap
        self.register_buffer("alphas", alphas_cumprod, persistent=False)
        self.register_buffer("readout", readout, persistent=False)

    def forward(self, latents: Tensor, tokens: Tensor, noise: Tensor, timesteps: Tensor) -> dict[str, Tensor]:
        """Loss of latents (n, 24, 8, 8) with tokens (n, 17, 96) at timesteps (n,)."""
        alpha = self.alphas[timesteps][:, None, None, None]
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        arguments = arguments_of(noisy, tokens, self.readout)
        predicted = self.unet(timestep=timesteps, **arguments).sample.float()
        error = (predicted - noise).square().mean(dim=(1, 2, 3))
        weight = (1 / self.alphas[timesteps]).clamp(max=self.cap)
        return {"loss": (weight * error).mean() / self.cap, "squared_error": error.detach().mean()}


@dataclass
class DenoiserTask:
    """Trains the UNet; a task of the training loop.

    Attributes
    ----------
    latents : Tensor, shape (n_scenes, 24, 8, 8)
        Posterior means in units of the UNet.
    corruption : TokenCorruption
    held_out : tuple of Tensor
        Latents and clean tokens of held-out scenes.
    """

    latents: Tensor
    corruption: TokenCorruption
    held_out: tuple[Tensor, Tensor]
    module: DenoiserModule
    config: OptimizationConfig
    recipe: Mapping[str, Any]
    name: str = "unet"

    @property
    def n_samples(self) -> int:
        """Training scenes."""
        return len(self.latents)

    def batch(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        """Latents, imperfect tokens, noise and timesteps, keyed by (step, scene)."""
        tokens = self.corruption.sample(rows, step=step, seed=self.config.seed)
        return {"latents": self.latents[rows], "tokens": tokens, **self._noise(rows, step)}

    def _noise(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        keys = [(step, int(row)) for row in rows]
        seed = self.config.seed
        noise = keyed_normal(self.latents.shape[1:], seed=seed, keys=[(_NOISE, *key) for key in keys])
        uniform = keyed_uniform((), seed=seed, keys=[(_TIMESTEP, *key) for key in keys])
        return {"noise": noise, "timesteps": (uniform * len(self.module.alphas)).long()}

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Loss of held-out scenes from clean tokens, with the same noise each time."""
        latents, tokens = (part[:N_VALIDATION] for part in self.held_out)
        batch = {"latents": latents, "tokens": tokens, **self._noise(np.arange(len(latents)), -1)}
        device = self.module.alphas.device
        losses = module(**{name: values.to(device) for name, values in batch.items()})
        return {"held_out_loss": float(losses["loss"]), "monitor": float(losses["loss"])}
