"""The typed model of controls: which are run, on what they are judged, how sure a verdict has to be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tempgen.config.expression import check_condition
from tempgen.config.section import Deltas, Section

CONTROLS = {
    "before_onset": "windows that end before onset: nothing of the image, of isolated trials and of all",
    "previous_image": "windows shifted back by one trial: the previous image and not the current one",
    "permuted_labels": "decoders trained on images permuted within runs: nothing; images permuted at the test: less",
    "one_neighbour": "trials with a next image only, and with a previous image only",
    "after_blank": "first trials after a blank against the rest",
    "no_overlap": "generalization between windows that share no volume",
    "repetition": "images that were trained on against images that were not",
    "neighbours": "a split by run against one by trial, whose windows share volumes",
    "motion": "motion parameters in the place of BOLD",
    "rois": "each region by itself",
}
"""Controls by name, in the order in which they are run and shown."""


class ControlsConfig(Section):
    """Which controls are run, and how they are judged."""

    only: tuple[str, ...] | None = Field(
        None, min_length=1, description="Names of controls; null: all of them. Source: off unless given."
    )
    metric: str | None = Field(
        None,
        description=(
            "Metric that verdicts are about; null: identification where it is scored, else the first of the suite. "
            "Source: house choice; its chance level does not depend on the decoder."
        ),
    )
    unit: Literal["image_id", "run", "session", "trial"] | None = Field(
        None,
        description="What is resampled; null: images, or runs where labels are decoded. Source: as in the figures.",
    )
    level: float = Field(0.95, gt=0.5, lt=1, description="Level of the intervals. Source: convention.")
    tolerance: float = Field(
        1 / 3,
        gt=0,
        lt=1,
        description=(
            "Share of the decoder's effect at general_delta below which an interval must end for an effect to count as "
            "absent; wider ones decide nothing. Source: house choice."
        ),
    )
    negligible: float = Field(
        0.1,
        ge=0,
        lt=1,
        description=(
            "Share of it below which an effect counts as absent although it differs from 0: with many trials everything does. "
            "Source: house choice."
        ),
    )
    n_draws: int = Field(
        2000,
        ge=100,
        description="Bootstrap draws, and sign flips of tests. Source: convention for 95 % intervals.",
    )
    seed: int = Field(0, ge=0, description="Seed of draws, sign flips and permutations. Source: convention.")
    before_deltas: Deltas | None = Field(
        None,
        description=(
            "Lags whose windows end before onset (TRs); null: the two latest such. Source: house choice; earlier ones cost "
            "trials at the beginning of runs."
        ),
    )
    n_retrainings: int = Field(
        5,
        ge=1,
        description=(
            "Decoders trained on permuted images; with fewer than three the interval is over test trials and leaves out that "
            "another permutation gives another decoder. Source: house choice."
        ),
    )
    rois: dict[str, str] | None = Field(
        None,
        description=(
            "Regions by name, each a condition on voxels as in inputs.voxels_where; null: each label of the store's first "
            "atlas. Source: off unless given."
        ),
    )

    @field_validator("only")
    @classmethod
    def _known(cls, only: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = [name for name in only or () if name not in CONTROLS]
        if unknown:
            raise ValueError(f"there is no control {unknown[0]!r}; there are {', '.join(CONTROLS)}")
        return only

    @field_validator("rois")
    @classmethod
    def _conditions(cls, rois: dict[str, str] | None) -> dict[str, str] | None:
        for name, condition in (rois or {}).items():
            if not name.replace("_", "").replace("-", "").isalnum():
                raise ValueError(f"{name!r} names a folder: use letters, digits, '_' and '-'")
            check_condition(condition, key=f"controls.rois.{name}")
        return rois

    @property
    def names(self) -> tuple[str, ...]:
        """The controls that are run, in their order."""
        return tuple(name for name in CONTROLS if self.only is None or name in self.only)

    @property
    def alpha(self) -> float:
        """Probability at which a test rejects, 1 - level."""
        return 1 - self.level
