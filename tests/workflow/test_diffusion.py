"""Dynadiff and ridge to tokens through the steps of an analysis, on a backbone of a few thousand random weights."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

import tempgen
from tempgen.decoders import decoder_provenance
from tempgen.errors import ConfigError, DecoderError, ResultsError
from tempgen.reconstructions import open_reconstructions
from tempgen.results import describe_results
from tempgen.workflow import Places, draw_figures, evaluate_decoders, reconstruct_images, train_decoders
from tempgen.workflow.scored_cells import ScoredCells
from tempgen.workflow.trial_sets import TrialSets
from tests.tiny_backbone import tiny_backbone
from tests.workflow.conftest import analysis_of, changed, silent

DYNADIFF = {
    "kind": "dynadiff",
    "brain_module": {"hidden_size": 8, "dropout": 0.0, "linear_path_rank": 4},
    "optimization": {
        "n_steps": 4,
        "batch_size": 8,
        "warmup_steps": 0,
        "checkpoint_every": 2,
        "validate_every": 2,
        "tracker": None,
    },
    "sampling": {"n_steps": 2, "guidance": 1.0, "batch_size": 32},
    "warm_start": "ridge",
    "specialized_from": "general",
    "validation_images": 0,
}
TOKENS = {"kind": "ridge", "target": "tokens", "alphas": [1.0], "sampling": {"n_steps": 2, "guidance": 1.0}}
SMALL = {
    "simulate": {"n_voxels": 60},
    "training": {"deltas": "-1..1"},
    "evaluation": {"deltas": "-1..2", "max_trials": 8, "keep_reconstructions": 3},
}


@pytest.fixture(scope="module", autouse=True)
def backbone():
    """One tiny backbone in place of the one that analyses name; counts how often it is loaded."""
    patch = pytest.MonkeyPatch()
    loaded = []

    def load(name, **_):
        loaded.append(name)
        return tiny_backbone()

    patch.setattr("tempgen.models.backbone.load_backbone", load)
    yield loaded
    patch.undo()


@pytest.fixture(scope="module")
def dynadiff(tmp_path_factory):
    analysis = analysis_of(tmp_path_factory.mktemp("dynadiff") / "out", **SMALL, decoder=DYNADIFF)
    return analysis, tempgen.run_analysis(analysis, say=silent, with_figures=False)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    analysis = analysis_of(tmp_path_factory.mktemp("tokens") / "out", **SMALL, decoder=TOKENS)
    return analysis, tempgen.run_analysis(analysis, say=silent, with_figures=False)


@pytest.fixture(params=["dynadiff", "tokens"])
def either(request):
    return request.getfixturevalue(request.param)


def test_every_cell_scores_the_trials_that_the_limit_leaves(either):
    analysis, results = either
    scored = results["pixcorr"].sel(target="current").notnull()
    assert results.sizes["trial"] == results.attrs["n_evaluated"] == 8 < results.attrs["n_test"]
    assert scored.sel(train_delta=0).all()
    assert scored.sel(train_delta=1, test_delta=1).all()
    assert not scored.sel(train_delta=1, test_delta=0).any()
    sets = TrialSets.of(analysis, tempgen.open_store(Places(analysis).store))
    assert not (sets.evaluated() & ~sets.split.test).any()
    assert not (sets.evaluated(3) & ~sets.evaluated()).any()
    assert sets.evaluated(3).sum() == 3


def test_reconstructions_are_kept_beside_their_seen_images(either):
    analysis, results = either
    kept = tempgen.open_reconstructions(analysis.folder)
    images = kept["reconstruction"]
    assert images.dims == ("train_delta", "test_delta", "trial", "row", "column", "rgb")
    assert images.shape == (3, 4, 3, 16, 16, 3)
    assert int(kept["computed"].sum()) == 4 + 2
    assert set(kept["image_id"].values) <= set(results["image_id"].values)
    assert images.sel(train_delta=0, test_delta=2).values.std() > 0
    assert not images.sel(train_delta=-1, test_delta=2).values.any()
    store = tempgen.open_store(Places(analysis).store)
    first = int(kept["image_id"][0])
    np.testing.assert_array_equal(
        kept["seen"].values[kept["image_of"].values == first][0],
        store["image"].values[store["image_of"].values == first][0],
    )
    assert kept.attrs["decoder"] == analysis.decoder.kind
    assert kept.attrs["data_kind"] == "simulated"


def test_seen_images_and_previous_and_next_can_all_be_looked_up(either):
    kept = tempgen.open_reconstructions(either[0].folder)
    for name in ("image_id", "previous_image", "next_image"):
        shown = kept[name].values
        assert set(shown[shown >= 0]) <= set(kept["image_of"].values)


def test_reconstruct_alone_gives_the_images_that_evaluation_kept(either, tmp_path):
    analysis, _ = either
    kept = open_reconstructions(analysis.folder).load()
    more = changed(analysis, evaluation={"keep_reconstructions": 5})
    with pytest.raises(ConfigError, match="tempgen reconstruct --overwrite"):
        reconstruct_images(more, say=silent)
    again = reconstruct_images(more, say=silent, overwrite=True).load()
    assert again.sizes["trial"] == 5
    same = np.isin(
        again["onset_tr"].values + 1000 * again["run"].values, kept["onset_tr"] + 1000 * kept["run"]
    )
    assert same.sum() == 3
    difference = again["reconstruction"].values[:, :, same].astype(int) - kept["reconstruction"].values
    assert np.abs(difference).max() <= 1  # other batches round otherwise
    reconstruct_images(analysis, say=silent, overwrite=True)


def test_general_decoder_is_trained_first_and_starts_from_ridge_the_others_from_it(dynadiff):
    places = Places(dynadiff[0])
    started = {delta: decoder_provenance(places.decoder(delta))["started_from"] for delta in (-1, 0, 1)}
    assert started == {-1: "the General decoder", 0: "ridge to the true tokens", 1: "the General decoder"}
    general = decoder_provenance(places.decoder(0))
    assert 0 < general["kept_share"] <= 1
    assert general["metrics"]["steps"] == 4
    assert "token_error" in general["metrics"]
    card = (places.decoder(0) / "README.md").read_text()
    assert "ridge to the true tokens" in card
    assert "token error" in card


def test_a_single_specialized_lag_brings_its_general_decoder_along(dynadiff, tmp_path):
    analysis = elsewhere(dynadiff[0], tmp_path)
    train_decoders(analysis, [1], say=silent)
    assert Places(analysis).decoder(0).exists()


def test_a_general_decoder_of_another_analysis_is_trained_anew_if_asked(dynadiff, tmp_path):
    analysis = elsewhere(dynadiff[0], tmp_path, "decoders")
    other = changed(analysis, decoder={"condition_drop": 0.2})
    with pytest.raises(ConfigError, match=r"condition_drop: 0\.1 -> 0\.2"):
        train_decoders(other, [1], say=silent)
    train_decoders(other, [1], say=silent, overwrite=True)
    places = Places(other)
    recipes = [json.loads(decoder_provenance(places.decoder(delta))["recipe"]) for delta in (0, 1)]
    assert [recipe["decoder"]["condition_drop"] for recipe in recipes] == [0.2, 0.2]


def test_decoders_that_started_from_the_general_one_of_another_lag_are_refused(dynadiff):
    other = changed(dynadiff[0], training={"general_delta": 1})
    with pytest.raises(ConfigError, match=r"general_delta: .* -> 1"):
        train_decoders(other, [1], say=silent)
    with pytest.raises(ConfigError, match=r"general_delta: .* -> 1"):
        evaluate_decoders(other, say=silent)


def test_backbone_is_loaded_once_for_all_lags(dynadiff, backbone, tmp_path):
    analysis = elsewhere(dynadiff[0], tmp_path)
    backbone.clear()
    train_decoders(analysis, analysis.fitted_deltas, say=silent)
    assert backbone == ["scenes"]


def elsewhere(analysis, folder, *parts):
    """The same analysis in another folder, with its store and other parts of what was made."""
    for part in ("store.zarr", *parts):
        shutil.copytree(analysis.folder / part, folder / "out" / part)
    return analysis.model_copy(update={"folder": folder / "out"})


class Stopped(BaseException):
    """As Ctrl-C: nothing on the way may swallow it."""


def test_stopped_training_goes_on_with_the_lag_that_was_begun(dynadiff, tmp_path):
    whole, _ = dynadiff
    analysis = elsewhere(whole, tmp_path)

    def stop(line):
        if line.startswith("lag -1: step 2, held-out"):
            raise Stopped

    with pytest.raises(Stopped):
        train_decoders(analysis, analysis.fitted_deltas, say=stop)
    places = Places(analysis)
    assert [places.decoder(delta).exists() for delta in (-1, 0, 1)] == [False, True, False]
    kept = (places.decoder(0) / "model.safetensors").stat().st_mtime_ns
    train_decoders(analysis, analysis.fitted_deltas, say=silent)
    assert (places.decoder(0) / "model.safetensors").stat().st_mtime_ns == kept
    for delta in (-1, 0, 1):
        weights = [p.decoder(delta) / "model.safetensors" for p in (places, Places(whole))]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        assert not (places.training(delta) / "checkpoints").exists()


def test_stopped_evaluation_goes_on_with_the_cells_that_are_missing(either, tmp_path, monkeypatch):
    whole, results = either
    analysis = elsewhere(whole, tmp_path, "decoders")
    write, written = ScoredCells.write, []

    def stopping(self, cell, scores):
        written.append(cell)
        if len(written) == 4:
            raise Stopped
        write(self, cell, scores)

    monkeypatch.setattr(ScoredCells, "write", stopping)
    with pytest.raises(Stopped):
        evaluate_decoders(analysis, say=silent)
    assert not Places(analysis).results.exists()
    assert not Places(analysis).reconstructions.exists()
    again = evaluate_decoders(analysis, say=silent)
    assert len(written) == 4 + 3
    assert not set(written[4:]) & set(written[:3])
    for metric in ("pixcorr", "ssim", "identification"):
        xr.testing.assert_allclose(again[metric], results[metric], atol=1e-5)
    images = [
        open_reconstructions(one.folder)["reconstruction"].values.astype(int) for one in (analysis, whole)
    ]
    assert np.abs(images[0] - images[1]).max() <= 1
    assert list(analysis.folder.glob("*.partial")) == []


def test_second_run_repeats_nothing(either, backbone):
    analysis, results = either
    backbone.clear()
    again = tempgen.run_analysis(analysis, say=silent, with_figures=False)
    assert backbone == []
    xr.testing.assert_identical(again, results)


def test_other_sampling_is_another_result_of_the_same_decoders(dynadiff):
    analysis, _ = dynadiff
    sampling = analysis.decoder.sampling.model_copy(update={"n_steps": 3})
    other = changed(analysis, decoder={"sampling": sampling})
    with pytest.raises(ConfigError, match=r"sampling\.n_steps: 2 -> 3"):
        evaluate_decoders(other, say=silent)


def test_result_says_how_it_was_sampled(either):
    _, results = either
    assert results.attrs["sampling"] == "DDIMScheduler, 2 steps, guidance 1, seed 0"
    assert results.attrs["backbone"] == "scenes"
    assert json.loads(results.attrs["recipe"])["evaluated"]["n_trials"] == 8


def test_result_names_where_the_training_started(dynadiff, tokens):
    attrs = dynadiff[1].attrs
    assert attrs["warm_start"] == "General from ridge to the true tokens, Specialized from General"
    assert f"training started: {attrs['warm_start']}" in describe_results(dynadiff[1])
    assert "warm_start" not in tokens[1].attrs


def test_start_from_ridge_that_is_too_large_is_refused_before_images_are_encoded(
    dynadiff, tmp_path, monkeypatch
):
    analysis = dynadiff[0].model_copy(update={"folder": tmp_path / "out"})
    monkeypatch.setattr("tempgen.decoders.dynadiff.start.MAX_DENSE_ENTRIES", 1000)
    with pytest.raises(DecoderError, match=r"6 TRs x \d+ voxels.*warm_start: none"):
        train_decoders(analysis, [0], store=tempgen.open_store(Places(dynadiff[0]).store), say=silent)
    assert not Places(analysis).encoded.exists()


def test_averaged_presentations_are_decoded_as_one_trial_of_the_image(either, tmp_path):
    analysis, _ = either
    keys = {"repetitions": "average", "targets": ("current",), "max_trials": 60, "keep_reconstructions": 4}
    averaged = changed(analysis, evaluation={**keys, "train_deltas": (0,)}).model_copy(
        update={"folder": tmp_path / "out"}
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "decoders").symlink_to(Places(analysis).folder / "decoders")
    store = tempgen.open_store(Places(analysis).store)
    results = evaluate_decoders(averaged, store=store, say=silent)
    assert results.sizes["trial"] == len(np.unique(results["image_id"])) == 60
    assert set(results["n_repetitions"].values) == {1, 2, 3}
    assert results["pixcorr"].sel(train_delta=0, target="current").notnull().all()
    kept = open_reconstructions(Places(averaged).reconstructions)
    assert kept.sizes["trial"] == 4


def test_reconstructions_beyond_the_bound_are_refused_with_a_number_that_fits(dynadiff):
    analysis, _ = dynadiff
    tight = changed(analysis, evaluation={"max_kept_gb": 1e-5, "keep_reconstructions": "all"})
    with pytest.raises(ResultsError, match=r"at most 2\)"):
        reconstruct_images(tight, say=silent, overwrite=True)


def test_keeping_is_announced_in_bytes(dynadiff, tmp_path):
    analysis = dynadiff[0]
    said: list[str] = []
    reconstruct_images(
        changed(analysis, evaluation={"keep_reconstructions": 2}), say=said.append, overwrite=True
    )
    assert any("6 cells x 2 trials x 16 x 16 x 3 bytes = 0.00922 MB" in line for line in said)
    reconstruct_images(analysis, say=silent, overwrite=True)


def test_dynadiff_of_labels_is_refused(dynadiff):
    analysis, _ = dynadiff
    store = tempgen.open_store(Places(analysis).store).drop_dims("image")
    with pytest.raises(ConfigError, match="this store has labels: use ridge"):
        train_decoders(analysis, [0], store=store.assign_attrs(label_names='["a", "b"]'), say=silent)


def test_evaluation_keeps_no_image_unless_asked(dynadiff, tmp_path):
    analysis = elsewhere(
        changed(dynadiff[0], evaluation={"keep_reconstructions": "none"}), tmp_path, "decoders"
    )
    evaluate_decoders(analysis, say=silent)
    assert not Places(analysis).reconstructions.exists()
    assert reconstruct_images(analysis, say=silent).sizes["trial"] == 8


def test_figures_show_reconstructions_and_curves_beside_the_other_decoder(dynadiff, tokens):
    pytest.importorskip("papermill")
    analysis = changed(dynadiff[0], figures={"beside": tokens[0].folder, "n_draws": 100, "n_trials": 2})
    figures = draw_figures(analysis, say=silent)
    drawn = {path.stem for path in figures if path.suffix == ".png"}
    assert drawn == {"reconstructions", "general_vs_specialized", "previous_current_next", "beside_ridge"}
    svg = (Places(analysis).figures / "reconstructions.svg").read_text(encoding="utf-8")
    assert "Ridge to" in svg  # wrapped beside its rows
    assert "simulated data" in svg
    executed = (Places(analysis).figures / "dynadiff.ipynb").read_text(encoding="utf-8")
    assert "scored: 8 of the test trials" in executed
    before = [path.stat().st_mtime_ns for path in figures]
    assert [path.stat().st_mtime_ns for path in draw_figures(analysis, say=silent)] == before


def test_other_analysis_without_a_result_is_left_out_and_named(dynadiff, tmp_path):
    pytest.importorskip("papermill")
    analysis = changed(dynadiff[0], figures={"beside": tmp_path / "none", "n_draws": 100})
    said: list[str] = []
    drawn = {path.stem for path in draw_figures(analysis, say=said.append)}
    assert "beside_ridge" not in drawn
    assert any("has no result and is left out" in line for line in said)


def test_reconstructions_at_some_lags_are_of_the_same_analysis(dynadiff, tmp_path):
    analysis = elsewhere(dynadiff[0], tmp_path, "decoders")
    kept = reconstruct_images(analysis, [0, 2], say=silent)
    assert kept["test_delta"].values.tolist() == [0, 2]
    whole = open_reconstructions(dynadiff[0].folder)
    np.testing.assert_array_equal(kept["image_id"], whole["image_id"])
    difference = kept["reconstruction"].sel(train_delta=0).astype(int) - whole["reconstruction"].sel(
        train_delta=0, test_delta=[0, 2]
    )
    assert int(np.abs(difference).max()) <= 1
