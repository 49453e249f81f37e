"""The file of a calibration: shared keys, refused ones, and the analysis that it makes."""

from pathlib import Path

import pytest

from tempgen.config import validate
from tempgen.config.validation import ValidationConfig, load_validation
from tempgen.errors import ConfigError


def config_of(**content):
    return validate(ValidationConfig, {"conditions": {"one": {}}, **content}, origin="the test")


def test_conditions_take_what_is_shared_unless_they_say_otherwise():
    config = config_of(
        base={"n_datasets": 7, "simulate": {"snr": 0.3, "code": "static"}},
        conditions={"one": None, "two": {"simulate": {"code": "sustained"}, "n_datasets": 9}},
    )
    one, two = config.conditions.values()
    assert (one.n_datasets, one.simulate.snr, one.simulate.code, one.simulate.n_voxels) == (
        7,
        0.3,
        "static",
        60,
    )
    assert (two.n_datasets, two.simulate.snr, two.simulate.code) == (9, 0.3, "sustained")
    assert config.n_datasets == 16
    again = validate(ValidationConfig, config.model_dump(mode="json"), origin="the test")
    assert again == config


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"conditions": {"one": {"simulate": {"seed": 3}}}}, "simulate.seed"),
        ({"conditions": {"one": {"n_dataset": 3}}}, "one.n_dataset: unknown key"),
        ({"conditions": {"../up": {}}}, "lower case"),
        ({"conditions": {"one": {"experiment": {"n_runs": 3, "n_test_runs": 3}}}}, "leave one or more"),
        ({"conditions": {}}, "conditions"),
        ({"base": {"snr": 1}}, "snr"),
    ],
)
def test_what_would_not_be_used_is_refused(content, said):
    with pytest.raises(ConfigError, match=said):
        config_of(**content)


def test_short_has_two_data_sets_of_each_condition():
    config = load_validation().short()
    assert {condition.n_datasets for condition in config.conditions.values()} == {2}
    assert set(config.conditions) == set(load_validation().conditions)


def test_packaged_calibration_has_what_it_should_calibrate():
    conditions = load_validation().conditions.values()
    null = [condition for condition in conditions if condition.is_null]
    assert len(null) >= 2
    assert min(condition.n_datasets for condition in null) >= 200
    assert {condition.simulate.code for condition in conditions} == {"static", "sustained", "rotating"}
    assert len({condition.simulate.snr for condition in conditions}) >= 3
    assert len({condition.simulate.time_to_peak_s for condition in conditions}) >= 3
    assert len({condition.experiment.soa_slots for condition in conditions}) >= 2
    assert all(condition.is_null or condition.n_truth_runs for condition in conditions)


def test_analysis_of_a_condition_permutes_so_that_alpha_is_reached_exactly():
    config = load_validation()
    condition = config.conditions["static-0.5"]
    analysis = config.analysis_of(condition, Path("somewhere"), seed=5)
    n = analysis.evaluation.n_permutations + 1
    assert config.statistics.alpha * n == pytest.approx(round(config.statistics.alpha * n))
    assert (analysis.split.seed, analysis.evaluation.seed) == (5, 5)
    assert analysis.fitted_deltas == (-9, -8, *range(-2, 7))


def test_conditions_can_be_chosen_by_name():
    config = load_validation()
    assert list(config.only(("static-0.5",)).conditions) == ["static-0.5"]
    with pytest.raises(ConfigError, match="no condition static-9"):
        config.only(("static-9",))


def test_missing_and_broken_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no file"):
        load_validation(tmp_path / "missing.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text("conditions: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="not YAML"):
        load_validation(path)
    path.write_text("- one", encoding="utf-8")
    with pytest.raises(ConfigError, match="a list"):
        load_validation(path)


def test_keys_are_overridden_from_the_command_line():
    config = load_validation(None, {"statistics.n_draws": 300, "base.n_datasets": 3})
    assert config.statistics.n_draws == 300
    assert config.conditions["static-0.5"].n_datasets == 3
