"""Backbones, images and trials on which Dynadiff is timed: the scenes backbone, and the paper's size with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tempgen.decoders.dynadiff import DynadiffTrials, EncodedImages, encode_images
from tempgen.errors import BackboneError
from tempgen.models.backbone import Backbone, BackboneSpec, load_backbone

SUBJECT = "1"
N_TR = 6

# Per sample or image at full size, 1 MAC = 2 FLOP, in TFLOP; and what an H200 does in bf16 at most, TFLOP/s.
STEP_TFLOP, REFERENCE_STEP_TFLOP, RECONSTRUCTION_TFLOP = 1.71, 3.68, 35.3
ROOFLINE_TFLOPS = 790.0
TR_S = 4 / 3


@dataclass(frozen=True)
class Subject:
    """Sizes of what is timed: as the demo has them, or the paper."""

    name: str
    n_voxels: int
    hidden_size: int
    n_text_tokens: int  # of the second stack of the dual-guided UNet


SCENES = Subject("scenes backbone", n_voxels=400, hidden_size=128, n_text_tokens=5)
FULL_SIZE = Subject("full size, random weights", n_voxels=15_724, hidden_size=1552, n_text_tokens=77)
REHEARSAL = Subject("rehearsal of full size, tiny", n_voxels=60, hidden_size=16, n_text_tokens=5)


def scenes_backbone() -> tuple[Backbone, str]:
    """The packaged backbone, or one of its layout with random weights; and which of the two it is."""
    try:
        backbone = load_backbone("scenes")
        return backbone, f"packaged weights {backbone.spec.revision[:12]}"
    except BackboneError:
        return random_scenes_backbone(), "RANDOM WEIGHTS, the package has none"


def random_scenes_backbone() -> Backbone:
    """The layout that ``tempgen pretrain-scenes`` trains, untrained."""
    from tempgen.config.scenes_pretraining import ScenesPretraining
    from tempgen.models.backbone.scenes import ScenesBackbone
    from tempgen.models.scene_encoder import SceneEncoder
    from tempgen.training.scenes.autoencoder import LATENT_CHANNELS, AutoencoderModule, PatchBasis
    from tempgen.training.scenes.denoiser import make_scheduler, make_unet

    torch.manual_seed(0)
    basis = PatchBasis(torch.zeros(192), torch.eye(192))
    spec = BackboneSpec("scenes", 64, (LATENT_CHANNELS, 8, 8), n_tokens=17, token_dim=96, revision="random")
    channels = ScenesPretraining().unet_channels
    unet = make_unet(channels, latent_channels=LATENT_CHANNELS, token_dim=spec.token_dim)
    for module in unet.modules():  # it starts as the identity, whatever the tokens
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return ScenesBackbone(
        spec,
        patch_mean=basis.mean,
        patch_basis=basis.basis,
        token_readout=torch.randn(16, spec.token_dim, 4 * LATENT_CHANNELS) / spec.token_dim**0.5,
        scheduler=make_scheduler(),
        unet=unet,
        vae=AutoencoderModule(basis).vae,
        image_encoder=SceneEncoder(),
    )


def full_size_backbone(device: torch.device, dtype: torch.dtype, *, tiny: bool = False) -> Backbone:
    """Image UNet and VAE of Versatile Diffusion with random weights, no image encoder; ``tiny`` to try the program."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    from tempgen.models.backbone.versatile import SCALING_FACTOR, SCHEDULER, VersatileBackbone

    unet: dict[str, Any] = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
    widths: tuple[int, ...] = (128, 256, 512, 512)
    spec = BackboneSpec(
        "versatile-diffusion", 512, (4, 64, 64), n_tokens=257, token_dim=768, revision="random"
    )
    if tiny:
        unet |= {"sample_size": 16, "cross_attention_dim": 24, "block_out_channels": (32, 32, 64, 64)}
        widths = (32, 32, 32, 32)
        spec = BackboneSpec(
            "versatile-diffusion", 128, (4, 16, 16), n_tokens=9, token_dim=24, revision="random"
        )
    with torch.device("meta"):
        parts: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel(**unet),
            "vae": AutoencoderKL(
                block_out_channels=widths,
                layers_per_block=2,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                sample_size=spec.image_size,
            ),
        }
    generator = torch.Generator(device).manual_seed(0)
    for part in parts.values():
        nn.Module.to(part.to_empty(device=device), dtype)  # diffusers' own `to` warns of nothing
        for name, parameter in part.named_parameters():
            if parameter.ndim > 1:
                bound = parameter[0].numel() ** -0.5  # that of a new layer
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            else:
                nn.init.constant_(parameter, float("norm" in name and name.endswith("weight")))
    return VersatileBackbone(spec, scheduler=DDIMScheduler(**SCHEDULER), latent_scale=SCALING_FACTOR, **parts)


def seen_images(backbone: Backbone, n_images: int) -> NDArray[np.uint8]:
    """Scenes, or at full size coarse random colours, (n_images, side, side, 3)."""
    side = backbone.spec.image_size
    if backbone.spec.name == "scenes":
        from tempgen.data.scenes import render_scene

        return np.stack([render_scene(scene, seed=77).image for scene in range(n_images)])
    coarse = np.random.default_rng(0).integers(0, 256, (n_images, side // 16, side // 16, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


@dataclass(frozen=True)
class MadeTrials:
    """Trials of random windows, the images that were seen in them, and what the backbone's VAE makes of these."""

    windows: NDArray[np.float32]
    images: NDArray[np.uint8]
    image_ids: NDArray[np.int64]
    encoded: EncodedImages

    @classmethod
    def of(cls, backbone: Backbone, subject: Subject, *, n_trials: int, n_images: int) -> MadeTrials:
        """Each image is seen as often as the others."""
        images = seen_images(backbone, n_images)
        windows = np.random.default_rng(1).standard_normal(
            (n_trials, N_TR, subject.n_voxels), dtype=np.float32
        )
        size = 64 if backbone.spec.image_size <= 128 else 4
        encoded = encode_images(backbone, np.arange(n_images), images.__getitem__, batch_size=size)
        return cls(windows, images, np.arange(n_trials) % n_images, encoded)

    def as_trials(self) -> DynadiffTrials:
        """As `DynadiffTask` takes them."""
        return DynadiffTrials(
            self.windows.__getitem__, self.image_ids, np.arange(len(self.image_ids)), self.encoded
        )


def synchronize(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def no_gpu_reason() -> str | None:
    """Why full size cannot be timed here; None if it can."""
    if torch.cuda.is_available():
        return None
    built = torch.version.cuda or "none"
    return f"torch {torch.__version__} finds no GPU (CUDA of this build: {built})"


def machine(device: torch.device) -> str:
    """What computes."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return f"{torch.cuda.get_device_name(device)}, {total / 2**30:.0f} GiB, torch {torch.__version__}"
    return f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
