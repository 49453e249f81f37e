"""A straightforward implementation of the recipe that Dynadiff's authors describe: what `train_step.py` compares with."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parts.dynadiff import N_TR, SUBJECT, MadeTrials, Subject
from tempgen.models.backbone import Backbone

LEARNING_RATE, MAX_GRAD_NORM = 1e-3, 1.0


class ReferenceBrainModule(nn.Module):
    """Subject layer, a layer for each TR, norm, GELU, dropout, aggregation, output layer."""

    def __init__(self, subject: Subject, n_tokens: int, token_dim: int, *, dropout: float) -> None:
        super().__init__()
        size = subject.hidden_size
        self.subject = nn.Linear(subject.n_voxels, size, bias=False)
        self.timesteps = nn.ModuleList([nn.Linear(size, size) for _ in range(N_TR)])
        self.norm, self.dropout = nn.LayerNorm(size), nn.Dropout(dropout)
        self.aggregation = nn.Linear(N_TR, 1)
        self.output = nn.Linear(size, n_tokens * token_dim)
        self.shape = (n_tokens, token_dim)

    def forward(self, windows: Tensor) -> Tensor:
        """Windows (n, n_tr, n_voxels) to tokens (n, n_tokens, token_dim)."""
        hidden = self.subject(windows)
        hidden = torch.stack([layer(hidden[:, tr]) for tr, layer in enumerate(self.timesteps)], dim=1)
        hidden = self.dropout(functional.gelu(self.norm(hidden)))
        return self.output(self.aggregation(hidden.transpose(1, 2))[..., 0]).unflatten(1, self.shape)

    @torch.no_grad()
    def take(self, ours: Any) -> None:
        """Copy the weights of tempgen's brain module."""
        self.subject.weight.copy_(ours.subject_layers[SUBJECT].weight)
        for tr, layer in enumerate(self.timesteps):
            layer.weight.copy_(ours.timestep_layer.weight[tr].T)
            layer.bias.copy_(ours.timestep_layer.bias[tr])
        self.norm.load_state_dict(ours.norm.state_dict())
        self.aggregation.weight.copy_(ours.aggregation.weight[None])
        self.aggregation.bias.copy_(ours.aggregation.bias)
        self.output.load_state_dict(ours.output.state_dict())


class DualAttention(nn.Module):
    """The attention block of a dual-guided UNet: one stack reads the image's tokens, one the text's, at weight 0."""

    def __init__(self, block: nn.Module, *, n_text_tokens: int) -> None:
        super().__init__()
        self.transformers = nn.ModuleList([block, copy.deepcopy(block)])
        self.n_text_tokens = n_text_tokens

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, return_dict: bool = False, **others: Any
    ) -> tuple[Tensor]:
        """As the block that it replaces; the text's tokens come first."""
        text, image = encoder_hidden_states.tensor_split((self.n_text_tokens,), dim=1)
        of_image, of_text = (
            stack(hidden_states, encoder_hidden_states=tokens, return_dict=False, **others)[0] - hidden_states
            for stack, tokens in zip(self.transformers, (image, text), strict=True)
        )
        return (hidden_states + 1.0 * of_image + 0.0 * of_text,)


def dual_guided_unet(image_unet: nn.Module, *, n_text_tokens: int) -> Any:
    """A copy of the image UNet whose attention blocks are doubled, with diffusers' own attention and LoRA of rank 4."""
    from diffusers.models.attention_processor import AttnProcessor2_0
    from peft import LoraConfig

    unet: Any = copy.deepcopy(image_unet).to(memory_format=torch.contiguous_format)
    unet.set_attn_processor(AttnProcessor2_0())
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        for index, attention in enumerate(getattr(block, "attentions", ())):
            block.attentions[index] = DualAttention(attention, n_text_tokens=n_text_tokens)
    unet.requires_grad_(False)
    targets = [f"attn2.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")]
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=targets))
    for parameter in unet.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return unet


class Reference:
    """The recipe's training step."""

    def __init__(
        self, backbone: Backbone, unet: Any, subject: Subject, made: MadeTrials, *, dropout: float
    ) -> None:
        self.backbone, self.unet, self.made, self.device = backbone, unet, made, backbone.device
        self.low_precision = self.device.type == "cuda"
        spec = backbone.spec
        self.brain = ReferenceBrainModule(subject, spec.n_tokens, spec.token_dim, dropout=dropout).to(
            self.device
        )
        self.null = nn.Parameter(torch.zeros(spec.n_tokens, spec.token_dim, device=self.device))
        self.text = torch.zeros(1, subject.n_text_tokens, spec.token_dim, device=self.device)
        self.alphas = backbone.alphas_cumprod
        self.trained = [
            *self.brain.parameters(),
            self.null,
            *(p for p in unet.parameters() if p.requires_grad),
        ]
        self.optimizer = torch.optim.AdamW(self.trained, lr=LEARNING_RATE, weight_decay=0.01)

    def batch(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """Windows, images and fresh noise of some trials, on the device."""
        images = torch.from_numpy(self.made.images[self.made.image_ids[rows]]).movedim(-1, 1).float() / 255
        shape = (len(rows), *self.backbone.spec.latent_shape)
        offset = 0.1 * torch.randn(shape[0], shape[1], 1, 1)
        batch = {
            "windows": torch.from_numpy(self.made.windows[rows]),
            "images": images,
            "posterior_noise": torch.randn(shape),
            "noise": torch.randn(shape) + offset,
            "timesteps": ((1 - torch.rand(len(rows)) ** 3) * len(self.alphas))
            .long()
            .clamp(max=len(self.alphas) - 1),
            "dropped": torch.rand(len(rows)) < 0.1,
        }
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def loss(
        self,
        windows: Tensor,
        images: Tensor,
        posterior_noise: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        dropped: Tensor,
    ) -> Tensor:
        """Mean squared error of the predicted noise."""
        with torch.no_grad():
            latents = self.backbone.encode(images).sample(posterior_noise)
        alpha = self.alphas[timesteps][:, None, None, None]
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        tokens = torch.where(dropped[:, None, None], self.null, self.brain(windows))
        condition = torch.cat([self.text.expand(len(tokens), -1, -1), tokens], dim=1)
        dtype = self.unet.conv_in.weight.dtype
        arguments = self.backbone.unet_arguments(noisy.to(dtype), tokens.to(dtype)) | {
            "encoder_hidden_states": condition.to(dtype)
        }
        predicted = self.unet(timestep=timesteps, **arguments).sample
        return functional.mse_loss(predicted.float(), noise)

    def step(self, rows: NDArray[np.int64]) -> None:
        """Change the weights once."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            loss = self.loss(**self.batch(rows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
