"""What is trained: brain module and adapted UNet as one module whose output is the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.decoders.dynadiff.slot import adapter_slot
from tempgen.models.backbone import Backbone
from tempgen.models.brain_module import BrainModule


class DynadiffModule(nn.Module):
    """Brain module and diffusion UNet with its adapter; calling it gives the loss of a batch.

    While it lives, or until `release`, the backbone's adapter is its own.

    Parameters
    ----------
    backbone : Backbone
        Its UNet becomes a part of this module; VAE and image encoder do not.
    brain_module : BrainModule
    config : DynadiffConfig
    subject : str
        Whose layer of the brain module is trained.
    adapter : mapping of name to Tensor, optional
        Weights to start from; the initial ones unless given.
    null_embedding : Tensor, shape (n_tokens, token_dim), optional
        Tokens of no condition to start from; zeros unless given.

    Raises
    ------
    DecoderError
        If another training has the backbone's adapter, or it is of another kind.
    """

    def __init__(
        self,
        backbone: Backbone,
        brain_module: BrainModule,
        *,
        config: DynadiffConfig,
        subject: str,
        adapter: Mapping[str, Tensor] | None = None,
        null_embedding: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.slot = adapter_slot(backbone, config.adapter)
        self.slot.train(self, adapter)
        self.config = config
        self.subject = subject
        self.brain_module = brain_module.requires_grad_(True)
        self.unet = backbone.unet
        object.__setattr__(self, "backbone", backbone)  # not a part: nothing but the UNet is moved or wrapped
        null = (
            backbone.null_tokens(1)[0].float() if null_embedding is None else null_embedding.detach().clone()
        )
        self.null_embedding = nn.Parameter(null, requires_grad=config.null_embedding == "learned")
        self.register_buffer("alphas_cumprod", backbone.alphas_cumprod.clone(), persistent=False)

    backbone: Backbone
    alphas_cumprod: Tensor

    def train(self, mode: bool = True) -> Self:
        """Training mode is the brain module's, which has dropout; the frozen UNet stays in evaluation mode."""
        super().train(mode)
        self.unet.eval()
        return self

    def enable_gradient_checkpointing(self) -> None:
        """Compute the UNet's activations twice instead of keeping them."""
        self.unet.enable_gradient_checkpointing()

    def release(self) -> None:
        """Give the backbone's adapter free; this module cannot be trained afterwards."""
        self.slot.release(self)

    @property
    def skips_dropped(self) -> bool:
        """Whether the training need not compute samples without condition: their gradient is zero to the last bit.

        Keys and values of the cross-attention have no bias, so that zero tokens give zeros whatever its updates are.
        Compiled training computes them all the same: its batches must have one shape.
        """
        config = self.config
        return (
            config.null_embedding == "zeros"
            and config.adapter.kind in ("none", "cross-attention-lora")
            and not config.optimization.compile
        )

    def tokens(self, windows: Tensor) -> Tensor:
        """Conditioning tokens of windows: (n, n_tr, n_voxels) -> (n, n_tokens, token_dim)."""
        return self.brain_module(windows, self.subject)

    def forward(
        self,
        windows: Tensor,
        latents: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        dropped: Tensor,
        target_tokens: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Loss of a batch.

        Parameters
        ----------
        windows : Tensor, shape (n, n_tr, n_voxels)
        latents, noise : Tensor, shape (n, *latent_shape)
            Of the seen images, and what is added to them and to be predicted.
        timesteps : Tensor of int, shape (n,)
        dropped : Tensor of bool, shape (n,)
            Samples that the UNet sees without condition.
        target_tokens : Tensor, shape (n, n_tokens, token_dim), optional
            True tokens of the seen images; needed with a token loss.

        Returns
        -------
        dict of Tensor
            ``loss`` to minimize; ``diffusion_loss``, its part without weights: mean squared error of the noise;
            ``token_loss`` if there is one. All scalars. A training in which dropped samples have no gradient leaves
            them out: their errors count as 0 in ``loss``, and ``diffusion_loss`` is the mean over the others.
        """
        n, predicted_tokens = len(windows), self.tokens(windows)
        tokens = torch.where(
            dropped.reshape(-1, 1, 1), self.null_embedding.to(predicted_tokens.dtype), predicted_tokens
        )
        if self.training and self.skips_dropped:
            kept = (~dropped).nonzero()[:, 0]
            if 0 < len(kept) < n:
                latents, noise, timesteps, tokens = (
                    each[kept] for each in (latents, noise, timesteps, tokens)
                )
        alpha = self.alphas_cumprod[timesteps].reshape(-1, 1, 1, 1)
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        predicted_noise = self.backbone.denoise(noisy, timesteps, tokens)
        errors = functional.mse_loss(predicted_noise.float(), noise.float(), reduction="none").mean((1, 2, 3))
        loss = errors.mean()
        outcome = {"diffusion_loss": loss.detach()}
        if self.config.loss_weight == "inverse-signal":
            loss = (errors / alpha.flatten().clamp(min=1 / self.config.loss_weight_cap)).mean()
        loss = loss * (len(errors) / n)
        if self.config.token_loss > 0 and target_tokens is not None:
            token_loss = functional.mse_loss(predicted_tokens.float(), target_tokens.float())
            loss = loss + self.config.token_loss * token_loss
            outcome["token_loss"] = token_loss.detach()
        return {"loss": loss, **outcome}
