"""A backbone of real diffusers parts with random weights, small enough for tests to train."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from tempgen.models.backbone import Backbone, BackboneSpec

SPEC = BackboneSpec(
    name="tiny", image_size=16, latent_shape=(4, 8, 8), n_tokens=3, token_dim=12, revision="random-0"
)


class TinyEncoder(nn.Module):
    """Images (n, 3, 16, 16) to tokens (n, 3, 12) by a random projection of 4 x 4 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(48, 36)

    def forward(self, images: Tensor) -> Tensor:
        pixels = nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        return 3 * self.project(pixels - 0.5).unflatten(1, (3, 12))


class TinyBackbone(Backbone):
    """A backbone whose tokens are a random projection of the pixels."""

    def tokens(self, images: Tensor) -> Tensor:
        return self.image_encoder(images)


def tiny_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def tiny_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        mid_block_add_attention=False,
        sample_size=16,
    )


def tiny_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def tiny_backbone(seed: int = 0, spec: BackboneSpec = SPEC) -> TinyBackbone:
    """A new backbone; the same seed gives the same weights, and the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TinyBackbone(
            spec, scheduler=tiny_scheduler(), unet=tiny_unet(), vae=tiny_vae(), image_encoder=TinyEncoder()
        )
