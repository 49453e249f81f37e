"""The truth of simulated subjects, and the configuration that they were made with."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

import tempgen
from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.simulate import open_truth
from tempgen.errors import SourceDataError
from tests.data.simulate.small_subjects import ROTATING


def test_truth_says_how_it_was_made(rotating: NsdLayout) -> None:
    with xr.open_dataset(rotating.truth, engine="h5netcdf") as truth:
        attributes = dict(truth.attrs)
        missing = [name for name, variable in truth.variables.items() if "long_name" not in variable.attrs]

    assert set(missing) <= {"feature", "component", "part", "stream"}
    assert attributes["data_kind"] == "simulated"
    assert attributes["tempgen_version"] == tempgen.__version__
    for key, value in ROTATING.model_dump().items():
        np.testing.assert_array_equal(attributes[key], value)


def test_truth_of_a_subject_that_was_not_simulated_is_refused(rotating: NsdLayout) -> None:
    with pytest.raises(SourceDataError, match="tempgen simulate"):
        open_truth(rotating.root, subject=2)


def test_folder_says_that_it_is_simulated_and_with_what(rotating: NsdLayout) -> None:
    content = json.loads((rotating.root / "simulation" / "config.json").read_text())

    assert content["data_kind"] == "simulated"
    assert SimulationConfig.model_validate(content["config"]) == ROTATING


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"code": "static", "activity_s": 6.0}, "would not be used by the static code"),
        ({"code": "sustained", "rotation_deg_per_s": 20.0}, "would not be used by the sustained code"),
        ({"code": "moving"}, "rotating"),
        ({"sessions": 2}, "Extra inputs"),
        ({"time_to_peak_s": (5.7, 2.7)}, "shortest <= longest"),
        ({"image_size": 65}, "multiple of 8"),
        ({"snr": -1}, "greater than or equal to 0"),
        ({"noise_ar1": 1.0}, "less than 1"),
    ],
)
def test_config_refuses_what_it_would_not_use_or_cannot(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulationConfig(**wrong)


@pytest.mark.parametrize("code", ["static", "sustained", "rotating"])
def test_config_that_was_written_with_every_key_can_be_read_again(code: str) -> None:
    config = SimulationConfig(code=code)
    assert SimulationConfig(**config.model_dump()) == config


def test_every_setting_names_the_source_of_its_default() -> None:
    without = [
        name
        for name, field in SimulationConfig.model_fields.items()
        if "Source: " not in (field.description or "")
    ]
    assert without == []
