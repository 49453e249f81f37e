"""A calibration of the methods that tell a dynamic code from overlap, on two data sets."""

import pytest

from tempgen.config import validate
from tempgen.config.files import packaged_file
from tempgen.config.validation import ValidationConfig, load_validation
from tempgen.errors import ConfigError
from tempgen.plots.dynamics import plot_classification
from tempgen.workflow.validation import open_calibration, run_validation
from tests.workflow.conftest import silent

SMALL = {
    "n_scenes": 300,
    "dynamics": {"n_surrogates": 19, "n_bootstrap": 19, "n_features": 8},
    "base": {
        "n_datasets": 1,
        "simulate": {"n_voxels": 40, "snr": 2, "time_to_peak_s": [3, 6.5]},
        "experiment": {"n_runs": 12, "n_test_runs": 3, "n_repetitions": 3},
        "hrf_error_s": 1.0,
    },
    "conditions": {
        "static": {"simulate": {"code": "static"}},
        "rotating": {"simulate": {"code": "rotating"}},
    },
}


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration") / "out"
    config = validate(ValidationConfig, SMALL, origin="the test")
    return config, folder, run_validation(config, folder, n_jobs=1, say=silent)


def test_tests_that_need_no_hrf_are_right_and_raw_bold_is_not(calibrated):
    right = calibrated[2]["right"]
    assert right.sel(classifier=["separability", "static_null"]).min() == 1
    assert right.sel(classifier="raw", condition="static") == 0


def test_wrong_hrfs_raise_the_index_of_a_static_code(calibrated):
    index = calibrated[2]["statistic_mean"].sel(condition="static")
    assert index.sel(classifier="deconvolved_true") < 0.15
    assert index.sel(classifier="deconvolved_wrong") > 0.2 + index.sel(classifier="deconvolved_true")


def test_it_resumes_is_opened_and_writes_a_table(calibrated, monkeypatch):
    config, folder, summary = calibrated
    monkeypatch.setattr("tempgen.workflow.validation.run_task", None)
    again = run_validation(config, folder, n_jobs=1, say=silent)
    assert again["right"].equals(summary["right"])
    assert open_calibration(folder)["hrf_error_s"].values.tolist() == [1.0, 1.0]
    assert (folder / "classification.png").stat().st_size > 10_000
    assert "| static | separability | 1 |" in (folder / "tables.md").read_text(encoding="utf-8")


def test_rates_are_drawn_for_each_method(calibrated):
    ax = plot_classification(calibrated[2])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["static", "rotating"]
    assert len(ax.get_legend_handles_labels()[1]) == 6


def test_the_packaged_calibration_has_the_three_codes_at_the_noise_of_the_documentation():
    config = load_validation(packaged_file("analyses", "validate_dynamics.yaml"))
    chosen = config.only(("static", "sustained", "rotating"))
    assert chosen.n_datasets == 180
    assert {one.simulate.snr for one in chosen.conditions.values()} == {0.667}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"statistics": {"alpha": 0.1}}, "statistics would not be used with dynamics"),
        ({"conditions": {"none": {"simulate": {"snr": 0}}}}, "without signal no code is right"),
        ({"dynamics": None}, "hrf_error_s would not be used without dynamics"),
    ],
)
def test_keys_that_would_not_be_used_are_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        validate(ValidationConfig, SMALL | changed, origin="the test")
