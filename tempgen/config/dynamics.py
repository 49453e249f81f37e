"""The typed model of the question whether a code changes with time: by which methods, how sure."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.section import Deltas, Section
from tempgen.config.separability import SeparabilityConfig
from tempgen.config.signal import SignalConfig

METHODS = {
    "raw": "dynamics index of the matrix on BOLD",
    "deconvolved": "dynamics index of the matrix on deconvolved BOLD",
    "separability": "rank-2 over rank-1 encoding model, against its null",
    "static_null": "dynamics index on BOLD, against that of a static code with the same HRFs and noise",
}
"""Methods by name, in the order in which they are run and shown."""


class DynamicsConfig(Section):
    """Whether a code is dynamic or haemodynamic responses overlap: by which methods that is asked."""

    features: str = Field(
        "pixels",
        description=(
            "Features of the images, decoded and encoded: pixels, tokens, truth or a file, as in the separability test. Source: as there."
        ),
    )
    n_features: int = Field(
        20, ge=1, le=200, description="Principal components of more features than that. Source: as there."
    )
    n_tr: int = Field(
        1, ge=1, description="Width of windows (volumes). Source: single volumes resolve time best."
    )
    bold_deltas: Deltas = Field(
        tuple(range(1, 13)),
        description="First volumes of windows of BOLD, from onset (TRs). Source: house choice; 16 s hold an HRF of 9 s of activity.",
    )
    deconvolved_deltas: Deltas = Field(
        tuple(range(10)),
        description="The same of deconvolved BOLD. Source: house choice; 12 s of activity.",
    )
    general_bold_delta: int = Field(
        4,
        description="Lag of the General decoder of BOLD (TRs), for curves. Source: 5.3 s of NSD, about an HRF's peak.",
    )
    general_deconvolved_delta: int = Field(
        1,
        description="The same of deconvolved BOLD. Source: house choice; within 3 s of activity of NSD's images.",
    )
    n_lags: int = Field(
        16,
        ge=4,
        le=60,
        description="Volumes from onset at which encoding models may answer. Source: house choice; 21 s.",
    )
    min_separation: int | None = Field(
        None,
        ge=1,
        description="TRs between lags whose decoders are compared; null: the window's width, 2 at least. Source: windows without a common volume.",
    )
    hrf: str = Field("library", description="HRFs of the deconvolution, as in signal.hrf. Source: as there.")
    hrf_step_s: float = Field(0.1, gt=0, description="As in signal.hrf_step_s. Source: as there.")
    duration_s: float | Literal["estimated"] | None = Field(
        "estimated",
        description=(
            "Assumed duration of the activity (s), as in signal.duration_s. Source: house choice; with that of the images, a "
            "sustained code that is static gets wrong HRFs and looks dynamic."
        ),
    )
    n_surrogates: int = Field(99, ge=19, description="Surrogates of the static null. Source: p to 0.01.")
    n_bootstrap: int = Field(
        199, ge=19, description="Surrogates of the separability test. Source: p to 0.005."
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Level of the tests. Source: convention.")
    static_below: float = Field(
        0.2,
        gt=0,
        lt=1,
        description=(
            "Index of deconvolved BOLD up to which a code counts as static. Source: simulated static and sustained codes reach 0.11 "
            "with the true HRFs, docs/science/dynamics.md."
        ),
    )
    dynamic_above: float = Field(
        0.3,
        gt=0,
        lt=1,
        description=(
            "And from which as dynamic. Source: simulated codes that turn by a right angle have 0.37 or more, docs/science/dynamics.md."
        ),
    )
    negligible: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Index beyond that of the static null below which a code counts as static. Source: house choice.",
    )
    seed: int = Field(0, ge=0, description="Seed of surrogates, folds and draws. Source: convention.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("bold", "deconvolved"):
            general, deltas = getattr(self, f"general_{name}_delta"), getattr(self, f"{name}_deltas")
            if general not in deltas:
                raise ValueError(f"general_{name}_delta is {general}, which {name}_deltas lacks")
        if self.static_below >= self.dynamic_above:
            raise ValueError(
                f"static_below is {self.static_below:g}, dynamic_above {self.dynamic_above:g}: the first must be smaller"
            )
        if self.n_surrogates < 1 / self.alpha - 1 or self.n_bootstrap < 1 / self.alpha - 1:
            raise ValueError(f"alpha {self.alpha:g} needs {1 / self.alpha - 1:.0f} surrogates or more")
        _ = self.signal  # which refuses what does not fit
        return self

    @property
    def encoding(self) -> SeparabilityConfig:
        """Which features."""
        return SeparabilityConfig(features=self.features, n_components=self.n_features)

    @property
    def signal(self) -> SignalConfig:
        """How the BOLD is deconvolved."""
        return SignalConfig(
            kind="deconvolved", hrf=self.hrf, hrf_step_s=self.hrf_step_s, duration_s=self.duration_s
        )

    @property
    def all_deltas(self) -> tuple[int, ...]:
        """Lags at which the windows of every trial lie in its run, the same trials for all methods."""
        return tuple(sorted({*self.bold_deltas, *self.deconvolved_deltas}))
