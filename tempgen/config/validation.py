"""The typed model of a calibration on simulated truth: under which conditions, how many data sets, what is asked of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, field_validator, model_validator

from tempgen.config.analysis import Analysis, WindowConfig
from tempgen.config.decoder import RidgeConfig
from tempgen.config.dynamics import DynamicsConfig
from tempgen.config.files import packaged_file, read_yaml, set_dotted, validate
from tempgen.config.section import Deltas, Section
from tempgen.config.simulation import SimulationConfig
from tempgen.errors import ConfigError

PACKAGED = "validate.yaml"
"""The calibration of the package's own statistics, in ``analyses``."""

_SHORT_DATASETS, _SHORT_TRUTH_RUNS, _SHORT_SCENES = 2, 3, 800


class ExperimentConfig(Section):
    """How often and how densely images are shown."""

    n_runs: int = Field(12, ge=2, description="Runs of 300 s. Source: house choice, for speed.")
    n_test_runs: int = Field(3, ge=1, description="Of them for the test. Source: house choice.")
    soa_slots: int = Field(
        1,
        ge=1,
        le=25,
        description=(
            "Slots of 4 s from one onset to the next: 1 is NSD's, with its blanks; more are isolated trials, with blanks "
            "between them. Source: NSD (Allen et al. 2022)."
        ),
    )
    n_repetitions: int = Field(
        2, ge=1, description="Presentations of each image. Source: house choice; NSD has 3."
    )

    @model_validator(mode="after")
    def _runs_to_train_on(self) -> Self:
        if self.n_test_runs >= self.n_runs:
            raise ValueError(
                f"n_test_runs is {self.n_test_runs} of {self.n_runs} runs: leave one or more to train on"
            )
        return self


class ConditionConfig(Section):
    """One kind of subject and experiment, simulated again and again."""

    simulate: SimulationConfig = Field(
        SimulationConfig(n_voxels=60, n_sessions=1, image_size=16),
        description="The subject; seed, image_size and n_sessions are the calibration's own.",
    )
    experiment: ExperimentConfig = Field(ExperimentConfig(), description="The experiment.")
    train_deltas: Deltas = Field(
        tuple(range(-2, 7)), description="Train lags (TRs). Source: house choice, for speed."
    )
    test_deltas: Deltas | None = Field(
        None, description="Test lags (TRs); null: the train lags. Source: off unless given."
    )
    matrix: bool = Field(
        True, description="Score and test all cells. Source: temporal generalization (King 2014)."
    )
    n_datasets: int = Field(
        200, ge=1, description="Data sets. Source: house choice; +- 0.03 around a rate of 0.05."
    )
    n_truth_runs: int = Field(
        0,
        ge=0,
        description=(
            "Further test runs of each subject, of other images, on which the expectation of its scores is measured; 0: none, "
            "then only chance is known, and only without signal. Source: house choice."
        ),
    )

    hrf_error_s: float = Field(
        0.0,
        ge=0,
        le=3,
        description=(
            "SD over voxels of the error of the times to peak with which BOLD is deconvolved beside the true ones (s); of a calibration "
            "with dynamics only. Source: off unless given."
        ),
    )

    @model_validator(mode="after")
    def _own_keys(self) -> Self:
        own = {"seed": 0, "image_size": 16, "n_sessions": 1, "resting_runs": False}
        changed = [name for name, value in own.items() if getattr(self.simulate, name) != value]
        if changed:
            raise ValueError(
                f"simulate.{', simulate.'.join(changed)} would not be used by a calibration: remove it"
            )
        return self

    @property
    def is_null(self) -> bool:
        """Whether there is no image-specific signal."""
        return self.simulate.snr == 0

    def short(self) -> ConditionConfig:
        """The same condition with two data sets."""
        return self.model_copy(
            update={
                "n_datasets": min(self.n_datasets, _SHORT_DATASETS),
                "n_truth_runs": min(self.n_truth_runs, _SHORT_TRUTH_RUNS),
            }
        )


class StatisticsConfig(Section):
    """The tests and intervals that are calibrated."""

    metrics: tuple[str, ...] = Field(
        ("identification", "pixcorr"),
        min_length=1,
        description="Metrics of the suite of pixels. Source: they need no network.",
    )
    alpha: float = Field(0.05, gt=0, lt=1, description="Level of the tests. Source: convention.")
    level: float = Field(0.95, gt=0, lt=1, description="Level of the intervals. Source: convention.")
    n_permutations: int = Field(
        400, ge=20, description="Permutations of each test. Source: alpha times it is a whole number."
    )
    n_draws: int = Field(
        1000, ge=100, description="Bootstrap draws. Source: house choice; percentiles to about 0.5 %."
    )


class ValidationConfig(Section):
    """A calibration: many simulated data sets, the full linear analysis of each, all tests and intervals.

    Examples
    --------
    >>> made = ValidationConfig(base={"n_datasets": 9}, conditions={"null": {"simulate": {"snr": 0}}})
    >>> made.conditions["null"].n_datasets, made.conditions["null"].simulate.n_voxels
    (9, 60)
    """

    name: str = Field(
        "validate",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Names the calibration. Source: the packaged one.",
    )
    seed: int = Field(0, ge=0, description="Seed of all data sets. Source: convention.")
    n_scenes: int = Field(
        6000,
        ge=50,
        le=73_000,
        description=(
            "Images that the data sets' own are drawn from; half of them or more should be left for the truth. "
            "Source: house choice, drawn within a minute or two."
        ),
    )
    window: WindowConfig = Field(WindowConfig(), description="The window of BOLD.")
    decoder: RidgeConfig = Field(
        RidgeConfig(target_size=4, alphas=(0.1, 1.0, 10.0)), description="The linear decoder."
    )
    statistics: StatisticsConfig = Field(StatisticsConfig(), description="What is calibrated.")
    dynamics: DynamicsConfig | None = Field(
        None,
        description=(
            "Calibrate instead how often each method calls static, sustained and rotating codes right. Source: off unless given."
        ),
    )
    base: dict[str, Any] = Field(
        {}, description="What all conditions share, unless they say otherwise. Source: off unless given."
    )
    conditions: dict[str, ConditionConfig] = Field(min_length=1, description="The conditions by name.")

    @model_validator(mode="before")
    @classmethod
    def _with_base(cls, content: Any) -> Any:
        if not isinstance(content, Mapping) or not isinstance(content.get("conditions"), Mapping):
            return content
        defaults = {
            "simulate": {"n_voxels": 60, "n_sessions": 1, "image_size": 16},
        }
        shared = _merged(defaults, content.get("base") or {})
        conditions = {
            name: _merged(shared, {} if condition is None else condition)
            if condition is None or isinstance(condition, Mapping)
            else condition
            for name, condition in content["conditions"].items()
        }
        return {**content, "conditions": conditions}

    @model_validator(mode="after")
    def _no_unused_keys(self) -> Self:
        if self.dynamics is not None:
            self.refuse_unused(("window", "decoder", "statistics"), because="with dynamics")
            silent = [name for name, one in self.conditions.items() if one.is_null]
            if silent:
                raise ValueError(f"conditions.{silent[0]}: without signal no code is right, set simulate.snr")
        elif any(one.hrf_error_s for one in self.conditions.values()):
            raise ValueError("hrf_error_s would not be used without dynamics: remove it")
        return self

    @field_validator("conditions")
    @classmethod
    def _names_of_folders(cls, conditions: dict[str, ConditionConfig]) -> dict[str, ConditionConfig]:
        unfit = [name for name in conditions if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name)]
        if unfit:
            raise ValueError(
                f"conditions are named in lower case letters, digits, ., - and _ (they name folders), got {unfit}"
            )
        return conditions

    @property
    def n_datasets(self) -> int:
        """Data sets of all conditions."""
        return sum(condition.n_datasets for condition in self.conditions.values())

    def short(self) -> ValidationConfig:
        """Two data sets a condition: whether everything runs, not whether it is calibrated."""
        conditions = {name: condition.short() for name, condition in self.conditions.items()}
        return self.model_copy(
            update={"n_scenes": min(self.n_scenes, _SHORT_SCENES), "conditions": conditions}
        )

    def only(self, names: tuple[str, ...]) -> ValidationConfig:
        """Some of the conditions.

        Raises
        ------
        ConfigError
            If there is none of this name.
        """
        unknown = [name for name in names if name not in self.conditions]
        if unknown:
            raise ConfigError(
                f"There is no condition {', '.join(unknown)}; there are {', '.join(self.conditions)}."
            )
        return self.model_copy(update={"conditions": {name: self.conditions[name] for name in names}})

    def analysis_of(self, condition: ConditionConfig, folder: Path, *, seed: int = 0) -> Analysis:
        """The analysis of one data set of a condition, in a folder of its own; the seed draws test runs and permutations."""
        content = {
            "name": self.name,
            "folder": folder,
            "data": {"source": "simulated", "simulate": condition.simulate.model_dump(mode="json")},
            "window": self.window.model_dump(mode="json"),
            "split": {"n_test_runs": condition.experiment.n_test_runs, "seed": seed},
            "decoder": self.decoder,
            "training": {"deltas": condition.train_deltas},
            "evaluation": {
                "deltas": condition.test_deltas or condition.train_deltas,
                "matrix": condition.matrix,
                "targets": ("current",),
                "suite": "pixels",
                "metrics": self.statistics.metrics,
                # p = (1 + number) / (1 + n_permutations): with the observed order there are as many as of sign flips
                "n_permutations": self.statistics.n_permutations - 1,
                "seed": seed,
            },
        }
        return validate(Analysis, content, origin=f"the analysis of a condition of {self.name}")


def load_validation(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> ValidationConfig:
    """Read the file of a calibration; None: the packaged one.

    Parameters
    ----------
    overrides : mapping of dotted key to value

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML mapping, or has an unknown or unfit key.
    """
    path = packaged_file("analyses", PACKAGED) if path is None else path
    if not path.is_file():
        raise ConfigError(f"There is no file {path}: leave it out to take the packaged calibration.")
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}, a calibration is a mapping.")
    for key, value in (overrides or {}).items():
        set_dotted(content, key, value)
    return validate(ValidationConfig, content, origin=str(path))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings in one; where both have a value, that of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        there = merged.get(key)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(there, value) if both else value  # type: ignore[arg-type]
    return merged
