"""The typed model of what decoders see of a recording: all voxels, some of them, or the motion of the head."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tempgen.config.expression import check_condition
from tempgen.config.section import Section


class InputsConfig(Section):
    """What a window holds at each volume."""

    kind: Literal["bold", "motion"] = Field(
        "bold",
        description=(
            "BOLD of voxels, or the motion parameters in their place (a control: what motion alone tells of the image). "
            "Source: Dynadiff; motion: house choice."
        ),
    )
    voxels_where: str | None = Field(
        None,
        description=(
            "Condition on the voxels, by the store's atlases and coordinates (i, j, k, x_mm, y_mm, z_mm), e.g. "
            "streams == 5; null: all. Source: off unless given."
        ),
    )

    @field_validator("voxels_where")
    @classmethod
    def _is_a_condition(cls, condition: str | None) -> str | None:
        if condition is not None:
            check_condition(condition, key="inputs.voxels_where")
        return condition

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.kind == "motion":
            self.refuse_unused(("voxels_where",), because="with kind: motion")
        return self

    def recipe(self) -> dict[str, Any]:
        """The section as plain values; nothing for the BOLD of all voxels, as in recipes before there was a choice."""
        return {} if self == InputsConfig() else self.model_dump(mode="json", exclude_none=True)
