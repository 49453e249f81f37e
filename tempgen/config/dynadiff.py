"""The typed model of the Dynadiff decoder: its parts, its loss, where it starts, what watches its training.

Sources: the paper is Dynadiff (arXiv 2505.14556); "its code" is what the authors released, which evaluates only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.adapters import AdapterConfig
from tempgen.config.brain_module import BrainModuleConfig
from tempgen.config.optimization import OptimizationConfig
from tempgen.config.sampling import SamplingConfig
from tempgen.config.section import Section


class DynadiffConfig(Section):
    """A brain module and an adapter on a frozen diffusion model, trained together."""

    kind: Literal["dynadiff"] = Field("dynadiff", description="The decoder. Source: the paper.")
    backbone: str = Field(
        "scenes",
        description="Diffusion model: scenes (small, in the package) or versatile-diffusion (the paper's). Source: the demo.",
    )
    backbone_folder: Path | None = Field(
        None, description="Local copy of the backbone; null: where its name leads. Source: off unless given."
    )
    brain_module: BrainModuleConfig = Field(BrainModuleConfig(), description="From BOLD windows to tokens.")
    adapter: AdapterConfig = Field(AdapterConfig(), description="What of the diffusion model is trained.")
    optimization: OptimizationConfig = Field(OptimizationConfig(), description="The training.")
    sampling: SamplingConfig = Field(SamplingConfig(), description="From tokens to images.")
    timestep_sampling: Literal["cubic", "uniform"] = Field(
        "cubic",
        description="Timesteps of the training; cubic: (1 - u^3) 1000, more of the noisy end. Source: the paper.",
    )
    offset_noise: float = Field(
        0.1, ge=0, description="Size of the noise that all pixels of a channel share. Source: the paper."
    )
    condition_drop: float = Field(
        0.1, ge=0, lt=1, description="Share of samples trained without condition. Source: the paper."
    )
    null_embedding: Literal["zeros", "learned"] = Field(
        "learned",
        description="Tokens of no condition. Source: the paper: learned (its code: zeros).",
    )
    loss_weight: Literal["none", "inverse-signal"] = Field(
        "none",
        description=(
            "Weight of a sample's loss; inverse-signal: min(1 / alpha_bar, loss_weight_cap), for short trainings. "
            "Source: the paper, which has none."
        ),
    )
    loss_weight_cap: float = Field(
        4.0, ge=1, description="Largest weight of inverse-signal. Source: measured on the scenes backbone."
    )
    token_loss: float = Field(
        0.0,
        ge=0,
        description="Weight of the tokens' squared error beside the diffusion loss. Source: the paper, which has none.",
    )
    window_noise: float = Field(
        0.0,
        ge=0,
        description=(
            "SD of normal noise added to training windows (their voxels' SD is 1): keeps a decoder of few trials from trusting "
            "tokens that fit its training trials too well. Source: the paper, which has none."
        ),
    )
    warm_start: Literal["none", "ridge"] = Field(
        "none",
        description=(
            "Where the General decoder's brain module starts; ridge: from the ridge solution to the true tokens. "
            "Source: the paper: from scratch."
        ),
    )
    specialized_from: Literal["scratch", "ridge", "general"] = Field(
        "scratch",
        description=(
            "Where Specialized decoders start; ridge: from ridge at their own lag; general: from the General decoder. "
            "Source: the paper: from scratch."
        ),
    )
    validation_fraction: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Share of the training runs held out to watch the training; 0: none. Source: house choice.",
    )
    validation_trials: int = Field(
        256, ge=1, description="Held-out trials that are used, at most. Source: house choice."
    )
    validation_images: int = Field(
        16,
        ge=0,
        description="Held-out trials that are reconstructed at each validation. Source: house choice.",
    )
    monitor: Literal["diffusion_loss", "token_error", "pixel_correlation"] = Field(
        "diffusion_loss",
        description="What decides the best checkpoint on held-out runs. Source: house choice: the loss that is trained.",
    )

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.loss_weight == "none":
            self.refuse_unused(("loss_weight_cap",), because="with loss_weight: none")
        if self.validation_fraction == 0:
            self.refuse_unused(
                ("validation_trials", "validation_images", "monitor"), because="with validation_fraction: 0"
            )
        by_ridge = "ridge" in (self.warm_start, self.specialized_from)
        if by_ridge and self.brain_module.linear_path_rank is None:
            raise ValueError(
                "a start from ridge needs brain_module.linear_path_rank, the path that takes the ridge solution, e.g. 64"
            )
        if self.specialized_from == "ridge" and self.warm_start == "none":
            raise ValueError(
                "specialized_from: ridge beside warm_start: none would start the General decoder elsewhere than its "
                "neighbours: set both to ridge, or specialized_from to scratch"
            )
        if self.monitor == "pixel_correlation" and self.validation_images == 0:
            raise ValueError("monitor: pixel_correlation needs validation_images of at least 1")
        return self
