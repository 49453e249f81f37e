"""The typed model of what training changes in the diffusion model."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.section import Section

AdapterKind = Literal["none", "cross-attention-lora", "linear-lora", "cross-attention-full", "full"]


class AdapterConfig(Section):
    """Which weights of the diffusion model are trained, or added to it and trained.

    Raises
    ------
    pydantic.ValidationError
        If a key is unknown, out of range, or would not be used by the chosen ``kind``.

    Examples
    --------
    >>> AdapterConfig().kind, AdapterConfig().rank
    ('cross-attention-lora', 4)
    """

    kind: AdapterKind = Field(
        "cross-attention-lora",
        description=(
            "none: frozen; cross-attention-lora or linear-lora: low-rank updates of the cross-attention or of all linear "
            "layers; cross-attention-full or full: those weights, or all, themselves. "
            "Source: Dynadiff, section 3, and its ablations."
        ),
    )
    rank: int = Field(4, ge=1, description="Rank of the updates. Source: Dynadiff, section 3.")
    alpha: int = Field(
        4, ge=1, description="The updates are scaled by alpha / rank. Source: Dynadiff's code."
    )

    @property
    def is_lora(self) -> bool:
        """Whether low-rank updates are added."""
        return self.kind.endswith("-lora")

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if not self.is_lora:
            self.refuse_unused(("rank", "alpha"), because=f"with kind: {self.kind}")
        return self
