"""What all sections of an analysis file share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from tempgen.windows import parse_deltas

Deltas = Annotated[tuple[int, ...], BeforeValidator(parse_deltas)]
"""Lags or sessions, written ``-2..13``, ``-3,0,3`` or ``5``."""


class Section(BaseModel):
    """A part of an analysis file: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def refuse_unused(self, keys: tuple[str, ...], *, because: str) -> None:
        """Raise if any of ``keys``, which this combination of options would ignore, was changed from its default."""
        given = [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]
        if given:
            raise ValueError(f"{', '.join(given)} would not be used {because}: remove it")
