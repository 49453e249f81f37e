"""The typed model of the brain module: every variant that the paper, its code or its reviews name is a value here."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.section import Section


class BrainModuleConfig(Section):
    """From a window of BOLD to the tokens that condition the diffusion model.

    Raises
    ------
    pydantic.ValidationError
        If a key is unknown, out of range, or would not be used by the others.

    Examples
    --------
    The brain module of the paper, and one with a path for a warm start from ridge:

    >>> BrainModuleConfig().hidden_size
    1552
    >>> BrainModuleConfig(hidden_size=256, linear_path_rank=64).linear_path_rank
    64
    """

    hidden_size: int = Field(
        1552, ge=1, description="Width of the layers between voxels and tokens. Source: Dynadiff, section 3."
    )
    timestep_layer: bool = Field(
        True,
        description=(
            "Each TR has a linear layer of its own; off: one that all TRs share. "
            "Source: Dynadiff, section 3; off is use_tr_layer: false of its code."
        ),
    )
    temporal: Literal["linear", "conv1d", "attention"] = Field(
        "linear",
        description=(
            "What mixes the TRs before they are aggregated: nothing nonlinear, a residual 1D convolution over time "
            "(kernel 3), or residual self-attention over time. Source: Dynadiff has linear; its reviews ask for the others."
        ),
    )
    n_heads: int = Field(
        8, ge=1, description="Heads of the attention over time. Source: as many as the diffusion model's."
    )
    aggregation: Literal["linear", "mean"] = Field(
        "linear",
        description="How TRs become one: learned weights, or their mean. Source: Dynadiff, section 3; mean is in its code.",
    )
    aggregation_place: Literal["in", "out"] = Field(
        "out",
        description=(
            "Where: in, on the window before any other layer; out, on the hidden layer before the output. "
            "Source: time_agg of Dynadiff's code (in_* and out_*)."
        ),
    )
    output_rank: int | None = Field(
        None,
        ge=1,
        description=(
            "Rank of the output layer, which holds 89 % of the weights at the paper's size; null: full. "
            "Source: Dynadiff has full; its reviews ask for smaller ones."
        ),
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Share of the hidden units that training drops. Source: Dynadiff's code."
    )
    linear_path_rank: int | None = Field(
        None,
        ge=1,
        description=(
            "Rank of a linear path from the window to the tokens, which a warm start from ridge fills; null: no such path. "
            "Source: house choice; Dynadiff has none."
        ),
    )

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.aggregation_place == "in":
            self.refuse_unused(
                ("temporal",), because="with aggregation_place: in, which leaves one time point"
            )
        if self.temporal != "attention":
            self.refuse_unused(("n_heads",), because=f"with temporal: {self.temporal}")
        elif self.hidden_size % self.n_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of n_heads {self.n_heads}: change one"
            )
        return self
