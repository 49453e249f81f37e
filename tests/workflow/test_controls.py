"""Controls say what is so: of simulated subjects with a planted fault, and of the same ones without it."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
import xarray as xr
from typer.testing import CliRunner

from tempgen.config import load_analysis
from tempgen.config.controls import CONTROLS, ControlsConfig
from tempgen.config.files import packaged_file
from tempgen.data.store import trials_of
from tempgen.errors import ConfigError, ResultsError
from tempgen.workflow import prepare_recording
from tempgen.workflow.control_variants import Variants
from tempgen.workflow.controls import open_controls, run_controls
from tempgen.workflow.trial_sets import TrialSets
from tests.workflow.conftest import analysis_of, changed, silent
from tests.workflow.faults import (
    alike_neighbours,
    copies,
    moving_with_the_image,
    patterns_of_images,
    seen_before_onset,
)

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "controls.ipynb"
QUICK = {"n_draws": 500, "n_retrainings": 3}


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    """A simulated subject at one lag, and its store in memory."""
    analysis = analysis_of(
        tmp_path_factory.mktemp("controls") / "out",
        split={"n_test_runs": 4},
        training={"deltas": (0,)},
        evaluation={"deltas": (0,), "metrics": ("identification",), "n_permutations": 100},
    )
    return analysis, prepare_recording(analysis, say=silent).load()


@pytest.fixture
def verdicts(subject, tmp_path):
    """Verdict of each judgement by name, of some controls of a store in a folder of their own."""

    def run(store, *names, split=None, **rules):
        analysis = changed(subject[0], split=split or {}).model_copy(
            update={"folder": tmp_path / store.attrs["fingerprint"]}
        )
        found = run_controls(analysis, ControlsConfig(only=names, **QUICK, **rules), store=store, say=silent)
        print("\n".join(found["statement"].values))  # shown where a test fails
        return dict(zip(found["control"].values, found["verdict"].values, strict=True))

    return run


@pytest.fixture(scope="module")
def sound(subject):
    """All verdicts of the subject as it is, and what was said."""
    analysis, _ = subject
    said: list[str] = []
    return run_controls(analysis, ControlsConfig(**QUICK), say=said.append), said


def word(found: xr.Dataset, name: str) -> str:
    return str(found["verdict"].sel(control=name).item())


def test_subject_without_fault_fails_no_control(sound):
    found, said = sound
    assert not (found["verdict"] == "failed").any()
    for name in (
        "before_onset",
        "previous_image",
        "permuted_labels",
        "permuted_labels:test",
        "one_neighbour:next",
        "one_neighbour:previous",
        "after_blank",
        "repetition",
        "neighbours",
        "motion",
        "rois:streams-1",
    ):
        assert word(found, name) == "passed", name
    assert (
        sum(line.startswith(("passed", "failed", "not decided")) for line in said) == found.sizes["control"]
    )


def test_every_control_gives_a_verdict(sound):
    judged = {name.partition(":")[0] for name in sound[0]["control"].values}
    assert judged == set(CONTROLS)


def test_isolated_trials_score_nothing_before_onset(sound):
    isolated = sound[0].sel(control="before_onset:isolated")
    assert isolated["p"] > 0.05
    assert isolated["low"] < 0 < isolated["high"]
    assert 15 <= isolated["n_trials"] < sound[0].sel(control="before_onset")["n_trials"]


def test_matrix_of_one_lag_cannot_tell_of_windows_without_common_volumes(sound):
    assert word(sound[0], "no_overlap") == "not decided"


def test_verdicts_are_written_and_read_back(sound, subject):
    written = open_controls(subject[0].output_folder)
    xr.testing.assert_equal(written, sound[0])
    assert written.attrs["metric"] == "identification"
    with pytest.raises(ResultsError, match="tempgen controls"):
        open_controls(subject[0].output_folder / "controls")
    broken = subject[0].output_folder / "broken.json"
    broken.write_text('{"verdicts": [{"name": "motion"}]}')
    with pytest.raises(ResultsError, match="holds no verdicts"):
        open_controls(broken)


def test_second_call_trains_and_scores_nothing(sound, subject):
    files = list((subject[0].output_folder / "controls").rglob("*.json"))
    before = [path.stat().st_mtime_ns for path in files]
    again = run_controls(subject[0], ControlsConfig(**QUICK), say=silent)
    assert len(files) > 20
    assert [path.stat().st_mtime_ns for path in files] == before
    xr.testing.assert_identical(again, sound[0])


def test_image_that_is_seen_before_its_onset_is_found(subject, verdicts):
    judged = verdicts(seen_before_onset(subject[1]), "before_onset")
    assert judged == {"before_onset:isolated": "failed", "before_onset": "failed"}


def test_leak_between_neighbours_is_found_where_the_split_lets_it_in(subject, verdicts):
    """By trial the noise of shared volumes tells the neighbour's picture; by run it does not."""
    by_trial = {"kind": "interleaved", "n_test_runs": None, "test_fraction": 1 / 3}
    faulty = alike_neighbours(subject[1])
    assert verdicts(faulty, "neighbours", split=by_trial) == {"neighbours": "failed"}
    assert verdicts(subject[1], "neighbours", split=by_trial) == {"neighbours": "passed"}


def test_split_by_run_is_safe_from_a_leak_between_neighbours(subject, verdicts):
    assert verdicts(alike_neighbours(subject[1]), "neighbours") == {"neighbours": "passed"}


def test_repeated_images_are_found_where_the_split_lets_them_in(subject, verdicts):
    faulty = patterns_of_images(subject[1])
    assert verdicts(faulty, "repetition", split={"image_disjoint": False}) == {"repetition": "failed"}


def test_split_of_disjoint_images_is_safe_from_repeated_ones(subject, verdicts):
    assert verdicts(patterns_of_images(subject[1]), "repetition") == {"repetition": "passed"}


def test_images_that_are_shown_once_are_no_repeated_ones(subject, verdicts):
    once = {"image_disjoint": False, "train_where": "repetition == 0", "test_where": "repetition == 0"}
    assert verdicts(subject[1], "repetition", split=once) == {"repetition": "passed"}


def test_copies_of_test_images_under_other_names_are_found(subject, verdicts):
    analysis, store = subject
    split = TrialSets.of(analysis, store).split
    image = trials_of(store)["image_id"].to_numpy()
    tested, trained = np.unique(image[split.test]), np.unique(image[split.train])
    faulty = copies(store, of=tested[:3], under=trained[:3])
    assert verdicts(faulty, "repetition") == {"repetition": "failed"}


@pytest.mark.parametrize(("gain", "expected"), [(2.0, "failed"), (0.0, "passed")])
def test_motion_locked_to_the_image_is_found(subject, verdicts, gain, expected):
    assert verdicts(moving_with_the_image(subject[1], gain=gain), "motion") == {"motion": expected}


def test_permutation_keeps_the_images_of_each_run_and_moves_them(subject):
    analysis, store = subject
    part, permuted = Variants(analysis, store, ControlsConfig()).permuted(1)
    before, after = trials_of(store), trials_of(permuted)
    assert (before["image_id"] != after["image_id"]).mean() > 0.9
    for run in range(12):
        own = before["run"] == run
        assert sorted(before["image_id"][own]) == sorted(after["image_id"][own])
    np.testing.assert_array_equal(before["onset_tr"], after["onset_tr"])
    assert permuted.attrs["fingerprint"] != store.attrs["fingerprint"]
    assert part.output_folder == analysis.output_folder / "controls" / "permuted-1"


def test_halves_of_the_repeated_images_are_in_test_and_training(subject):
    analysis, store = subject
    variants = Variants(analysis, store, ControlsConfig())
    one, other = variants.repeated_images()
    assert len(one) > 20
    assert abs(len(one) - len(other)) <= 1
    assert not set(one) & set(other)
    image = trials_of(store)["image_id"].to_numpy()
    for dropped, kept in ((one, other), (other, one)):
        split = TrialSets.of(variants.without(dropped, "without"), store).split
        assert set(dropped) | set(kept) <= set(image[split.test])
        assert set(kept) <= set(image[split.train])
        assert not set(dropped) & set(image[split.train])


def test_lag_whose_window_reaches_onset_is_refused(subject):
    with pytest.raises(ConfigError, match="before_deltas has -7.*the latest is -8"):
        Variants(*subject, ControlsConfig(before_deltas=(-8, -7))).before_onset()


def test_command_prints_one_line_a_verdict(subject, tmp_path):
    from tempgen.cli.controls import controls

    analysis = tmp_path / "analysis.yaml"
    content = json.loads(subject[0].model_dump_json(exclude_defaults=True))
    content["data"]["path"] = str(subject[0].output_folder / "simulated")
    content["folder"] = str(tmp_path / "out")
    analysis.write_text(json.dumps(content))
    app = typer.Typer()
    app.command()(controls)
    run = CliRunner().invoke(
        app, [str(analysis), "--only", "after_blank, motion", "-s", "controls.n_draws=500"]
    )
    assert run.exception is None
    assert "passed       after_blank: first trials after a blank score" in run.output
    assert "passed       motion:" in run.output
    assert "2 passed, 0 failed, 0 not decided" in run.output
    assert json.loads((tmp_path / "out" / "controls.json").read_text())["rules"]["n_draws"] == 500


def test_notebook_shows_the_verdicts_on_one_page(sound, subject, tmp_path):
    papermill = pytest.importorskip("papermill")
    executed = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK),
        str(executed),
        cwd=str(tmp_path),
        parameters={"verdicts": str(subject[0].output_folder)},
        progress_bar=False,
    )
    shown = executed.read_text(encoding="utf-8")
    assert "SIMULATED data, subject 1" in shown
    for statement in sound[0]["statement"].values[:3]:
        assert statement.split(",")[0] in shown
    assert {path.suffix for path in (tmp_path / "outputs" / "figures").glob("controls.*")} == {".png", ".svg"}


@pytest.mark.slow
def test_removal_of_drift_carries_the_image_to_before_its_onset(tmp_path):
    """A true fault of the preprocessing: a regression over the whole run is acausal."""
    found = {}
    for drift in ("none", "cosine"):
        given = {"folder": str(tmp_path / drift), "data.preprocess.drift": drift}
        analysis = load_analysis(packaged_file("analyses", "controls.yaml"), given)
        verdicts = run_controls(analysis, ControlsConfig(only=("before_onset",)), say=silent)
        found[drift] = verdicts.sel(control="before_onset")
    assert found["none"]["verdict"] == "passed"
    assert found["cosine"]["low"] > 0
    assert found["cosine"]["p"] < 0.05
    assert found["cosine"]["statistic"] > 3 * abs(found["none"]["statistic"])


@pytest.mark.slow
def test_notebook_as_it_stands_makes_verdicts_of_a_simulated_subject(tmp_path):
    papermill = pytest.importorskip("papermill")
    executed = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK), str(executed), cwd=str(tmp_path), parameters={"only": ["motion"]}, progress_bar=False
    )
    assert "those of a SIMULATED subject are made" in executed.read_text(encoding="utf-8")
    assert (tmp_path / "outputs" / "controls" / "controls.json").is_file()
