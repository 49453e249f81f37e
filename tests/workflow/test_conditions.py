"""Decoders of one group of trials meet the trials of another."""

import json

import numpy as np
import pytest
import xarray as xr

import tempgen
from tempgen.data.store import trials_of
from tempgen.errors import ConfigError, SplitError
from tempgen.generalization.groups import group_result
from tempgen.results import recipe_of
from tempgen.workflow import Places, evaluate_decoders, train_decoders
from tempgen.workflow.conditions import cross_condition
from tempgen.workflow.trial_sets import TrialSets
from tests.workflow.conftest import changed, silent

FEW_LAGS = {
    "training": {"deltas": (0, 3)},
    "evaluation": {"deltas": (0, 3), "matrix": True, "metrics": ("pixcorr", "identification")},
}
GROUPS = {"first": "repetition == 0", "again": "repetition > 0"}


@pytest.fixture
def few(rotating, tmp_path):
    """An analysis at two lags of the subject that all tests share, in a folder of its own, and its store."""
    analysis, _ = rotating
    other = changed(analysis, **FEW_LAGS).model_copy(update={"folder": tmp_path / "out"})
    return other, tempgen.open_store(Places(analysis).store)


@pytest.fixture(scope="module")
def crossed(rotating, tmp_path_factory):
    analysis, _ = rotating
    folder = tmp_path_factory.mktemp("crossed") / "out"
    few = changed(analysis, **FEW_LAGS).model_copy(update={"folder": folder})
    store = tempgen.open_store(Places(analysis).store)
    return few, store, cross_condition(few, GROUPS, store=store, say=silent)


def test_each_group_is_trained_once_and_tested_on_each(crossed):
    analysis, store, results = crossed
    folder = analysis.folder / "conditions"
    assert results["pixcorr"].sizes["train_group"] == results["pixcorr"].sizes["test_group"] == 2
    assert sorted(path.name for path in folder.iterdir()) == ["train-again", "train-first"]
    decoders = [path for path in folder.glob("*/decoders/ridge/*") if path.is_dir()]
    assert len(decoders) == 4  # two groups, two lags
    trials = trials_of(store)
    sets = TrialSets.of(analysis, store)
    for name, repetitions in (("first", (0,)), ("again", (1, 2))):
        pair = group_result(results, train_group="first", test_group=name)
        chosen = sets.split.test & np.isin(trials["repetition"], repetitions)
        assert 0 < chosen.sum() < sets.split.test.sum()
        np.testing.assert_array_equal(pair["image_id"], trials["image_id"][chosen])
        assert set(pair["repetition"].values) == set(repetitions)
        assert int(results["n_train"].sel(train_group=name)) == int(
            (sets.split.train & np.isin(trials["repetition"], repetitions)).sum()
        )


def test_pair_is_what_an_analysis_of_these_conditions_gives(crossed, tmp_path):
    analysis, store, results = crossed
    split = analysis.split.model_copy(update={"train_where": GROUPS["first"], "test_where": GROUPS["again"]})
    by_hand = analysis.model_copy(update={"split": split, "folder": tmp_path})
    train_decoders(by_hand, by_hand.fitted_deltas, store=store, say=silent)
    expected = evaluate_decoders(by_hand, store=store, say=silent)
    pair = group_result(results, train_group="first", test_group="again")
    xr.testing.assert_equal(pair, expected)
    assert recipe_of(expected)["split"]["test_where"] == "repetition > 0"


def test_decoders_of_one_group_decode_the_other(crossed):
    """The code does not depend on the repetition: what is learned from one group holds for the other."""
    _, _, results = crossed
    score = results["identification"].sel(target="current", train_delta=3, test_delta=3).mean("trial")
    assert (score > 0.55).all()


def test_second_call_repeats_nothing(crossed):
    analysis, store, results = crossed
    files = list(analysis.folder.rglob("zarr.json"))
    before = [path.stat().st_mtime_ns for path in files]
    said: list[str] = []
    again = cross_condition(analysis, GROUPS, store=store, say=said.append)
    xr.testing.assert_identical(again, results)
    assert [path.stat().st_mtime_ns for path in files] == before
    assert sum("is done" in line for line in said) == 4


def test_other_groups_of_the_same_names_are_not_mixed_up(crossed):
    analysis, store, _ = crossed
    with pytest.raises(ConfigError, match=r"split.train_where: 'repetition == 0' -> 'repetition < 2'"):
        cross_condition(analysis, {**GROUPS, "first": "repetition < 2"}, store=store, say=silent)
    beside = cross_condition(
        analysis,
        {"first": "after_blank"},
        train_groups={"all": None},
        name="blanks",
        store=store,
        say=silent,
    )
    assert beside["pixcorr"].sizes["train_group"] == 1
    assert set(beside["test_where"].values) == {"after_blank"}
    previous = beside["pixcorr"].sel(target="previous")
    assert previous.isnull().all()


def test_group_that_cannot_be_tested_is_refused_before_any_training(few):
    analysis, store = few
    test_runs = np.unique(trials_of(store)["run"][TrialSets.of(analysis, store).split.test])
    training_run = next(run for run in range(12) if run not in test_runs)
    with pytest.raises(SplitError, match="No test trial is left"):
        cross_condition(analysis, {"all": None, "none": f"run == {training_run}"}, store=store, say=silent)
    assert not list(analysis.folder.rglob("decoders"))


@pytest.mark.parametrize(
    ("groups", "options", "complaint"),
    [
        ({"a/b": None}, {}, "'a/b' names a folder"),
        ({"a": None}, {"name": ".."}, "'..' names a folder"),
        ({}, {}, "No group of trials"),
        ({"a": "sesion == 1"}, {}, "group 'a' has 1 problem.*no column sesion"),
    ],
)
def test_groups_that_cannot_be_are_refused(few, groups, options, complaint):
    analysis, store = few
    with pytest.raises(ConfigError, match=f"(?s){complaint}"):
        cross_condition(analysis, groups, store=store, say=silent, **options)


def test_own_conditions_of_the_analysis_hold_beside_the_groups(few):
    analysis, store = few
    split = analysis.split.model_copy(update={"test_where": "not after_blank or shared1000"})
    narrowed = analysis.model_copy(update={"split": split})
    results = cross_condition(narrowed, {"late": "position_in_run > 30"}, store=store, say=silent)
    trials = trials_of(store)
    late = trials.groupby("run").cumcount() > 30
    narrow = (trials["previous_image"] != -1) | trials["shared1000"]
    chosen = TrialSets.of(analysis, store).split.test & late & narrow
    np.testing.assert_array_equal(results["image_id"], trials["image_id"][chosen])
    attrs = group_result(results, train_group="late", test_group="late").attrs
    where = json.loads(attrs["analysis"])["split"]["test_where"]
    assert where == "(not after_blank or shared1000) and (position_in_run > 30)"
