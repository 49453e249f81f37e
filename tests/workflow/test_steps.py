"""Steps keep what is done, refuse to mix analyses, and say what is missing."""

import json

import numpy as np
import pytest
import xarray as xr

import tempgen
from tempgen.config import validate
from tempgen.config.analysis import SplitConfig
from tempgen.data.store import trials_of
from tempgen.decoders import load_decoder
from tempgen.errors import ConfigError, DecoderError, ResultsError
from tempgen.results import export_netcdf, recipe_of
from tempgen.workflow import Places, evaluate_decoders, prepare_recording, train_decoders
from tempgen.workflow.scoring import scorer_of, shown_images
from tempgen.workflow.trial_sets import TrialSets
from tests.workflow.conftest import analysis_of, changed, silent


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


@pytest.mark.parametrize("damage", [None, "", "{"])
def test_a_folder_that_is_no_decoder_is_refused_and_made_again_if_asked(rotating, damage):
    analysis, _ = rotating
    places = Places(analysis)
    config = places.decoder(2) / "config.json"
    whole, coef = config.read_text(), load_decoder(places.decoder(2)).coef_
    config.unlink()
    if damage is not None:
        config.write_text(damage)
    with pytest.raises(DecoderError, match=r"no config\.json that can be read.*overwrite"):
        train_decoders(analysis, [2], say=silent)
    train_decoders(analysis, [2], say=silent, overwrite=True)
    assert json.loads(config.read_text()) == json.loads(whole)
    np.testing.assert_array_equal(load_decoder(places.decoder(2)).coef_, coef)


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


def test_penalties_are_chosen_on_held_out_runs(rotating, monkeypatch):
    """Trials of one run share volumes: held out one by one, they would leak into each other."""
    analysis, _ = rotating
    given = {}

    def spy(*arguments, groups, **options):
        given["groups"] = groups
        return iter(())

    monkeypatch.setattr("tempgen.workflow.training.fit_lags", spy)
    other = changed(analysis, decoder={"n_folds": 2}).model_copy(
        update={"folder": analysis.folder.parent / "other"}
    )
    store = tempgen.open_store(Places(analysis).store)
    train_decoders(other, [0], store=store, say=silent)
    sets = TrialSets.of(other, store)
    np.testing.assert_array_equal(given["groups"], trials_of(store)["run"][sets.split.train])


def test_reconstructions_are_identified_among_the_images_of_the_test_trials_only(rotating):
    analysis, _ = rotating
    sets = TrialSets.of(analysis, tempgen.open_store(Places(analysis).store))
    shown = shown_images(sets)
    pool = scorer_of(sets, shown).image_ids
    columns = shown[["previous_image", "image_id", "next_image"]].to_numpy()
    assert set(pool) == set(columns[columns >= 0])
    assert not set(pool) & set(trials_of(sets.store)["image_id"][sets.split.train])


def test_standard_split_scores_no_neighbour_whose_image_was_trained(rotating):
    analysis, _ = rotating
    standard = validate(SplitConfig, {"kind": "nsd-standard"}, origin="the test")
    sets = TrialSets.of(
        analysis.model_copy(update={"split": standard}), tempgen.open_store(Places(analysis).store)
    )
    shown = shown_images(sets)
    trained = set(trials_of(sets.store)["image_id"][sets.split.train])
    assert not (set(shown["previous_image"]) | set(shown["next_image"])) & trained
    assert (shown["previous_image"] == -1).mean() > 0.5


def test_only_the_sessions_asked_for_are_prepared(tmp_path):
    simulate = {"n_sessions": 2, "n_voxels": 40, "image_size": 16}
    analysis = analysis_of(tmp_path, data={"simulate": simulate, "sessions": "2"})
    store = prepare_recording(analysis, say=silent)
    assert set(store["session"].values) == {2}


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"decoder": {"target_size": 64}}, "decoder.target_size is 64, the store's images have 16 pixels"),
        ({"evaluation": {"image_size": 32}}, "evaluation.image_size is 32"),
        (
            {"evaluation": {"metrics": ("accuracy",)}},
            r"evaluation\.metrics: .*'accuracy'.* the suite 'pixels' has pixcorr, ssim, identification",
        ),
        (
            {"evaluation": {"suite": "papper"}},
            r"evaluation\.suite: There is no suite 'papper'; known are pixels",
        ),
        ({"evaluation": {"image_size": 8}}, r"could not be scored .* 11"),
        (
            {"evaluation": {"suite": "paper", "image_size": 12}},
            r"image_size is 12, and the suite 'paper' compares images at 224",
        ),
    ],
)
def test_what_could_not_be_scored_is_refused_before_training(rotating, sections, complaint):
    analysis, _ = rotating
    with pytest.raises(ConfigError, match=complaint):
        train_decoders(changed(analysis, **sections), [0], say=silent)


def test_overwrite_makes_the_simulated_recording_again(tmp_path):
    first = analysis_of(tmp_path, simulate={"code": "static", "n_voxels": 40})
    prepare_recording(first, say=silent)
    second = analysis_of(tmp_path, simulate={"code": "sustained", "n_voxels": 40})
    with pytest.raises(ConfigError, match="tempgen prepare --overwrite"):
        prepare_recording(second, say=silent)
    assert prepare_recording(second, say=silent, overwrite=True).attrs["note_code"] == "sustained"
