"""The typed model of reconstruction: which scheduler, how many steps, how much guidance."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tempgen.config.section import Section


class SamplingConfig(Section):
    """How tokens become images."""

    scheduler: str = Field(
        "DDIMScheduler",
        description="Class of diffusers' schedulers, e.g. DPMSolverMultistepScheduler. Source: Dynadiff, section 3.",
    )
    n_steps: int = Field(20, ge=1, description="Denoising steps. Source: Dynadiff, section 3.")
    guidance: float = Field(
        3.0,
        ge=0,
        description="Classifier-free guidance; 1: none, at half the cost. Source: Dynadiff, section 3 (its code: 3.5).",
    )
    seed: int = Field(
        0,
        ge=0,
        description="Seed of the initial noise, which depends on it, the image and the repetition alone. Source: convention.",
    )
    batch_size: int = Field(
        64, ge=1, description="Images denoised at once. Source: house choice; lower it where memory is short."
    )
    mixed_precision: Literal["no", "bf16"] = Field(
        "no",
        description="Autocast of the UNet; bf16 halves the time on processors that have it. Source: off unless given.",
    )
