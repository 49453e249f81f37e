"""The typed model of the signal: what is decoded, BOLD or what is estimated from it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tempgen.config.section import Section


class SignalConfig(Section):
    """What decoders see of the recording: BOLD, the activity deconvolved from it, or single-trial betas.

    Examples
    --------
    >>> SignalConfig(kind="deconvolved").hrf
    'library'
    """

    kind: Literal["bold", "deconvolved", "betas"] = Field(
        "bold",
        description=(
            "bold; deconvolved: neural activity at each volume, whose windows start at the onset (window.t0_s: 0); betas: one or two "
            "values for each trial (window.start_tr: 0, lags 0). Source: Dynadiff decodes BOLD."
        ),
    )
    hrf: str = Field(
        "library",
        description=(
            "HRFs: library (each voxel's own, chosen on training runs), canonical, or a .npy, .csv or .tsv file with a column for each "
            "HRF. Source: the idea of GLMsingle (Prince et al. 2022)."
        ),
    )
    hrf_step_s: float = Field(
        0.1,
        gt=0,
        description="Seconds between the rows of a file of HRFs. Source: the library that NSD's authors published.",
    )
    duration_s: float | Literal["estimated"] | None = Field(
        None,
        description=(
            "Assumed duration of the neural activity (s); null: as long as each image is shown; estimated: the one that fits best, given "
            "the HRFs' widths. Source: convention; duration and width cannot be told apart."
        ),
    )
    method: Literal["lsa", "lss", "ridge"] = Field(
        "lss",
        description="Betas by least squares all, separate, or ridge. Source: Mumford et al. 2012 for designs this fast.",
    )
    basis: Literal["single", "early-late"] = Field(
        "single",
        description="One beta a trial, or one for each half of the activity. Source: house choice; the usual betas.",
    )
    ridge_fraction: float | None = Field(
        None,
        gt=0,
        le=1,
        description=(
            "Length of ridge betas over that of least squares; null: chosen for each voxel on training runs by repeated images. "
            "Source: GLMsingle."
        ),
    )

    @property
    def n_components(self) -> int:
        """Betas of each trial, at as many volumes from its onset on."""
        return 2 if self.basis == "early-late" else 1

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        of_hrf, of_betas = ("hrf", "hrf_step_s", "duration_s"), ("method", "basis", "ridge_fraction")
        if self.kind == "bold":
            self.refuse_unused((*of_hrf, *of_betas), because="with kind: bold")
        if self.kind == "deconvolved":
            self.refuse_unused(of_betas, because="with kind: deconvolved")
        if self.method != "ridge":
            self.refuse_unused(("ridge_fraction",), because=f"with method: {self.method}")
        if self.hrf in ("library", "canonical"):
            self.refuse_unused(("hrf_step_s",), because=f"with hrf: {self.hrf}")
        if isinstance(self.duration_s, float) and self.duration_s < 0:
            raise ValueError(f"duration_s is {self.duration_s:g}; 0 (an instant) or more is needed")
        return self
