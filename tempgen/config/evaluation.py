"""How decoders are scored: the keys of an analysis file below ``evaluation``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tempgen.config.section import Deltas, Section


class EvaluationConfig(Section):
    """At which lags decoders are scored, and how."""

    deltas: Deltas | None = Field(
        None, description="Test lags (TRs); null: those of the training. Source: Dynadiff, Figure 5."
    )
    train_deltas: Deltas | None = Field(
        None,
        description=(
            "Train lags (TRs) whose decoders are scored, of those that the analysis trains; null: all of them. With deltas, "
            "any rows and columns of the matrix. Source: off unless given."
        ),
    )
    matrix: bool = Field(
        False,
        description="Score every train lag at every test lag. Source: temporal generalization (King 2014).",
    )
    targets: tuple[Literal["previous", "current", "next"], ...] = Field(
        ("previous", "current", "next"),
        min_length=1,
        description="Images that a reconstruction is compared with. Source: Dynadiff, Figure 4.",
    )
    repetitions: Literal["all", "one", "average"] = Field(
        "all",
        description=(
            "Presentations of a test image: all, each scored by itself; one of them, drawn at random; or average: the windows of all "
            "its test presentations, averaged at each lag before decoding, compared with the current image alone (targets: [current]). "
            "Source: house choice; Dynadiff's tables have one, and average."
        ),
    )
    suite: str | None = Field(
        None,
        min_length=1,
        description=(
            "Metrics of images: pixels, scenes, paper, mindeye, brain-diffuser or one of your own; null: scenes for simulated "
            "subjects, pixels for others. All but pixels need torch. Source: each of them names its own."
        ),
    )
    metrics: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Names of metrics of the suite, or registered ones; null: all of it. Source: off unless given.",
    )
    identification: Literal["reconstruction-to-seen", "seen-to-reconstruction"] | None = Field(
        None,
        description=(
            "What is compared with all others in two-way identification; null: as the suite does, reconstruction-to-seen "
            "in those of the package. Source: Brain-Diffuser and MindEye; each trial is "
            "scored by itself. Dynadiff's code runs in the other direction."
        ),
    )
    segmentation: str | None = Field(
        None,
        description=(
            "Another ADE20K segmentation model of transformers for mIoU, REPOSITORY@COMMIT or a folder; null: the suite's. "
            "Source: off unless given."
        ),
    )
    image_size: int | None = Field(
        None,
        ge=8,
        description=(
            "Pixels a side of reconstructions, as they are kept and before the suite's own resize; null: the store's. "
            "Source: off unless given."
        ),
    )
    device: str | None = Field(
        None,
        description=(
            "Torch device of the suite's networks, e.g. cpu where a GPU has no room beside the decoder; null: "
            "training.device if that is given, else a GPU where there is one. Source: house choice."
        ),
    )
    feature_cache: Path | None = Field(
        None,
        description=(
            "Folder that keeps the features of seen and reconstructed images (suite paper: about 2 MB an image), so that no "
            "image goes through a network twice; null: none. Source: off unless given."
        ),
    )
    max_trials: int | None = Field(
        None,
        ge=2,
        description=(
            "Test trials (with repetitions other than all: images) that are reconstructed and scored, the same at every lag; null: all. "
            "For decoders that take long for an image. Source: off unless given."
        ),
    )
    n_permutations: int = Field(
        1000,
        ge=0,
        description=(
            "Permutations of the images within runs, whose mean scores are kept for tests; 0: none. Source: p down to 0.001; "
            "Nichols and Holmes 2002."
        ),
    )
    seed: int = Field(
        0,
        ge=0,
        description="Seed of the choice of trials, of one presentation an image and of the permutations. Source: convention.",
    )
    keep_reconstructions: int | str = Field(
        "none",
        description=(
            "Reconstructions kept beside their seen images: none, all, or of how many test trials. Source: scores "
            "need none."
        ),
    )
    max_kept_gb: float = Field(
        4.0,
        gt=0,
        description="Most that they may take on disk (GB); asked before they are made. Source: house choice.",
    )

    @field_validator("keep_reconstructions")
    @classmethod
    def _some_all_or_none(cls, keep: int | str) -> int | str:
        if keep not in ("none", "all") and (isinstance(keep, str) or keep < 1):
            raise ValueError(f"write none, all, or of how many trials, at least 1; got {keep!r}")
        return keep

    @model_validator(mode="before")
    @classmethod
    def _current_image_of_averages(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("repetitions") == "average" and "targets" not in content:
            return {**content, "targets": ("current",)}
        return content

    @model_validator(mode="after")
    def _no_neighbour_of_averages(self) -> Self:
        if self.repetitions == "average" and self.targets != ("current",):
            raise ValueError(
                f"repetitions: average has no previous and no next image, since each presentation has its own: targets is "
                f"[{', '.join(self.targets)}], write targets: [current] or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _no_more_kept_than_scored(self) -> Self:
        keep = self.keep_reconstructions
        if isinstance(keep, int) and self.max_trials is not None and keep > self.max_trials:
            raise ValueError(
                f"keep_reconstructions is {keep}, but max_trials lets only {self.max_trials} be reconstructed"
            )
        return self
