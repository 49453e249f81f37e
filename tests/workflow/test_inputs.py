"""Decoders see what the analysis says: all voxels, a region, or the motion of the head; and nothing is mixed up."""

import shutil

import numpy as np
import pytest

import tempgen
from tempgen.config import validate
from tempgen.config.inputs import InputsConfig
from tempgen.decoders import decoder_provenance, load_decoder
from tempgen.errors import ConfigError
from tempgen.results import recipe_of
from tempgen.workflow import Places, evaluate_decoders, prepare_recording, train_decoders
from tempgen.workflow.trial_sets import TrialSets
from tests.workflow.conftest import changed, silent

FEW_LAGS = {
    "training": {"deltas": (0, 3)},
    "evaluation": {"deltas": (0, 3), "metrics": ("pixcorr", "identification")},
}


def seeing(analysis, **inputs):
    return analysis.model_copy(update={"inputs": validate(InputsConfig, inputs, origin="the test")})


@pytest.fixture
def few(rotating, tmp_path):
    """An analysis at two lags in a folder of its own, with a copy of the simulated subject and its store."""
    analysis, _ = rotating
    for place in (Places(analysis).dataset, Places(analysis).store):
        shutil.copytree(place, tmp_path / place.name)
    return changed(analysis, **FEW_LAGS).model_copy(update={"folder": tmp_path})


def test_motion_is_added_to_a_store_that_is_there_and_tells_nothing_of_the_image(few):
    before = Places(few).store / "bold" / "zarr.json"
    made = before.stat().st_mtime_ns
    analysis = seeing(few, kind="motion")
    said: list[str] = []
    store = prepare_recording(analysis, say=said.append)
    assert store["motion"].sizes["parameter"] == 6
    assert any("motion parameters added" in line for line in said)
    assert before.stat().st_mtime_ns == made
    train_decoders(analysis, analysis.fitted_deltas, store=store, say=silent)
    assert load_decoder(Places(analysis).decoder(3)).coef_.shape[:2] == (6, 6)
    results = evaluate_decoders(analysis, store=store, say=silent)
    score = results["identification"].sel(target="current").mean("trial")
    assert abs(score.sel(train_delta=3, test_delta=3) - 0.5) < 0.06
    assert recipe_of(results)["inputs"] == {"kind": "motion"}


def test_decoder_of_a_region_sees_its_voxels_only(few):
    store = tempgen.open_store(Places(few).store)
    streams = store["streams"].values
    region = int(np.bincount(streams).argmax())
    analysis = seeing(few, voxels_where=f"streams == {region}")
    train_decoders(analysis, [0], store=store, say=silent)
    n_voxels = int((streams == region).sum())
    assert 0 < n_voxels < store.sizes["voxel"]
    assert load_decoder(Places(analysis).decoder(0)).coef_.shape[:2] == (6, n_voxels)
    assert f"BOLD of {n_voxels} of" in decoder_provenance(Places(analysis).decoder(0))["inputs"]


def test_decoders_of_other_inputs_are_not_mixed_up(few):
    store = tempgen.open_store(Places(few).store)
    train_decoders(few, [0], store=store, say=silent)
    half = seeing(few, voxels_where="x_mm > 0 or x_mm <= 0")  # even where it happens to choose all voxels
    with pytest.raises(ConfigError, match="inputs: None -> "):
        train_decoders(half, [0], store=store, say=silent)


def test_recipe_without_inputs_and_conditions_is_the_one_of_before(few):
    """Decoders and results that were made before there was a choice stay valid."""
    sets = TrialSets.of(few, tempgen.open_store(Places(few).store))
    recipe = sets.recipe()
    assert set(recipe) == {"store", "window", "split", "decoder"}
    assert set(recipe["split"]) == {
        *("kind", "test_fraction", "n_test_runs", "fold", "image_disjoint", "seed", "trials")
    }
    assert sets.training_recipe() == recipe


def test_region_that_the_store_does_not_know_is_refused_before_training(few):
    with pytest.raises(ConfigError, match=r"no column V1. Columns: streams, i, j, k, x_mm, y_mm, z_mm"):
        train_decoders(seeing(few, voxels_where="V1 > 0"), [0], say=silent)
