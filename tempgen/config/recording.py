"""The typed model of a recording: where it lies, what is read of it, how it is cleaned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tempgen.config.section import Deltas, Section
from tempgen.config.simulation import SimulationConfig


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

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.drift != "cosine":
            self.refuse_unused(("drift_cutoff_s",), because=f"with drift: {self.drift}")
        return self


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
        None,
        gt=0,
        description="TR (s) of the resampled series; null: found from the onsets. Source: off unless given.",
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

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.onsets == "nearest":
            self.refuse_unused(("resample_tr_s",), because="with onsets: nearest")
        if self.derivatives is None:
            self.refuse_unused(("space",), because="without derivatives")
        return self


NSD_KEYS = ("roi", "atlases", "sessions")
"""Keys of :class:`DataConfig` that only NSD's layout (real or simulated) has a use for."""


class DataConfig(Section):
    """Where the recording is and what becomes of it."""

    source: Literal["simulated", "nsd", "bids"] = Field(
        "simulated", description="Layout of the dataset. Source: the demo, which simulates a subject."
    )
    path: Path | None = Field(
        None,
        description="Root of the dataset; null (simulated only): FOLDER/simulated. Source: off unless given.",
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
            self.refuse_unused(NSD_KEYS, because="with source: bids (use bids.mask)")
        if self.source != "bids" and isinstance(self.preprocess.confounds, tuple):
            raise ValueError(
                "NSD's motion files have no column names: set preprocess.confounds to true or false"
            )
        if self.source != "bids" and not self.subject.isdigit():
            raise ValueError(f"subject {self.subject!r} is no NSD subject: give its number, e.g. 1")
        return self
