"""The typed model of simulated subjects: what the code is, how much of it there is, how large the files are.

The equations that these values enter are in :mod:`tempgen.data.simulate`.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tempgen.config.section import Section

Code = Literal["static", "sustained", "rotating"]


class SimulationConfig(Section):
    """Simulated subjects in NSD's layout.

    Raises
    ------
    pydantic.ValidationError
        If a key is unknown, out of range, or would not be used by the chosen ``code``.

    Examples
    --------
    >>> SimulationConfig(code="static", snr=0).time_to_peak_s
    (2.7, 5.7)
    """

    code: Code = Field(
        "rotating",
        description=(
            "What the pattern does with time since onset: static (3 s, unchanged), sustained (activity_s, unchanged) or "
            "rotating (activity_s, turning). Source: house choice; a code on which General and Specialized differ."
        ),
    )
    activity_s: float = Field(
        9.0,
        gt=0,
        le=30,
        description=(
            "Latency to which activity lasts (s); static always lasts as long as the image, 3 s. "
            "Source: house choice; three stimuli of 3 s, so that it outlasts the next onset."
        ),
    )
    rotation_deg_per_s: float = Field(
        10.0,
        ge=-180,
        le=180,
        description=(
            "How fast the rotating code turns (degrees a second). "
            "Source: house choice; a right angle within the default activity_s."
        ),
    )
    snr: float = Field(
        0.5,
        ge=0,
        le=20,
        description=(
            "Signal-to-noise ratio: SD over time of the image-specific BOLD / SD of the noise, averaged over nsdgeneral; "
            "0: no image-specific signal, the mean response stays. Source: house choice; tests and demo see it well."
        ),
    )
    mean_response: float = Field(
        1.0,
        ge=0,
        le=20,
        description=(
            "Peak BOLD response to 3 s of activity that all images share, voxel average, in SDs of the noise. "
            "Source: house choice."
        ),
    )
    time_to_peak_s: tuple[float, float] = Field(
        (2.7, 5.7),
        description=(
            "Shortest and longest time to peak of the voxels' HRFs (s). "
            "Source: the 20 HRFs that NSD's authors estimated (Allen et al. 2022)."
        ),
    )
    noise_ar1: float = Field(
        0.4,
        ge=0,
        lt=1,
        description="Correlation of the noise from one volume to the next. Source: house choice.",
    )
    drift: float = Field(
        1.0,
        ge=0,
        le=20,
        description="Amplitude of the slow drift of each run, in SDs of the noise. Source: house choice.",
    )
    n_voxels: int = Field(
        400,
        ge=40,
        le=20_000,
        description="Voxels of nsdgeneral; the brain has 1.6 times as many. Source: house choice, for speed.",
    )
    n_sessions: int = Field(
        2, ge=1, le=40, description="Sessions of 12 runs, 750 trials. Source: house choice; NSD has 30 to 40."
    )
    image_size: int = Field(
        64,
        ge=16,
        le=424,
        multiple_of=8,
        description="Pixels a side of the stimuli. Source: house choice; NSD has 425.",
    )
    resting_runs: bool = Field(
        False,
        description=(
            "Write 14 files a session, the first and the last resting state. Source: NSD does so in sessions 21 to 30."
        ),
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of everything drawn at random. Source: convention."
    )

    @field_validator("time_to_peak_s")
    @classmethod
    def _ascending(cls, time_to_peak_s: tuple[float, float]) -> tuple[float, float]:
        shortest, longest = time_to_peak_s
        if not 1.0 <= shortest <= longest <= 12.0:
            raise ValueError(
                f"needs 1 <= shortest <= longest <= 12 seconds, but is {shortest:g}, {longest:g}"
            )
        return time_to_peak_s

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        unused = {
            "static": ("activity_s", "rotation_deg_per_s"),
            "sustained": ("rotation_deg_per_s",),
            "rotating": (),
        }
        self.refuse_unused(unused[self.code], because=f"by the {self.code} code")
        return self
