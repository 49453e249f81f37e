"""The typed model of a separability test: which features, which lags, how sure a verdict has to be."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tempgen.config.section import Section

NAMED_FEATURES = ("pixels", "tokens", "truth")
"""Features that are made, not read: of the images at low resolution, of a backbone, of a simulated subject's truth file."""


class SeparabilityConfig(Section):
    """How the separability test is done."""

    features: str = Field(
        "pixels",
        description=(
            "pixels: the images at 8 x 8; tokens: those of the backbone; truth: what a simulated subject answers to; or a file, "
            ".csv (column image_id and one a feature), .npz (image_id, values) or .npy (rows as the store's images, by "
            "ascending image_id). Source: house choice; pixels need nothing."
        ),
    )
    n_components: int = Field(
        20,
        ge=1,
        le=200,
        description=(
            "Features beyond this number are replaced by so many principal components. Source: house choice; with 30 runs of "
            "NSD more cost more than they explain."
        ),
    )
    backbone: str = Field(
        "scenes", description="Whose tokens: a name or a folder (features: tokens). Source: the demo's."
    )
    n_lags: int = Field(
        16,
        ge=4,
        le=60,
        description="Volumes from onset in which an image may act. Source: 16 of NSD's hold an HRF of 21 s.",
    )
    n_folds: int = Field(
        5, ge=3, description="Groups of runs, each tested once. Source: convention; the penalty needs 3."
    )
    n_bootstrap: int = Field(
        199, ge=19, description="Surrogates of a static code. Source: convention for alpha 0.05."
    )
    alpha: float = Field(
        0.05, gt=0, lt=0.5, description="Rate of false alarms of a region and of the map. Source: convention."
    )
    negligible: float = Field(
        0.02,
        gt=0,
        lt=1,
        description=(
            "Gain beyond chance, as a share of the R2 of rank 1, below which a code counts as static although it may differ from "
            "one. Source: house choice; a pattern that turns by 90 degrees in 9 s has 0.14."
        ),
    )
    least_r2: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="R2 on training runs from which a voxel counts for its region. Source: house choice.",
    )
    seed: int = Field(0, ge=0, description="Seed of folds and surrogates. Source: convention.")

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.features != "tokens":
            self.refuse_unused(("backbone",), because=f"by features: {self.features}")
        if self.n_bootstrap < 1 / self.alpha - 1:
            raise ValueError(f"n_bootstrap={self.n_bootstrap} gives no p as small as alpha={self.alpha:g}")
        return self
