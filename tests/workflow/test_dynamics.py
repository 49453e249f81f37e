"""tempgen dynamics: what it writes, that it goes on where it was, and the notebook that shows it."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tempgen.config import load_analysis, validate
from tempgen.config.dynamics import DynamicsConfig
from tempgen.config.files import packaged_file
from tempgen.config.split import SplitConfig
from tempgen.errors import ConfigError, ResultsError, SplitError
from tempgen.plots.dynamics import plot_dynamics, plot_nulls
from tempgen.workflow import dynamics
from tempgen.workflow.dynamics import draw_dynamics, open_dynamics, run_dynamics, verdict_table
from tests.workflow.conftest import silent

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "dynamic_or_overlap.ipynb"
SMALL = {
    "data.simulate.n_sessions": 1,
    "data.simulate.n_voxels": 40,
    "data.simulate.snr": 1.5,
    "split.n_test_runs": 3,
}
RULES = DynamicsConfig(n_features=8, n_surrogates=19, n_bootstrap=19)


def analysis_in(folder, **changes):
    given = {**SMALL, "folder": str(folder), **changes}
    return load_analysis(packaged_file("analyses", "dynamic_or_overlap.yaml"), given)


@pytest.fixture(scope="module")
def rotating(tmp_path_factory):
    """A finished analysis of a strong rotating code, what it returned and what it said."""
    analysis = analysis_in(tmp_path_factory.mktemp("dynamics") / "rotating")
    said = []
    return analysis, run_dynamics(analysis, RULES, say=said.append), said


def test_a_rotating_code_is_called_dynamic_and_why_is_said(rotating):
    _, result, said = rotating
    assert result.says == "dynamic"
    assert any(line.startswith("dynamic_or_overlap: DYNAMIC. ") for line in said)
    assert any("standard error of the time to peak" in line for line in said)
    verdict = result.verdict["verdict"]
    assert verdict.sel({"method": "separability"}) == verdict.sel({"method": "static_null"}) == "dynamic"


def test_what_is_opened_is_what_was_returned(rotating):
    analysis, result, _ = rotating
    opened = open_dynamics(analysis.output_folder)
    for name in ("bold", "deconvolved", "separability", "static_null", "verdict"):
        assert getattr(opened, name).identical(getattr(result, name))
    table = verdict_table({"one": opened})
    assert table.loc[("one", "together"), "verdict"] == "dynamic"


def test_what_is_done_is_kept_and_what_is_missing_is_made_again(rotating, monkeypatch):
    analysis, result, _ = rotating
    made = []
    monkeypatch.setattr(
        dynamics.DynamicsSubject, "static_null", lambda self: made.append(1) or result.static_null
    )
    run_dynamics(analysis, RULES, say=silent)
    assert not made
    (analysis.output_folder / "dynamics" / "static_null.zarr").rename(analysis.output_folder / "gone")
    run_dynamics(analysis, RULES, say=silent)
    assert made == [1]


def test_thresholds_judge_anew_and_make_nothing_anew(rotating, monkeypatch):
    analysis, *_ = rotating
    for method in ("bold_matrix", "deconvolved_matrix", "separability", "static_null"):
        monkeypatch.setattr(dynamics.DynamicsSubject, method, None)
    strict = RULES.model_copy(update={"static_below": 0.97, "dynamic_above": 0.98})
    result = run_dynamics(analysis, strict, say=silent)
    assert result.says == "undecided"
    assert "disagree" in str(result.verdict["reason"].sel({"method": "together"}).item())
    monkeypatch.undo()
    run_dynamics(analysis, RULES, say=silent)


def test_another_analysis_in_the_same_folder_is_refused(rotating):
    analysis, *_ = rotating
    with pytest.raises(ConfigError, match="tempgen dynamics --overwrite"):
        run_dynamics(analysis, RULES.model_copy(update={"n_surrogates": 20}), say=silent)


def test_scores_say_which_signal_they_are_of(rotating):
    result = rotating[1]
    assert [result.bold.attrs["signal"], result.deconvolved.attrs["signal"]] == ["bold", "deconvolved"]
    assert result.deconvolved.attrs["hrf_standard_error_s"] > 0


def test_hrfs_come_from_runs_without_test_trials(rotating):
    from tempgen.data.store import open_store
    from tempgen.workflow.dynamics_steps import DynamicsSubject
    from tempgen.workflow.encoding_features import encoding_features
    from tempgen.workflow.places import Places

    analysis = rotating[0]
    store = open_store(Places(analysis).store)
    subject = DynamicsSubject(store, encoding_features(store, RULES.encoding), RULES, analysis.split)
    tested = np.unique(store["trial_run"].values[subject.split.test])
    assert len(tested) == 3
    assert set(subject.training_runs) == set(range(12)) - set(tested.tolist())


def test_a_split_by_trial_is_refused(rotating, tmp_path):
    from tempgen.data.store import open_store
    from tempgen.workflow.places import Places

    store = open_store(Places(rotating[0]).store)
    analysis = rotating[0].model_copy(
        update={"split": SplitConfig(kind="interleaved"), "folder": tmp_path / "new"}
    )
    with pytest.raises(SplitError, match="need time-resolved"):
        run_dynamics(analysis, RULES, store=store, say=silent)


def test_another_signal_than_bold_is_refused(tmp_path):
    analysis = analysis_in(tmp_path, **{"signal.kind": "deconvolved"})
    with pytest.raises(ConfigError, match="starts from BOLD"):
        run_dynamics(analysis, RULES, say=silent)


def test_a_folder_without_verdict_says_what_to_do(tmp_path):
    with pytest.raises(ResultsError, match="make one with 'tempgen dynamics'"):
        open_dynamics(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"static_below": 0.5, "dynamic_above": 0.4}, "must be smaller"),
        ({"alpha": 0.01, "n_surrogates": 19}, "needs 99 surrogates"),
        ({"general_bold_delta": 40}, "bold_deltas lacks"),
        ({"duration_s": -1}, "an instant"),
        ({"hrf_step_s": 0.5}, "with hrf: library"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        validate(DynamicsConfig, given, origin="the test")


def test_the_figure_has_a_panel_for_each_matrix_curve_and_null(rotating):
    figure = draw_dynamics({"rotating": rotating[1], "again": rotating[1]})
    assert len(figure.axes) == 2 * 2 * 2 + 2 + 1  # and the colour bar
    limits = {
        mesh.get_clim()
        for ax in figure.axes[:8]
        for mesh in ax.collections
        if mesh.get_clim() != (None, None)
    }
    assert len(limits) == 1
    assert any("simulated data" in ax.get_title(loc="right") for ax in figure.axes)
    assert figure.get_figwidth() * 25.4 == pytest.approx(180)


def test_a_null_is_drawn_by_itself_and_nothing_is_refused(rotating):
    nulls = rotating[1].nulls()
    ax = plot_nulls({"rotating": nulls["static_null"]}, label="index")
    drawn = [line.get_ydata() for line in ax.lines]
    np.testing.assert_array_equal(drawn[0], nulls["static_null"]["null"])
    assert drawn[1] == [float(nulls["static_null"]["observed"])]
    with pytest.raises(ResultsError, match="no code"):
        plot_dynamics({}, {}, {})


def test_notebook_shows_the_verdicts_and_the_figure(rotating, tmp_path):
    papermill = pytest.importorskip("papermill")
    executed = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK),
        str(executed),
        cwd=str(tmp_path),
        parameters={"subjects": {"mine": str(rotating[0].output_folder)}},
        progress_bar=False,
    )
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert "dynamic" in json.dumps(outputs)
    assert (tmp_path / "outputs" / "figures" / "dynamic_or_overlap.png").is_file()


@pytest.mark.slow
def test_notebook_as_it_stands_tells_three_codes_apart(tmp_path):
    papermill = pytest.importorskip("papermill")
    papermill.execute_notebook(
        str(NOTEBOOK), str(tmp_path / "out.ipynb"), cwd=str(tmp_path), progress_bar=False
    )
    said = {
        code: open_dynamics(tmp_path / "outputs" / "dynamic_or_overlap" / code).says
        for code in ("static", "sustained", "rotating")
    }
    assert said == {"static": "static", "sustained": "static", "rotating": "dynamic"}


def test_a_verdict_does_not_outlive_what_it_judged(tmp_path):
    (tmp_path / "verdict.json").touch()
    for _ in range(2):
        dynamics._kept(tmp_path / "raw.zarr", {"seed": 0}, xr.Dataset, overwrite=False)
        assert not (tmp_path / "verdict.json").exists()
    (tmp_path / "verdict.json").touch()
    dynamics._kept(tmp_path / "raw.zarr", {"seed": 0}, xr.Dataset, overwrite=False)
    assert (tmp_path / "verdict.json").exists()


def test_other_hrfs_in_the_same_file_are_another_recipe(tmp_path):
    rules, told = DynamicsConfig(hrf=str(tmp_path / "hrf.npy")), []
    for peak in (5, 6):
        np.save(rules.hrf, np.eye(9)[:, [peak]])
        told.append(dynamics._own_hrfs(rules))
    assert told[0] != told[1]
    assert not dynamics._own_hrfs(RULES)


def test_more_bold_than_memory_has_room_for_is_refused(rotating, monkeypatch):
    monkeypatch.setattr(dynamics, "_COPIES", 10**9)
    with pytest.raises(ConfigError, match=r"inputs\.voxels_where"):
        run_dynamics(rotating[0], RULES, say=silent)
