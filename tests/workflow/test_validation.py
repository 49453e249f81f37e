"""A small calibration: it finds what was planted, resumes, stops when asked, and never mixes two of them."""

import json
import os
import signal

import numpy as np
import pytest
import xarray as xr

from tempgen.config import validate
from tempgen.config.validation import ValidationConfig
from tempgen.errors import ConfigError, ResultsError
from tempgen.workflow import validation
from tempgen.workflow.validation import open_calibration, run_validation
from tests.workflow.conftest import silent

SMALL = {
    "n_scenes": 260,
    "statistics": {"n_permutations": 40, "n_draws": 100, "metrics": ["identification"]},
    "decoder": {"target_size": 4, "alphas": [1.0]},
    "base": {
        "n_datasets": 2,
        "simulate": {"n_voxels": 60, "code": "static"},
        "experiment": {"n_runs": 5, "n_test_runs": 2},
        "train_deltas": "-9,-8,0",
        "test_deltas": "-9..3",
        "matrix": False,
    },
    "conditions": {
        "null-small": {"simulate": {"snr": 0}},
        "strong": {"simulate": {"snr": 2}, "n_truth_runs": 1},
    },
}


def config_of(**changes):
    return validate(ValidationConfig, {**SMALL, **changes}, origin="the test")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration") / "out"
    return folder, run_validation(config_of(), folder, n_jobs=1, say=silent)


@pytest.fixture
def counted(monkeypatch):
    """Data sets that are made, in order."""
    made, run = [], validation.run_task

    def run_and_count(task):
        made.append((task.condition, task.number))
        return run(task)

    monkeypatch.setattr(validation, "run_task", run_and_count)
    return made


def test_what_was_planted_is_found_and_nothing_before_onset_or_without_signal_is_sure(calibrated):
    _, summary = calibrated
    found = summary["rejection"].sel(test="cluster", decoder="general", metric="identification")
    assert float(found.sel(condition="strong")) == 1
    before = summary.sel(test="cluster_before_onset", metric="identification", decoder="specialized")
    assert (before["rejection_n"] == 2).all()
    latency = summary.sel(condition="strong", curve="general", metric="identification")
    # a static code's window is best where it covers the response to 3 s of activity
    assert 6 < float(latency["latency_true_mean_s"].sel(latency="peak")) < 14
    assert (abs(latency["latency_bias_s"].sel(latency=["peak", "onset"])) < 3).all()
    truth = summary["mean_coverage"].sel(metric="identification", interval="percentile")
    assert truth.notnull().all()
    assert summary.attrs["data_kind"] == "simulated"


def test_calibration_is_on_disk_as_it_was_returned(calibrated):
    folder, summary = calibrated
    xr.testing.assert_allclose(open_calibration(folder), summary)
    outcomes = xr.load_dataset(folder / "outcomes.nc", engine="h5netcdf")
    assert dict(outcomes["rejects"].sizes)["dataset"] == 2
    assert "null-small" in (folder / "tables.md").read_text(encoding="utf-8")
    with pytest.raises(ResultsError, match="no calibration"):
        open_calibration(folder / "elsewhere")


def test_data_sets_differ_and_are_the_same_when_made_again(calibrated, tmp_path):
    folder, _ = calibrated
    first, second = (
        json.loads((folder / "datasets" / "strong" / f"{k:05d}.json").read_text(encoding="utf-8"))
        for k in (0, 1)
    )
    assert first["outcomes"] != second["outcomes"]
    (tmp_path / "scenes.npz").write_bytes((folder / "scenes.npz").read_bytes())
    run_validation(
        config_of(conditions={"strong": {**SMALL["conditions"]["strong"], "n_datasets": 1}}),
        tmp_path,
        n_jobs=1,
        say=silent,
    )
    again = json.loads((tmp_path / "datasets" / "strong" / "00000.json").read_text(encoding="utf-8"))
    assert repr(again["outcomes"]) == repr(first["outcomes"])


def test_only_missing_and_damaged_data_sets_are_made(calibrated, counted):
    folder, summary = calibrated
    there = folder / "datasets" / "null-small"
    (there / "00000.json").unlink()
    half = (there / "00001.json").read_text(encoding="utf-8")
    (there / "00001.json").write_text(half[: len(half) // 2], encoding="utf-8")
    again = run_validation(config_of(), folder, n_jobs=1, say=silent)
    assert counted == [("null-small", 0), ("null-small", 1)]
    xr.testing.assert_allclose(again, summary)


def test_more_data_sets_can_be_asked_for_later(calibrated, counted):
    folder, _ = calibrated
    more = {**SMALL["base"], "n_datasets": 3}
    strong = {**SMALL["conditions"]["strong"], "n_datasets": 2}
    config = config_of(base=more, conditions={**SMALL["conditions"], "strong": strong})
    summary = run_validation(config, folder, n_jobs=1, say=silent)
    assert counted == [("null-small", 2)]
    n = summary["rejection_n"].sel(test="cluster", decoder="general", metric="identification")
    assert n.values.tolist() == [3, 2]


def test_another_calibration_is_refused_and_told_apart(calibrated, counted):
    folder, _ = calibrated
    with pytest.raises(ConfigError, match=r"strong\.simulate\.snr: 2\.0 -> 3\.0"):
        run_validation(
            config_of(conditions={"strong": {"simulate": {"snr": 3}, "n_truth_runs": 1}}), folder, say=silent
        )
    assert not counted


@pytest.mark.parametrize(
    ("number", "stops"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_stops_it_after_the_data_set_that_it_is_at(calibrated, tmp_path, monkeypatch, number, stops):
    folder, _ = calibrated
    (tmp_path / "scenes.npz").write_bytes((folder / "scenes.npz").read_bytes())
    made, run = [], validation.run_task

    def run_and_stop(task):
        made.append(task)
        os.kill(os.getpid(), number)
        return run(task)

    monkeypatch.setattr(validation, "run_task", run_and_stop)
    with pytest.raises(stops):
        run_validation(config_of(), tmp_path, n_jobs=1, say=silent)
    assert len(made) == 1
    assert made[0].path.is_file()
    assert not (tmp_path / "calibration.nc").exists()


@pytest.mark.slow
def test_processes_make_the_same_data_sets_as_one(calibrated, tmp_path):
    folder, summary = calibrated
    (tmp_path / "scenes.npz").write_bytes((folder / "scenes.npz").read_bytes())
    together = run_validation(config_of(), tmp_path, n_jobs=2, say=silent)
    np.testing.assert_array_equal(together["rejection"], summary["rejection"])
    np.testing.assert_allclose(together["latency_bias_s"], summary["latency_bias_s"])


@pytest.mark.slow
def test_notebook_draws_a_calibration(calibrated, tmp_path):
    papermill = pytest.importorskip("papermill")
    from tempgen.config.files import packaged_file

    folder, _ = calibrated
    papermill.execute_notebook(
        str(packaged_file("notebooks", "validation.ipynb")),
        str(tmp_path / "executed.ipynb"),
        parameters={"calibration": str(folder.resolve()), "figures": str(tmp_path / "figures")},
        progress_bar=False,
        kernel_name="python3",
    )
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == {
        "false_positives",
        "power_static",
        "coverage",
        "latency_0",
        "latency_1",
        "latency_2",
    }
