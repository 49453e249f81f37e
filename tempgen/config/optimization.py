"""How a decoder's weights are optimized: the same keys for every decoder that is trained by gradients."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.section import Section


class OptimizationConfig(Section):
    """AdamW with warmup, and what surrounds it."""

    n_steps: int = Field(60_000, ge=1, description="Updates of the weights. Source: Dynadiff, about 60k.")
    batch_size: int = Field(
        320,
        ge=1,
        description="Trials per update, over all processes and accumulation steps. Source: Dynadiff.",
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        description="Highest learning rate. Source: a public fork of the released code; the paper's text lacks it.",
    )
    betas: tuple[float, float] = Field((0.9, 0.999), description="Moments of AdamW. Source: Dynadiff.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay of AdamW. Source: Dynadiff.")
    warmup_steps: int = Field(
        1_000, ge=0, description="Updates over which the learning rate rises from 0. Source: Dynadiff."
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="Learning rate after the warmup; cosine falls to 0. Source: Dynadiff."
    )
    gradient_accumulation_steps: int = Field(
        1,
        ge=1,
        description="Parts into which a batch is cut to save memory; the result is the same. Source: off unless given.",
    )
    max_grad_norm: float | None = Field(
        1.0,
        gt=0,
        description=(
            "Gradients of a larger norm are scaled down to it; null: never. Source: house choice; the paper does not say."
        ),
    )
    mixed_precision: Literal["no", "bf16", "fp16"] = Field(
        "no",
        description="Precision of forward and backward passes. Source: house choice, runs everywhere; the paper: fp16.",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Compute activations twice instead of keeping them: less memory, same result. Source: off unless given.",
    )
    compile: bool = Field(False, description="Use torch.compile. Source: off unless given.")
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Keep an exponential moving average of the weights; null: no. Source: off unless given.",
    )
    checkpoint_every: int = Field(
        1_000, ge=1, description="Updates between checkpoints. Source: house choice, minutes on a GPU."
    )
    validate_every: int = Field(
        1_000, ge=1, description="Updates between looks at held-out training runs. Source: house choice."
    )
    keep: Literal["best", "last"] = Field(
        "best",
        description="Which weights are the result: the best by the task's monitor on held-out training runs, or the last. Source: house choice.",
    )
    seed: int = Field(0, ge=0, description="Seed of order, noise and dropout. Source: convention.")
    n_workers: int = Field(
        0,
        ge=0,
        description="Processes that load batches; the result is the same. Source: the loader needs none.",
    )
    tracker: Literal["tensorboard"] | None = Field(
        "tensorboard",
        description="Where curves are logged; null: nowhere. Source: Accelerate's default tracker.",
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.batch_size % self.gradient_accumulation_steps:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of gradient_accumulation_steps "
                f"{self.gradient_accumulation_steps}: change one of them"
            )
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas} must lie in [0, 1)")
        return self
