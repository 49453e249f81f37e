"""The typed models of an analysis file: every key, its default and where the default comes from.

An unknown key is refused, and so is a key that the chosen options would not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.decoder import DecoderConfig, RidgeConfig, makes_images_by_diffusion
from tempgen.config.evaluation import EvaluationConfig
from tempgen.config.inputs import InputsConfig
from tempgen.config.recording import DataConfig
from tempgen.config.section import Deltas, Section
from tempgen.config.signal import SignalConfig
from tempgen.config.split import SplitConfig
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
    blur_faces: bool = Field(
        False,
        description=(
            "Blur faces in the images that are drawn (needs the extra faces); scores are of the images as they are. "
            "Source: Dynadiff's figures do; simulated scenes have none."
        ),
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
    inputs: InputsConfig = Field(InputsConfig(), description="What decoders see of it.")
    window: WindowConfig = Field(WindowConfig(), description="The window of BOLD.")
    split: SplitConfig = Field(SplitConfig(), description="Training and test trials.")
    signal: SignalConfig = Field(
        SignalConfig(), description="What is decoded: BOLD, or what is estimated from it."
    )
    decoder: DecoderConfig = Field(RidgeConfig(), description="The decoder; each kind has its own keys.")
    training: TrainingConfig = Field(TrainingConfig(), description="The train lags.")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="The test lags.")
    figures: FiguresConfig = Field(FiguresConfig(), description="The figures.")

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if not makes_images_by_diffusion(self.decoder):
            self.figures.refuse_unused(
                ("beside", "n_trials", "blur_faces"), because="by a decoder without diffusion"
            )
        unfitted = set(self.evaluated_train_deltas) - set(self.fitted_deltas)
        if unfitted:
            raise ValueError(
                f"evaluation.train_deltas asks for decoders at lags {format_deltas(unfitted)}, trained are those at "
                f"{format_deltas(self.fitted_deltas)}: see training.deltas"
            )
        general, tests = self.training.general_delta, self.evaluated_deltas
        if not self.evaluation.matrix and not {general, *tests} & set(self.evaluated_train_deltas):
            raise ValueError(
                f"evaluation.train_deltas leaves neither the General decoder (lag {general}) nor one that is tested at its own "
                f"lag ({format_deltas(tests)}): set evaluation.matrix: true"
            )
        return self

    @model_validator(mode="after")
    def _windows_of_betas(self) -> Self:
        if self.signal.kind != "betas" or self.inputs.kind != "bold":
            return self
        window, n_components = self.window, self.signal.n_components
        start_tr = 0 if window.start_tr is None and window.t0_s == 0 else window.start_tr
        n_tr = window.n_tr if window.duration_s is None else 1  # its volumes are known with the TR
        asked = () if start_tr is None else Window(start_tr, n_tr, tr_s=1.0).offsets(self.all_deltas)
        if not asked or asked[0] < 0 or asked[-1] >= n_components:
            raise ValueError(
                f"signal.kind is betas ({self.signal.basis}): a trial has {n_components}, at volume {format_deltas(range(n_components))} "
                "after its onset; "
                + (f"volumes {format_deltas(asked)} were" if asked else f"window.t0_s: {window.t0_s:g} was")
                + f" asked for. Set window.start_tr: 0, window.n_tr: {n_components}, training.deltas: 0 and evaluation.deltas: 0"
            )
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
    def evaluated_train_deltas(self) -> tuple[int, ...]:
        """Train lags whose decoders are scored: those asked for, else all that are fitted."""
        asked = self.evaluation.train_deltas
        return asked if asked is not None else self.fitted_deltas

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
