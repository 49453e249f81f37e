"""Which decoder an analysis trains: a choice by ``kind``, each kind with its own keys.

A decoder file without ``kind`` is one of ridge. What determines a decoder (and has to be trained again when it changes) is
told apart from what determines only its reconstructions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Discriminator, Field, PositiveFloat, Tag, model_validator

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.config.sampling import SamplingConfig
from tempgen.config.section import Section

TOKEN_KEYS = ("backbone", "backbone_folder", "sampling")
"""Keys of :class:`RidgeConfig` that only a ridge to a backbone's tokens has a use for."""


class RidgeConfig(Section):
    """Ridge from BOLD to pixels, labels, or the tokens of a diffusion backbone."""

    kind: Literal["ridge"] = Field(
        "ridge", description="The decoder. Source: the fastest that reconstructs images."
    )
    target: Literal["auto", "pixels", "labels", "tokens"] = Field(
        "auto",
        description=(
            "What it predicts; auto: pixels where there are images, else labels; tokens: those of a diffusion "
            "backbone, which makes images of them. Source: off unless given."
        ),
    )
    target_size: int = Field(
        16,
        ge=2,
        description="Pixels a side of the images that it predicts. Source: house choice.",
    )
    alphas: tuple[PositiveFloat, ...] = Field(
        tuple(float(f"{10.0 ** (k / 2):.3g}") for k in range(-4, 6)),
        min_length=1,
        description="Ridge penalties, in units of the mean squared norm of a training window. Source: house choice.",
    )
    alpha_per_target: bool = Field(
        False,
        description=(
            "Choose the penalty for each output (of tokens: each principal component) instead of one for all. "
            "Source: himalaya offers both."
        ),
    )
    n_folds: int = Field(
        3, ge=1, description="Folds of held-out training runs that choose the penalty. Source: house choice."
    )
    backbone: str = Field(
        "scenes",
        description=(
            "Diffusion model of target tokens: scenes (small, in the package) or versatile-diffusion (the paper's). "
            "Source: the demo."
        ),
    )
    backbone_folder: Path | None = Field(
        None, description="Local copy of the backbone; null: where its name leads. Source: off unless given."
    )
    sampling: SamplingConfig = Field(SamplingConfig(), description="From tokens to images (target: tokens).")

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.target in ("labels", "tokens"):
            self.refuse_unused(("target_size",), because=f"with target: {self.target}")
        if self.target != "tokens":
            self.refuse_unused(TOKEN_KEYS, because=f"with target: {self.target} (but with target: tokens)")
        return self


DECODER_KINDS: dict[str, type[RidgeConfig] | type[DynadiffConfig]] = {
    "ridge": RidgeConfig,
    "dynadiff": DynadiffConfig,
}
"""Configuration of each kind of decoder."""


def _kind_of(section: Any) -> str:
    if isinstance(section, BaseModel):
        return str(getattr(section, "kind", ""))
    return str(section.get("kind", "ridge")) if isinstance(section, dict) else "ridge"


DecoderConfig = Annotated[
    Annotated[RidgeConfig, Tag("ridge")] | Annotated[DynadiffConfig, Tag("dynadiff")],
    Discriminator(
        _kind_of,
        custom_error_type="unknown_decoder",
        custom_error_message=f"the kind of decoder is unknown; there are {', '.join(DECODER_KINDS)}",
    ),
]
"""The section ``decoder`` of an analysis."""

_ONLY_SPEED = ("tracker", "n_workers", "checkpoint_every", "compile", "gradient_checkpointing")
"""Keys of the optimization that change no weight (beyond rounding)."""


def makes_images_by_diffusion(config: RidgeConfig | DynadiffConfig) -> bool:
    """Whether reconstructions are sampled from a diffusion backbone."""
    return config.kind == "dynadiff" or config.target == "tokens"


def training_recipe(config: RidgeConfig | DynadiffConfig) -> dict[str, Any]:
    """What determines a trained decoder, as plain values: the section without what only its images depend on.

    Sampling belongs to it where images of held-out trials choose the weights.

    A backbone is told by its name: a decoder's folder knows its weights, wherever they lie, and refuses others.
    """
    recipe = config.model_dump(mode="json", exclude={"sampling", "backbone_folder"})
    if config.kind == "dynadiff" and config.monitor == "pixel_correlation":
        recipe["sampling"] = config.sampling.model_dump(mode="json", exclude={"batch_size"})
    if config.kind == "dynadiff":
        for name in _ONLY_SPEED:
            recipe["optimization"].pop(name, None)
    elif config.target != "tokens":
        for name in TOKEN_KEYS:
            recipe.pop(name, None)
    return recipe


def sampling_recipe(config: RidgeConfig | DynadiffConfig) -> dict[str, Any]:
    """What determines reconstructions beside the decoder, as plain values; nothing where none are sampled."""
    if not makes_images_by_diffusion(config):
        return {}
    folder = {} if config.backbone_folder is None else {"backbone_folder": str(config.backbone_folder)}
    return {**config.sampling.model_dump(mode="json", exclude={"batch_size"}), **folder}
