"""Steps keep what is done, refuse to mix analyses, and say what is missing."""

import json

import numpy as np
import pytest
import xarray as xr

import tempgen
from tempgen.decoders import load_decoder
from tempgen.errors import ConfigError, DecoderError, ResultsError
from tempgen.results import export_netcdf, recipe_of
from tempgen.workflow import Places, evaluate_decoders, train_decoders
from tests.workflow.conftest import analysis_of, silent


def changed(analysis, **sections):
    """The same folder with another analysis."""
    return analysis.model_copy(
        update={name: getattr(analysis, name).model_copy(update=values) for name, values in sections.items()}
    )


def test_second_run_repeats_nothing(rotating, run_small):
    analysis, results = rotating
    places = Places(analysis)
    made = [places.store / "zarr.json", places.decoder(0) / "model.safetensors", places.results / "zarr.json"]
    before = [path.stat().st_mtime_ns for path in made]
    said: list[str] = []
    again = tempgen.run_analysis(analysis, say=said.append, with_figures=False)
    assert [path.stat().st_mtime_ns for path in made] == before
    assert any("are there" in line for line in said)
    xr.testing.assert_identical(again, results)


def test_interrupted_training_goes_on_with_the_lags_that_are_missing(rotating):
    analysis, _ = rotating
    places = Places(analysis)
    whole = load_decoder(places.decoder(2)).coef_
    for path in places.decoder(2).iterdir():
        path.unlink()
    places.decoder(2).rmdir()
    kept = (places.decoder(0) / "model.safetensors").stat().st_mtime_ns
    with pytest.raises(DecoderError, match=r"tempgen train-specialized --delta 2'"):
        evaluate_decoders(changed(analysis, evaluation={"matrix": False}), say=silent)
    train_decoders(analysis, analysis.training.deltas, say=silent)
    np.testing.assert_array_equal(load_decoder(places.decoder(2)).coef_, whole)
    assert (places.decoder(0) / "model.safetensors").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("sections", "difference"),
    [
        ({"decoder": {"target_size": 8}}, "decoder.target_size: 4 -> 8"),
        ({"split": {"seed": 3}}, "split.seed: 0 -> 3"),
        ({"window": {"n_tr": 5}}, "window.n_tr: 6 -> 5"),
    ],
)
def test_decoders_of_another_analysis_are_not_replaced(rotating, sections, difference):
    analysis, _ = rotating
    with pytest.raises(ConfigError, match="--overwrite") as refused:
        train_decoders(changed(analysis, **sections), [0], say=silent)
    assert difference in str(refused.value)


def test_result_of_another_evaluation_is_not_replaced_unasked(rotating):
    analysis, _ = rotating
    with pytest.raises(ConfigError, match="evaluation.matrix: True -> False"):
        evaluate_decoders(changed(analysis, evaluation={"matrix": False}), say=silent)


def test_recording_of_another_simulation_is_not_replaced(rotating):
    analysis, _ = rotating
    other = analysis_of(analysis.folder, simulate={"code": "static"})
    with pytest.raises(ConfigError, match="data|simulate"):
        train_decoders(other, [0], say=silent)


def test_result_says_how_it_was_made(rotating):
    _, results = rotating
    attrs = results.attrs
    assert attrs["tempgen_version"] == tempgen.__version__
    assert attrs["data_kind"] == "simulated"
    assert attrs["note_code"] == "rotating"
    assert (attrs["start_tr"], attrs["n_tr"]) == (2, 6)
    assert attrs["soa_s"] == pytest.approx(4.0)
    assert (
        attrs["n_train"] + attrs["n_test"] + attrs["n_left_out_window"] + attrs["n_left_out_image"]
        == attrs["n_trials"]
    )
    assert recipe_of(results)["split"]["trials"] == attrs["split_fingerprint"]
    assert json.loads(attrs["analysis"])["split"]["n_test_runs"] == 3


def test_every_cell_scores_the_same_trials(rotating):
    _, results = rotating
    scored = results["pixcorr"].sel(target="current").notnull()
    assert scored.all()
    assert (results["run"].groupby(results["run"]).count() > 0).sum() == 3


def test_result_survives_netcdf(rotating, tmp_path):
    analysis, results = rotating
    xr.testing.assert_equal(tempgen.open_results(export_netcdf(results, tmp_path / "r.nc")), results)
    xr.testing.assert_identical(tempgen.open_results(analysis.folder), results)


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="There is no result"):
        tempgen.open_results(tmp_path / "none.zarr")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ResultsError, match="results format None"):
        tempgen.open_results(tmp_path / "other.nc")


def test_general_row_is_the_same_with_and_without_the_matrix(rotating, run_small):
    _, whole = rotating
    _, part = run_small("part", simulate={"code": "rotating"}, evaluation={"deltas": "-4..6"})
    computed = part["pixcorr"].notnull()
    assert computed.sel(train_delta=0).any("trial").sel(target="current").all()
    assert not computed.sel(train_delta=3, test_delta=5).any()
    xr.testing.assert_allclose(part["pixcorr"], whole["pixcorr"].where(computed), atol=1e-5)
