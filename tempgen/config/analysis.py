"""The typed models of an analysis file: every key, its default and where the default comes from.

An unknown key is refused, and so is a key that the chosen options would not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tempgen.config.decoder import DecoderConfig, RidgeConfig, makes_images_by_diffusion
from tempgen.config.recording import DataConfig
from tempgen.config.section import Deltas, Section
from tempgen.windows import DEFAULT_DELTAS, DEFAULT_N_TR, DEFAULT_T0_S, Window, format_deltas


class WindowConfig(Section):
    """The volumes that a decoder sees, before shifting."""

    t0_s: float = Field(
        DEFAULT_T0_S,
        description="Seconds from image onset to the window's start. Source: Dynadiff, section 3.",
    )
    start_tr: int | None = Field(
        None, description="The same in volumes, instead of t0_s. Source: off unless given."
    )
    n_tr: int = Field(DEFAULT_N_TR, ge=1, description="Width in volumes. Source: Dynadiff, section 3.")
    duration_s: float | None = Field(
        None, gt=0, description="The same in seconds, instead of n_tr. Source: off unless given."
    )

    @model_validator(mode="after")
    def _one_unit_each(self) -> Self:
        if self.start_tr is not None:
            self.refuse_unused(("t0_s",), because="beside start_tr")
        if self.duration_s is not None:
            self.refuse_unused(("n_tr",), because="beside duration_s")
        return self

    def on_grid(self, tr_s: float) -> Window:
        """The window on a volume grid of ``tr_s`` seconds."""
        width: dict[str, float] = (
            {"n_tr": self.n_tr} if self.duration_s is None else {"duration_s": self.duration_s}
        )
        window = Window.from_seconds(self.t0_s, tr_s=tr_s, **width)  # type: ignore[arg-type]
        return window if self.start_tr is None else Window(self.start_tr, window.n_tr, tr_s)


class SplitConfig(Section):
    """Which trials train and which test."""

    kind: Literal["time-resolved", "nsd-standard"] = Field(
        "time-resolved",
        description="By run, or NSD's shared 1,000 images as the test set. Source: Dynadiff, Figures 4 and 5.",
    )
    test_fraction: float = Field(
        45 / 480, gt=0, lt=1, description="Share of the runs that test. Source: Dynadiff: 45 of 480 runs."
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

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.kind == "nsd-standard":
            self.refuse_unused(
                ("test_fraction", "n_test_runs", "fold", "seed", "image_disjoint"), because="by nsd-standard"
            )
        if self.n_test_runs is not None:
            self.refuse_unused(("test_fraction",), because="beside n_test_runs")
        return self


class TrainingConfig(Section):
    """At which lags decoders are fitted, and on what."""

    deltas: Deltas = Field(
        DEFAULT_DELTAS,
        description="Train lags of the Specialized decoders (TRs). Source: Dynadiff, Figure 5.",
    )
    general_delta: int = Field(0, description="Train lag of the General decoder (TRs). Source: Dynadiff.")
    device: str | None = Field(
        None,
        description=(
            "Torch device, e.g. cuda; null: NumPy on the CPU (ridge), a GPU where there is one (diffusion). "
            "Source: the demo needs no GPU."
        ),
    )


class EvaluationConfig(Section):
    """At which lags decoders are scored, and how."""

    deltas: Deltas | None = Field(
        None, description="Test lags (TRs); null: those of the training. Source: Dynadiff, Figure 5."
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
    metrics: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Names of metrics; null: all of the suite that fits the data. Source: off unless given.",
    )
    image_size: int | None = Field(
        None,
        ge=8,
        description="Pixels a side at which images are compared; null: the store's. Source: off unless given.",
    )
    max_trials: int | None = Field(
        None,
        ge=2,
        description=(
            "Test trials that are reconstructed and scored, the same at every lag; null: all. For decoders that take "
            "long for an image. Source: off unless given."
        ),
    )
    seed: int = Field(0, ge=0, description="Seed of the choice of trials. Source: convention.")
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

    @model_validator(mode="after")
    def _no_more_kept_than_scored(self) -> Self:
        keep = self.keep_reconstructions
        if isinstance(keep, int) and self.max_trials is not None and keep > self.max_trials:
            raise ValueError(
                f"keep_reconstructions is {keep}, but max_trials lets only {self.max_trials} be reconstructed"
            )
        return self


class FiguresConfig(Section):
    """What is drawn."""

    metrics: tuple[str, ...] | None = Field(
        None, description="Metrics to draw; null: all. Source: off unless given."
    )
    n_draws: int = Field(2000, ge=100, description="Bootstrap draws. Source: convention for 95 % intervals.")
    level: float = Field(0.95, gt=0, lt=1, description="Level of the intervals. Source: convention.")
    beside: Path | None = Field(
        None,
        description=(
            "Folder of another analysis to draw beside this one (of a diffusion decoder), e.g. ridge to the same tokens. "
            "Source: off unless given."
        ),
    )
    n_trials: int = Field(
        6,
        ge=1,
        description="Test trials whose reconstructions are drawn, of those kept. Source: house choice.",
    )
    formats: tuple[Literal["png", "svg", "pdf"], ...] = Field(
        ("png", "svg"), description="File formats. Source: what journals take."
    )


class Analysis(Section):
    """One analysis: from a recording to figures."""

    name: str = Field(
        "demo", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Names the analysis. Source: the demo."
    )
    folder: Path | None = Field(
        None,
        description="Where everything is written; null: outputs/NAME of the current folder. Source: off unless given.",
    )
    data: DataConfig = Field(DataConfig(), description="The recording.")
    window: WindowConfig = Field(WindowConfig(), description="The window of BOLD.")
    split: SplitConfig = Field(SplitConfig(), description="Training and test trials.")
    decoder: DecoderConfig = Field(RidgeConfig(), description="The decoder; each kind has its own keys.")
    training: TrainingConfig = Field(TrainingConfig(), description="The train lags.")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="The test lags.")
    figures: FiguresConfig = Field(FiguresConfig(), description="The figures.")

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if not makes_images_by_diffusion(self.decoder):
            self.figures.refuse_unused(("beside", "n_trials"), because="by a decoder without diffusion")
        return self

    @property
    def output_folder(self) -> Path:
        """Where everything is written."""
        return self.folder if self.folder is not None else Path("outputs") / self.name

    @property
    def fitted_deltas(self) -> tuple[int, ...]:
        """Train lags of all decoders, the General one's among them, ascending."""
        return tuple(sorted({*self.training.deltas, self.training.general_delta}))

    @property
    def evaluated_deltas(self) -> tuple[int, ...]:
        """Test lags: those asked for, else those of the training."""
        return self.evaluation.deltas if self.evaluation.deltas is not None else self.training.deltas

    @property
    def all_deltas(self) -> tuple[int, ...]:
        """Every lag at which a window must lie inside its run, ascending."""
        return tuple(sorted({*self.fitted_deltas, *self.evaluated_deltas}))

    def summary(self) -> str:
        """One line for the terminal."""
        return (
            f"analysis {self.name!r}: {self.data.source} data, subject {self.data.subject}, {self.decoder.kind} decoder, "
            f"train lags {format_deltas(self.training.deltas)}, test lags {format_deltas(self.evaluated_deltas)}"
        )
