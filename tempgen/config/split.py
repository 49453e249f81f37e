"""The typed model of a split: which trials train and which test."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tempgen.config.expression import check_condition
from tempgen.config.section import Section

TRIAL_CONDITIONS = {
    "session": "session, as the dataset numbers them",
    "run": "run of the store, from 0",
    "position_in_run": "place among the trials of its run, from 0",
    "onset_tr": "volume of the onset within its run, from 0",
    "onset_s": "seconds of the onset within its run",
    "duration_s": "seconds that the image is shown",
    "image_id": "image (or label), as the dataset numbers them",
    "label": "name of the label; only where the store has labels and no images",
    "repetition": "presentation of its image, from 0",
    "shared1000": "whether it shows one of NSD's shared images",
    "previous_image": "image_id of the trial before; -1 where there is none or a blank lies between",
    "next_image": "image_id of the trial after; -1 where there is none or a blank lies between",
    "after_blank": "whether no image is before it: first of its run, or first after a blank",
    "before_blank": "whether no image is after it: last of its run, or last before a blank",
}
"""Columns that ``train_where`` and ``test_where`` may name, and their meaning."""
WHERE_KEYS = ("train_where", "test_where")


class SplitConfig(Section):
    """Which trials train and which test."""

    kind: Literal["time-resolved", "nsd-standard", "interleaved"] = Field(
        "time-resolved",
        description=(
            "By run; NSD's shared 1,000 images as the test set; or interleaved, trial by trial across all runs, so that "
            "windows of training and test trials share volumes (a control: how much leaks). "
            "Source: Dynadiff, Figures 4 and 5; interleaved: house choice."
        ),
    )
    test_fraction: float = Field(
        45 / 480,
        gt=0,
        lt=1,
        description="Share of the runs (interleaved: of the trials) that test. Source: Dynadiff: 45 of 480 runs.",
    )
    n_test_runs: int | None = Field(
        None, ge=1, description="The same as a count, instead of test_fraction. Source: off unless given."
    )
    fold: int = Field(
        0,
        ge=0,
        description="Which group of test runs, in the seeded order: folds 0, 1, ... share no run. Source: cross-validation.",
    )
    image_disjoint: bool = Field(
        True,
        description=(
            "Drop training trials of images that occur in test runs (needs images, not mere labels). "
            "Source: house choice; the paper's own split allows repeats: false."
        ),
    )
    seed: int = Field(0, ge=0, description="Seed of the choice of runs. Source: convention.")
    train_where: str | None = Field(
        None,
        description=(
            "Condition on the trials that train, e.g. session <= 2; the others of the training runs are left out. "
            "Source: off unless given."
        ),
    )
    test_where: str | None = Field(
        None,
        description=(
            "Condition on the trials that test, e.g. after_blank; the others of the test runs are left out. "
            "Source: off unless given."
        ),
    )

    @field_validator(*WHERE_KEYS)
    @classmethod
    def _names_columns(cls, condition: str | None, info: Any) -> str | None:
        if condition is not None:
            check_condition(condition, key=f"split.{info.field_name}", columns=TRIAL_CONDITIONS)
        return condition

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.kind == "nsd-standard":
            self.refuse_unused(
                ("test_fraction", "n_test_runs", "fold", "seed", "image_disjoint"), because="by nsd-standard"
            )
        if self.kind == "interleaved":
            self.refuse_unused(("n_test_runs",), because="by interleaved (use test_fraction)")
        if self.n_test_runs is not None:
            self.refuse_unused(("test_fraction",), because="beside n_test_runs")
        return self

    def recipe(self) -> dict[str, Any]:
        """The section as plain values; conditions that are not given leave no trace, as in recipes before they existed."""
        without = {name for name in WHERE_KEYS if getattr(self, name) is None}
        return self.model_dump(mode="json", exclude=without)
