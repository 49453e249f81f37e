"""An analysis decodes the signal that it names, made on its own training runs."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import tempgen
from tempgen.cli.app import app
from tempgen.config import validate
from tempgen.config.signal import SignalConfig
from tempgen.decoders import decoder_provenance
from tempgen.errors import ConfigError, StoreError
from tempgen.workflow import Places, evaluate_decoders, prepare_recording, train_decoders
from tempgen.workflow.signal import make_signal_store, prepare_signal, training_runs
from tempgen.workflow.sweep_tasks import Part, plan_recordings
from tests.workflow.conftest import changed, silent


@pytest.fixture
def own(rotating, tmp_path):
    """The analysis of a rotating code, in a folder of its own with its subject and store."""
    analysis, _ = rotating
    for place in (Places(analysis).dataset, Places(analysis).store):
        shutil.copytree(place, tmp_path / place.name)
    few = {"training": {"deltas": (0, 2)}, "evaluation": {"deltas": (0, 2), "metrics": ("pixcorr",)}}
    window = {"t0_s": 0.0, "n_tr": 1}
    return changed(analysis, window=window, **few).model_copy(update={"folder": tmp_path})


def with_signal(analysis, **keys):
    return analysis.model_copy(update={"signal": validate(SignalConfig, keys, origin="the test")})


def test_deconvolved_activity_is_decoded_and_results_say_so(own, rotating):
    said: list[str] = []
    analysis = with_signal(own, kind="deconvolved", duration_s="estimated")
    store = prepare_recording(analysis, say=said.append)
    train_decoders(analysis, analysis.fitted_deltas, store=store, say=silent)
    results = evaluate_decoders(analysis, store=store, say=silent)

    assert store.attrs["signal"] == "deconvolved"
    assert any("standard error of the time to peak" in line for line in said)
    assert str(results["signal"].values) == results.attrs["signal"] == "deconvolved"
    assert results.attrs["hrf_standard_error_s"] > 0
    assert "time to peak" in decoder_provenance(Places(analysis).decoder(0))["note_hrf"]
    # activity begins with the image, BOLD seconds later
    own_score = results["pixcorr"].sel(target="current", train_delta=0, test_delta=0).mean("trial")
    assert own_score > results["pixcorr_chance"].sel(train_delta=0, test_delta=0) + 0.05
    _, of_bold = rotating
    assert str(of_bold["signal"].values) == "bold"


def test_signal_is_made_once_and_again_only_with_another_recipe(own):
    analysis = with_signal(own, kind="deconvolved")
    said: list[str] = []
    first = prepare_recording(analysis, say=said.append).attrs["fingerprint"]
    n_said = len(said)
    assert prepare_recording(analysis, say=said.append).attrs["fingerprint"] == first
    assert len(said) == n_said
    another = with_signal(own, kind="deconvolved", hrf="canonical")
    with pytest.raises(ConfigError, match=r"hrf\.name: .*canonical(.|\n)*tempgen deconvolve --overwrite"):
        prepare_recording(another, say=silent)
    with pytest.raises(ConfigError, match=r"runs: \[.*\] -> \["):
        prepare_recording(changed(analysis, split={"seed": 5}), say=silent)
    assert prepare_recording(analysis, say=silent).attrs["fingerprint"] == first  # nothing was lost
    assert prepare_recording(another, say=silent, overwrite=True).attrs["fingerprint"] != first
    assert prepare_recording(another, say=silent).attrs["fingerprint"] != first


def test_sweep_makes_a_signal_again_and_keeps_the_bold(own):
    made = [with_signal(own, kind="deconvolved", hrf=hrf) for hrf in ("canonical", "library")]
    prepare_recording(made[0], say=silent)
    assert plan_recordings([Part(made[0])]) == []
    with pytest.raises(ConfigError, match="tempgen deconvolve --overwrite"):
        plan_recordings([Part(made[1])])
    (again,) = plan_recordings([Part(made[1])], overwrite=True)
    assert again.stale == (Places(made[1]).signal_store,)


def test_hrfs_come_from_the_runs_without_test_trials(own):
    analysis = with_signal(own, kind="deconvolved")
    bold = tempgen.open_store(Places(own).store)
    recipe = json.loads(prepare_recording(analysis, say=silent).attrs["signal_recipe"])

    assert recipe["runs"] == training_runs(analysis, bold)
    assert len(recipe["runs"]) == 12 - 3


def test_every_run_with_test_trials_leaves_nothing_to_learn_from(own):
    analysis = changed(with_signal(own, kind="deconvolved"), split={"kind": "interleaved"})
    with pytest.raises(StoreError, match="time-resolved"):
        prepare_signal(analysis, tempgen.open_store(Places(own).store), say=silent)


def test_betas_are_made_with_the_voxels_hrfs_and_decoded(own):
    analysis = with_signal(own, kind="betas", duration_s=9.0)
    analysis = changed(
        analysis, window={"start_tr": 0, "t0_s": 3.0}, training={"deltas": (0,)}, evaluation={"deltas": (0,)}
    )
    store = prepare_recording(analysis, say=silent)
    train_decoders(analysis, analysis.fitted_deltas, store=store, say=silent)
    results = evaluate_decoders(analysis, store=store, say=silent)

    assert store.attrs["signal"] == str(results["signal"].values) == "betas"
    assert np.isfinite(store["hrf_time_to_peak_s"].values).all()
    assert prepare_recording(analysis, say=silent).attrs["fingerprint"] == store.attrs["fingerprint"]


def test_motion_is_still_there_beside_another_signal(own):
    analysis = with_signal(own, kind="deconvolved").model_copy(
        update={"inputs": type(own.inputs)(kind="motion")}
    )
    assert prepare_recording(analysis, say=silent)["motion"].sizes["parameter"] == 6


def test_runs_that_do_not_exist_are_refused(own, tmp_path):
    store = tempgen.open_store(Places(own).store)
    config = SignalConfig(kind="deconvolved")
    with pytest.raises(ConfigError, match="runs 0 to 11"):
        make_signal_store(store, tmp_path / "out.zarr", config, [0, 12], say=silent)


def test_command_makes_a_store_of_a_store_and_draws_its_hrfs(own, tmp_path):
    store, out, figure = Places(own).store, tmp_path / "out.zarr", tmp_path / "hrf.png"
    call = ["deconvolve", "--store", str(store), "--out", str(out), "--figure", str(figure)]
    result = CliRunner().invoke(app, [*call, "--training-runs", "0..8", "--duration", "9"])

    assert result.exit_code == 0, result.output
    assert "time to peak" in result.output
    assert "noise:" in result.output
    assert json.loads(tempgen.open_store(out).attrs["signal_recipe"])["runs"] == list(range(9))
    assert figure.stat().st_size > 10_000
    again = CliRunner().invoke(app, call)
    assert isinstance(again.exception, ConfigError)
    for place in (store, store.parent, store / "inside"):
        onto = ["deconvolve", "--store", str(store), "--out", str(place), "--overwrite"]
        refused = CliRunner().invoke(app, onto)
        assert "take the place of" in str(refused.exception)


def test_command_keeps_a_store_and_an_analysis_apart(tmp_path):
    for arguments in (["--out", "x"], ["--store", "x"], ["--store", "x", "--out", "y", "-s", "name=z"]):
        assert isinstance(CliRunner().invoke(app, ["deconvolve", *arguments]).exception, ConfigError)
