"""Results of one presentation of each test image, and of averaged ones."""

import json

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

import tempgen
from tempgen.config import validate
from tempgen.config.analysis import Analysis
from tempgen.config.controls import ControlsConfig
from tempgen.config.evaluation import EvaluationConfig
from tempgen.config.split import SplitConfig
from tempgen.data.store import trials_of
from tempgen.decoders import load_decoder
from tempgen.errors import ConfigError
from tempgen.generalization.groups import group_result
from tempgen.results import describe_results, recipe_of
from tempgen.workflow import (
    Places,
    evaluate_decoders,
    reconstruct_images,
    score_reconstructions,
    train_decoders,
)
from tempgen.workflow.cells import decoded_cells, resized
from tempgen.workflow.conditions import cross_condition
from tempgen.workflow.control_variants import Variants
from tempgen.workflow.evaluation import evaluate_rows
from tempgen.workflow.planning import get_device, plan_analysis
from tempgen.workflow.trial_sets import TrialSets
from tests.workflow.conftest import changed, silent

DELTAS = (0, 2)


@pytest.fixture(scope="module")
def trained(rotating, tmp_path_factory):
    """Decoders of two lags on NSD's standard split: 25 test images, each shown three times."""
    analysis, _ = rotating
    store = tempgen.open_store(Places(analysis).store)
    analysis = analysis.model_copy(
        update={
            "folder": tmp_path_factory.mktemp("repetitions") / "out",
            "split": SplitConfig(kind="nsd-standard"),
        }
    )
    evaluation = {
        "deltas": DELTAS,
        "metrics": ("pixcorr", "identification"),
        "n_permutations": 99,
        "targets": ("current",),
    }
    analysis = changed(analysis, training={"deltas": DELTAS}, evaluation=evaluation)
    train_decoders(analysis, DELTAS, store=store, say=silent)
    return analysis, store


def with_repetitions(trained, repetitions, folder, **keys):
    """The analysis in a folder of its own, with a link to the decoders."""
    analysis, store = trained
    decoders = Places(analysis).folder / "decoders"
    analysis = changed(analysis, evaluation={"repetitions": repetitions, **keys}).model_copy(
        update={"folder": folder}
    )
    folder.mkdir(exist_ok=True)
    (folder / "decoders").symlink_to(decoders)
    return analysis, store


@pytest.fixture(scope="module")
def results(trained, tmp_path_factory):
    made = {}
    for repetitions in ("all", "one", "average"):
        analysis, store = with_repetitions(trained, repetitions, tmp_path_factory.mktemp(repetitions) / "out")
        made[repetitions] = evaluate_decoders(analysis, store=store, say=silent)
    return made


def test_decoding_an_average_is_decoding_windows_averaged_by_hand(trained, tmp_path):
    analysis, store = with_repetitions(trained, "average", tmp_path / "out")
    sets = TrialSets.of(analysis, store)
    trials = trials_of(store)[sets.split.test]
    folders = {delta: Places(analysis).decoder(delta) for delta in DELTAS}
    windows = sets.windows("test")
    found = {
        (train, test): images
        for train, test, images in decoded_cells(
            sets, folders, windows, {(0, 0), (0, 2), (2, 2)}, desc="test"
        )
    }
    each = sets.windows_of(sets.split.test)
    for (train, test), images in found.items():
        single = each.windows(test)
        mean = np.stack(
            [single[trials["image_id"] == image].mean(axis=0) for image in windows.table["image_id"]]
        )
        decoder = load_decoder(folders[train])
        by_hand = resized(decoder.target_.reconstruct(decoder.predict(mean)), images.shape[1])
        assert len(images) == 25
        np.testing.assert_allclose(images, by_hand, atol=1e-5)


def test_an_average_is_decoded_better_than_single_presentations(results):
    score = {
        name: result["pixcorr"].sel(train_delta=0, test_delta=0, target="current").mean().item()
        for name, result in results.items()
    }
    assert score["average"] > score["all"] + 0.03
    assert score["one"] == pytest.approx(score["all"], abs=0.1)


@pytest.mark.parametrize("repetitions", ["one", "average"])
def test_a_result_has_one_trial_an_image_the_same_at_every_lag(results, repetitions):
    result = results[repetitions]
    assert result.sizes["trial"] == len(np.unique(result["image_id"])) == 25 == result.attrs["n_evaluated"]
    computed = result["pixcorr"].sel(target="current").stack(cell=("train_delta", "test_delta")).notnull()
    assert set(computed.sum("trial").values.tolist()) == {25}
    assert result["pixcorr_null"].notnull().all()
    assert result["pixcorr_baseline"].notnull().all()


def test_averages_are_of_the_first_presentation_and_say_over_how_many(results):
    result, every = results["average"], results["all"]
    assert (result["n_repetitions"] == 3).all()
    assert "n_repetitions" not in every.coords
    names = ["image_id", "run", "onset_tr", "repetition"]
    first = every[names].to_dataframe().groupby("image_id").first()
    found = result[names].to_dataframe().set_index("image_id").sort_index()
    assert found[first.columns].equals(first)


def test_what_was_scored_is_named(results, trained):
    assert "25 test images, windows averaged over the presentations of each (3)" in describe_results(
        results["average"]
    )
    assert "one presentation of each of 25 test images" in describe_results(results["one"])
    assert "scored:" not in describe_results(results["all"])
    assert {name: result.attrs["repetitions"] for name, result in results.items()} == {
        name: name for name in results
    }


def test_results_of_all_presentations_have_the_recipe_that_they_had(results):
    recipe = recipe_of(results["all"])
    assert "evaluated" not in recipe
    assert "repetitions" not in recipe["evaluation"]
    others = [recipe_of(results[name]) for name in ("one", "average")]
    assert [one["evaluated"]["repetitions"] for one in others] == ["one", "average"]


def test_rows_scored_apart_make_up_the_same_result(results, trained, tmp_path):
    analysis, store = with_repetitions(trained, "average", tmp_path / "out")
    for delta in DELTAS:
        evaluate_rows(analysis, [delta], store=store, say=silent)
    gathered = evaluate_decoders(analysis, store=store, say=silent)
    xr.testing.assert_equal(gathered["pixcorr"], results["average"]["pixcorr"])


@pytest.mark.parametrize(
    ("repetitions", "keys", "n_trials"),
    [("all", {}, 75), ("one", {}, 25), ("average", {}, 25), ("average", {"max_trials": 10}, 10)],
)
def test_the_plan_counts_what_is_scored(trained, tmp_path, repetitions, keys, n_trials):
    analysis, store = with_repetitions(trained, repetitions, tmp_path / "out", **keys)
    assert plan_analysis(analysis, get_device("cpu")).n_scored == n_trials
    assert len(TrialSets.of(analysis, store).windows("test").table) == n_trials


def test_kept_reconstructions_of_averages_have_no_neighbours(trained, results, tmp_path):
    analysis, store = with_repetitions(trained, "average", tmp_path / "out", keep_reconstructions=8)
    kept = reconstruct_images(analysis, store=store, say=silent)
    assert kept.sizes["trial"] == 8
    assert (kept["n_repetitions"] == 3).all()
    assert (kept["previous_image"] == -1).all()
    scored = score_reconstructions(Places(analysis).reconstructions, say=silent)
    assert scored["target"].values.tolist() == ["current"]
    assert scored["n_repetitions"].values.tolist() == [3] * 8
    with pytest.raises(ConfigError, match="repetitions"):
        reconstruct_images(changed(analysis, evaluation={"repetitions": "one"}), store=store, say=silent)


def test_controls_score_single_presentations_which_have_neighbours(trained):
    analysis, store = trained
    analysis = changed(analysis, evaluation={"repetitions": "average"})
    control = Variants(analysis, store, ControlsConfig()).previous_image()
    assert control.evaluation.repetitions == "all"
    assert control.evaluation.targets == ("previous", "current", "next")


def test_groups_average_the_presentations_that_they_test(trained, tmp_path):
    analysis, store = trained
    analysis = changed(analysis, evaluation={"repetitions": "average"}).model_copy(
        update={"folder": tmp_path / "out"}
    )
    groups = {"all": None, "first": "repetition == 0"}
    crossed = cross_condition(analysis, groups, train_groups={"all": None}, store=store, say=silent)
    for name, n_presentations in (("all", 3), ("first", 1)):
        one = group_result(crossed, train_group="all", test_group=name)
        assert one["n_repetitions"].values.tolist() == [n_presentations] * 25
        assert f"({n_presentations}) before decoding" in describe_results(one)


def test_labels_are_no_repeated_images(trained, tmp_path):
    analysis, store = with_repetitions(trained, "average", tmp_path / "out")
    names = [str(image) for image in range(int(store["trial_image_id"].max()) + 1)]
    labels = store.drop_vars(["image", "image_of"]).assign_attrs(label_names=json.dumps(names))
    analysis = changed(analysis, evaluation={"suite": None, "metrics": None}, split={"kind": "time-resolved"})
    with pytest.raises(ConfigError, match=r"evaluation\.repetitions would not be used.*labels"):
        train_decoders(analysis, [0], store=labels, say=silent)


@pytest.mark.parametrize("targets", [["previous", "current", "next"], ["previous"], ["current", "next"]])
def test_an_average_is_compared_with_its_own_image_alone(targets):
    with pytest.raises(ValidationError, match=r"no previous and no next image.*write targets: \[current\]"):
        EvaluationConfig(repetitions="average", targets=targets)


def test_targets_that_are_not_given_are_those_that_an_average_has():
    config = EvaluationConfig(repetitions="average")
    assert config.targets == ("current",)
    assert EvaluationConfig(repetitions="one").targets == ("previous", "current", "next")
    assert validate(EvaluationConfig, json.loads(config.model_dump_json()), origin="a dump") == config
    assert Analysis.model_validate({"evaluation": {"repetitions": "average"}}).evaluation == config
