"""How the ``scenes`` backbone is trained: `tempgen pretrain-scenes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tempgen.config.files import set_dotted, validate
from tempgen.config.optimization import OptimizationConfig
from tempgen.config.section import Section


def _stage(n_steps: int, batch_size: int, learning_rate: float, **other: object) -> OptimizationConfig:
    """What all stages share: bfloat16, a quick second moment, a checkpoint every minute or so."""
    return OptimizationConfig.model_validate(
        {
            "n_steps": n_steps,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "betas": (0.9, 0.95),
            "warmup_steps": 100,
            "mixed_precision": "bf16",
            "checkpoint_every": 250,
            "validate_every": 250,
            "keep": "last",
            "tracker": None,
            **other,
        }
    )


class ScenesPretraining(Section):
    """Data and steps of the five networks: VAE, image encoder, UNet, and the classifier and the segmentation network that judge them."""

    n_scenes: int = Field(
        40_000,
        ge=100,
        description="Training scenes. Source: house choice; half a minute of drawing on two cores.",
    )
    n_held_out: int = Field(
        500, ge=50, description="Scenes for the numbers of the model card. Source: the project's threshold."
    )
    seed: int = Field(
        900_001,
        ge=0,
        description="Seed of the training scenes; the held-out ones have the next. Source: far from the seeds of simulated subjects.",
    )
    autoencoder: OptimizationConfig = Field(
        _stage(3_500, 32, 3e-3), description="The VAE. Source: house choice."
    )
    encoder: OptimizationConfig = Field(
        _stage(4_000, 128, 3e-3), description="The image encoder. Source: house choice."
    )
    classifier: OptimizationConfig = Field(
        _stage(2_000, 128, 3e-3, seed=1),
        description="The classifier that judges samples. Source: house choice.",
    )
    segmenter: OptimizationConfig = Field(
        _stage(2_000, 64, 3e-3, seed=2, validate_every=1_000),
        description="The segmentation network that judges samples. Source: house choice.",
    )
    unet: OptimizationConfig = Field(
        _stage(15_000, 128, 1.5e-3, ema_decay=0.999),
        description="The UNet, on cached latents and tokens. Source: house choice.",
    )
    unet_channels: tuple[int, int] = Field(
        (96, 96), description="Channels of the UNet at 8 x 8 and at 4 x 4. Source: what 10 MB allow."
    )
    clean: float = Field(
        0.25, ge=0, le=1, description="Share of samples with undisturbed tokens. Source: house choice."
    )
    dropped: float = Field(
        0.1, ge=0, le=1, description="Share of samples without tokens. Source: Dynadiff, 10 %."
    )
    loss_weight_cap: float = Field(
        10.0,
        ge=1,
        description="Loss is weighted by min(1 / alpha_bar, this): towards the noisy end. Source: measured on a prototype.",
    )


def with_options(options: Mapping[str, Any]) -> ScenesPretraining:
    """The defaults, with dotted keys replaced.

    Raises
    ------
    ConfigError
        If a key is unknown or a value does not fit.

    Examples
    --------
    >>> with_options({"unet.n_steps": 200}).unet.n_steps
    200
    """
    content = ScenesPretraining().model_dump(mode="json")
    for key, value in options.items():
        set_dotted(content, key, value)
    return validate(ScenesPretraining, content, origin="the pretraining (--set)")
