"""The typed models of an analysis file: every key, its default and where the default comes from.

An unknown key is refused, and so is a key that the chosen options would not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tempgen.config.simulation import SimulationConfig
from tempgen.windows import DEFAULT_DELTAS, DEFAULT_N_TR, DEFAULT_T0_S, Window, format_deltas, parse_deltas

Deltas = Annotated[tuple[int, ...], BeforeValidator(parse_deltas)]


class Section(BaseModel):
    """A part of an analysis file: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def refuse_unused(self, keys: tuple[str, ...], *, because: str) -> None:
        """Raise if any of ``keys``, which this combination of options would ignore, was changed from its default."""
        given = [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]
        if given:
            raise ValueError(f"{', '.join(given)} would not be used {because}: remove it")


class PreprocessConfig(Section):
    """What is done to each run before it enters the store."""

    drift: Literal["cosine", "linear", "none"] = Field(
        "cosine",
        description="Slow drift removed from each run. Source: Dynadiff, section 3 (its code: linear).",
    )
    drift_cutoff_s: float = Field(
        128.0, gt=0, description="Longest period (s) that the cosine drift leaves in. Source: SPM's default."
    )
    high_pass_hz: float | None = Field(
        None,
        gt=0,
        description="Butterworth high-pass on top (Hz); null: off. Source: Dynadiff, which has none.",
    )
    confounds: bool | tuple[str, ...] = Field(
        False,
        description=(
            "Regress out motion (NSD) or confounds (BIDS): true, false or a list of columns. "
            "Source: Dynadiff, which has none."
        ),
    )


class BidsConfig(Section):
    """What to read of a BIDS dataset."""

    task: str | None = Field(None, description="Task label; null if there is only one. Source: BIDS.")
    session: str | None = Field(None, description="Session label; null: all. Source: BIDS.")
    derivatives: Path | None = Field(
        None, description="fMRIPrep folder with the preprocessed BOLD; null: raw. Source: BIDS derivatives."
    )
    space: str | None = Field(None, description="Space label of the derivatives, e.g. T1w. Source: fMRIPrep.")
    mask: Path | None = Field(
        None, description="Mask image; null: the derivatives' brain mask, else one computed. Source: nilearn."
    )
    onsets: Literal["nearest", "resample"] = Field(
        "nearest",
        description=(
            "Onsets off the volume grid: to the nearest volume (the residual is kept) or resample the series. "
            "Source: house choice; nearest changes no data."
        ),
    )
    resample_tr_s: float | None = Field(
        None, gt=0, description="TR (s) of the resampled series; null: found from the onsets. Source: none."
    )
    tr_s: float | None = Field(
        None,
        gt=0,
        description="Your claim of the TR (s); a contradicting header is refused. Source: BIDS sidecar.",
    )
    stimulus_column: str | None = Field(
        None,
        description="Column of events.tsv; null: stim_file, stimulus or trial_type, whichever comes first. Source: BIDS.",
    )


class DataConfig(Section):
    """Where the recording is and what becomes of it."""

    source: Literal["simulated", "nsd", "bids"] = Field(
        "simulated", description="Layout of the dataset. Source: the demo, which simulates a subject."
    )
    path: Path | None = Field(
        None, description="Root of the dataset; null (simulated only): FOLDER/simulated. Source: none."
    )
    subject: Annotated[str, BeforeValidator(str)] = Field(
        "1", description="Subject: NSD's number or BIDS' label. Source: NSD starts at 1."
    )
    roi: str = Field(
        "nsdgeneral",
        description="NSD region whose voxels are kept; lh./rh. allowed. Source: Dynadiff, section 3.",
    )
    atlases: tuple[str, ...] = Field(
        ("streams",), description="NSD atlases carried along as voxel labels. Source: NSD data manual."
    )
    sessions: Deltas | None = Field(
        None, description="NSD sessions, e.g. 1..10; null: all on disk. Source: Dynadiff uses all."
    )
    image_size: int = Field(
        224,
        ge=8,
        description="Larger images are shrunk to this many pixels a side. Source: Dynadiff's metrics.",
    )
    preprocess: PreprocessConfig = Field(PreprocessConfig(), description="Cleaning of each run.")
    simulate: SimulationConfig = Field(
        SimulationConfig(), description="Simulated subjects (source: simulated)."
    )
    bids: BidsConfig = Field(BidsConfig(), description="Entities of a BIDS dataset (source: bids).")

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.source != "simulated":
            self.refuse_unused(("simulate",), because=f"with source: {self.source}")
            if self.path is None:
                raise ValueError(f"path is needed with source: {self.source}: the root of the dataset")
        if self.source != "bids":
            self.refuse_unused(("bids",), because=f"with source: {self.source}")
        else:
            self.refuse_unused(("roi", "atlases", "sessions"), because="with source: bids (use bids.mask)")
        if self.source != "bids" and not self.subject.isdigit():
            raise ValueError(f"subject {self.subject!r} is no NSD subject: give its number, e.g. 1")
        return self


class WindowConfig(Section):
    """The volumes that a decoder sees, before shifting."""

    t0_s: float = Field(
        DEFAULT_T0_S,
        description="Seconds from image onset to the window's start. Source: Dynadiff, section 3.",
    )
    start_tr: int | None = Field(None, description="The same in volumes, instead of t0_s. Source: none.")
    n_tr: int = Field(DEFAULT_N_TR, ge=1, description="Width in volumes. Source: Dynadiff, section 3.")
    duration_s: float | None = Field(
        None, gt=0, description="The same in seconds, instead of n_tr. Source: none."
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
        None, ge=1, description="The same as a count, instead of test_fraction. Source: none."
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


class DecoderConfig(Section):
    """What is fitted at each train lag."""

    kind: Literal["ridge"] = Field(
        "ridge", description="The decoder. Source: the fastest that reconstructs images."
    )
    target: Literal["auto", "pixels", "labels"] = Field(
        "auto",
        description="What it predicts; auto: pixels where there are images, else labels. Source: none.",
    )
    target_size: int = Field(
        16,
        ge=2,
        description="Pixels a side of the images that it predicts. Source: house choice, see README.",
    )
    alphas: tuple[float, ...] = Field(
        tuple(float(f"{10.0 ** (k / 2):.3g}") for k in range(-4, 6)),
        description="Ridge penalties, in units of the mean squared norm of a training window. Source: house choice.",
    )
    alpha_per_target: bool = Field(
        False,
        description="Choose the penalty for each output instead of one for all. Source: himalaya offers both.",
    )
    n_folds: int = Field(
        3, ge=1, description="Folds of held-out training runs that choose the penalty. Source: house choice."
    )


class TrainingConfig(Section):
    """At which lags decoders are fitted, and on what."""

    deltas: Deltas = Field(
        DEFAULT_DELTAS,
        description="Train lags of the Specialized decoders (TRs). Source: Dynadiff, Figure 5.",
    )
    general_delta: int = Field(0, description="Train lag of the General decoder (TRs). Source: Dynadiff.")
    device: str | None = Field(
        None, description="Torch device, e.g. cuda; null: NumPy on the CPU. Source: the demo needs no GPU."
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
        None, description="Names of metrics; null: all of the suite that fits the data. Source: none."
    )
    image_size: int | None = Field(
        None, ge=8, description="Pixels a side at which images are compared; null: the store's. Source: none."
    )


class FiguresConfig(Section):
    """What is drawn."""

    metrics: tuple[str, ...] | None = Field(None, description="Metrics to draw; null: all. Source: none.")
    n_draws: int = Field(2000, ge=100, description="Bootstrap draws. Source: convention for 95 % intervals.")
    level: float = Field(0.95, gt=0, lt=1, description="Level of the intervals. Source: convention.")
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
        description="Where everything is written; null: outputs/NAME of the current folder. Source: none.",
    )
    data: DataConfig = Field(DataConfig(), description="The recording.")
    window: WindowConfig = Field(WindowConfig(), description="The window of BOLD.")
    split: SplitConfig = Field(SplitConfig(), description="Training and test trials.")
    decoder: DecoderConfig = Field(DecoderConfig(), description="The decoder.")
    training: TrainingConfig = Field(TrainingConfig(), description="The train lags.")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="The test lags.")
    figures: FiguresConfig = Field(FiguresConfig(), description="The figures.")

    @property
    def output_folder(self) -> Path:
        """Where everything is written."""
        return self.folder if self.folder is not None else Path("outputs") / self.name

    @property
    def test_deltas(self) -> tuple[int, ...]:
        """Test lags: those asked for, else those of the training."""
        return self.evaluation.deltas if self.evaluation.deltas is not None else self.training.deltas

    @property
    def all_deltas(self) -> tuple[int, ...]:
        """Every lag at which a window must lie inside its run, ascending."""
        general = (self.training.general_delta,)
        return tuple(sorted({*self.training.deltas, *self.test_deltas, *general}))

    def summary(self) -> str:
        """One line for the terminal."""
        return (
            f"analysis {self.name!r}: {self.data.source} data, subject {self.data.subject}, {self.decoder.kind} decoder, "
            f"train lags {format_deltas(self.training.deltas)}, test lags {format_deltas(self.test_deltas)}"
        )
