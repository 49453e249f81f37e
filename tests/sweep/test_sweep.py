"""Analyses as sweeps of worker processes: the in-process result, nothing twice, and only what a change touches."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

import tempgen
from tempgen.config.launcher import LauncherConfig, load_launcher
from tempgen.errors import ConfigError, ResultsError, SweepError
from tempgen.result_cells import CellFiles
from tempgen.sweep.record import Record
from tempgen.sweep.status import status_rows, status_table
from tempgen.workflow import Places, run_analysis
from tempgen.workflow.evaluation import begin_evaluation, evaluate_rows
from tempgen.workflow.sweep import describe_sweep, sweep_analyses
from tempgen.workflow.sweep_tasks import Part
from tests.workflow.conftest import analysis_of, changed, silent

PROCESSES = LauncherConfig(launcher="processes", max_at_once=2)


def small(folder):
    return analysis_of(
        folder,
        simulate={"n_voxels": 60},
        split={"n_test_runs": 2},
        training={"deltas": "0..2"},
        evaluation={"deltas": "-1..2"},
    )


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """An analysis that worker processes made."""
    analysis = small(tmp_path_factory.mktemp("swept") / "out")
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        assert sweep_analyses([analysis], PROCESSES, say=said.append)
    return analysis, said


def elsewhere(analysis, folder):
    """The same in a folder of its own, to be changed."""
    shutil.copytree(analysis.folder, folder)
    moved = analysis.model_copy(update={"folder": folder})
    for record in folder.glob("sweep/*/task.json"):
        text = record.read_text().replace(str(analysis.folder), str(folder))
        record.write_text(text)
    return moved


def runs(analysis, **options):
    """Names of the tasks that would run."""
    lines = describe_sweep([analysis], load_launcher("processes"), **options).splitlines()[1:]
    tasks = [line.split(maxsplit=1) for line in lines if not line.startswith(" " * 10)]
    return [name for name, why in tasks if why != "done"]


def made(analysis):
    places = Places(analysis)
    paths = [*(places.decoder(delta) / "config.json" for delta in (0, 1, 2)), places.results / "zarr.json"]
    return {path: path.stat().st_mtime_ns for path in paths}


def test_sweep_gives_the_bits_of_the_analysis_in_one_process(swept, tmp_path):
    analysis, said = swept
    assert any("6 of 6 tasks to do (processes)" in line for line in said)
    alone = run_analysis(small(tmp_path / "alone"), say=silent, with_figures=False)
    result = tempgen.open_results(analysis.folder)
    xr.testing.assert_equal(result, alone)
    for name in ("pixcorr", "ssim_baseline", "identification_null", "pixcorr_chance"):
        assert result[name].values.tobytes() == alone[name].values.tobytes()
    assert set(result.attrs) == set(alone.attrs)


def test_second_start_repeats_nothing(swept):
    analysis, _ = swept
    before, said = made(analysis), []
    assert sweep_analyses([analysis], PROCESSES, say=said.append)
    assert made(analysis) == before
    assert "all 6 tasks are done" in said
    assert runs(analysis) == []
    assert "7 tasks: 7 done" in status_table(status_rows(analysis.folder))


def test_what_the_dry_run_says_of_nothing_is_all_of_it_and_nothing_is_written(tmp_path):
    analysis = small(tmp_path / "out")
    text = describe_sweep([analysis], load_launcher("processes"))
    assert "prepare" in text
    assert "3 trainings and 3 evaluations, known once it is prepared" in text
    assert not analysis.folder.exists()


@pytest.mark.parametrize(
    ("sections", "touched"),
    [
        ({"figures": {"n_draws": 500}}, []),
        ({"evaluation": {"device": "cpu"}}, []),
        ({"evaluation": {"n_permutations": 7}}, ["evaluate+00", "evaluate+01", "evaluate+02"]),
        ({"training": {"deltas": (0, 1)}}, ["evaluate+00", "evaluate+01"]),
        (
            {"decoder": {"n_folds": 2}},
            ["train+00", "train+01", "train+02", "evaluate+00", "evaluate+01", "evaluate+02"],
        ),
    ],
)
def test_a_change_runs_only_what_it_touches(swept, sections, touched):
    analysis, _ = swept
    assert runs(changed(analysis, **sections)) == touched


def test_the_dry_run_names_the_keys_that_changed(swept):
    analysis, _ = swept
    text = describe_sweep([changed(analysis, decoder={"n_folds": 2})], load_launcher("processes"))
    assert "decoder.n_folds: 3 -> 2" in text
    assert "refused without --overwrite" in text


def test_another_analysis_in_the_same_place_is_refused_and_made_again_if_asked(swept, tmp_path):
    analysis = elsewhere(swept[0], tmp_path / "out")
    other = changed(analysis, evaluation={"n_permutations": 7})
    before = made(analysis)
    with pytest.raises(ConfigError, match=r"permutations\.n: 1000 -> 7"):
        sweep_analyses([other], PROCESSES, say=silent)
    assert made(analysis) == before
    assert sweep_analyses([other], PROCESSES, say=silent, overwrite=True)
    after = made(analysis)
    assert [path for path in after if after[path] != before[path]] == [Places(analysis).results / "zarr.json"]
    assert tempgen.open_results(analysis.folder).sizes["permutation"] == 7


def test_what_other_code_made_is_refused_kept_or_made_again(swept, tmp_path):
    analysis = elsewhere(swept[0], tmp_path / "out")
    record = Record(analysis.folder / "sweep" / "train+01")
    task = record.task()
    done = json.loads((record.folder / "done.json").read_text())
    done["recipe"]["code"] = "0123456789ab"
    (record.folder / "done.json").write_text(json.dumps(done))
    assert runs(analysis) == ["train+01"]
    with pytest.raises(ConfigError, match=r"(?s)code of tempgen: '0123456789ab' -> .*keep_other_code=true"):
        sweep_analyses([analysis], PROCESSES, say=silent)
    kept = PROCESSES.model_copy(update={"keep_other_code": True})
    before = made(analysis)
    assert sweep_analyses([analysis], kept, say=silent)
    assert made(analysis) == before
    assert task.recipe["code"] != "0123456789ab"


def test_two_sweeps_with_different_recipes_never_mix_their_cells(swept, tmp_path):
    analysis = elsewhere(swept[0], tmp_path / "out")
    store = tempgen.open_store(Places(analysis).store)
    for path in (Places(analysis).results,):
        shutil.rmtree(path)
    begin_evaluation(analysis, store=store)
    evaluate_rows(analysis, [0], store=store)
    other = changed(analysis, evaluation={"n_permutations": 7})
    with pytest.raises(ConfigError, match=r"results\.zarr\.partial was made with another analysis"):
        evaluate_rows(other, [1], store=store)


def test_row_that_other_code_began_is_refused_and_not_gone_on_with(swept, tmp_path):
    analysis = elsewhere(swept[0], tmp_path / "out")
    shutil.rmtree(Places(analysis).results)
    store = tempgen.open_store(Places(analysis).store)
    begin_evaluation(analysis, store=store)
    evaluate_rows(analysis, [0], store=store)
    CellFiles.of(Places(analysis).results).path((0, 1)).unlink()
    record = analysis.folder / "sweep" / "evaluate+00" / "task.json"
    code = Record(record.parent).task().recipe["code"]
    record.write_text(record.read_text().replace(code, "0123456789ab"))
    text = describe_sweep([analysis], PROCESSES)
    assert "code of tempgen: '0123456789ab' -> " in text
    assert "evaluate+01              new" in text


@pytest.mark.parametrize(("n_folds", "why"), [(3, "goes on"), (2, "changed: refused without --overwrite")])
def test_training_that_another_analysis_began_is_not_gone_on_with(swept, tmp_path, n_folds, why):
    analysis = elsewhere(swept[0], tmp_path / "out")
    shutil.rmtree(Places(analysis).decoder(1))
    recipe = dict(Record(analysis.folder / "sweep" / "train+01").task().recipe)
    recipe["decoder"] = {**recipe["decoder"], "n_folds": n_folds}
    state = Places(analysis).training(1) / "checkpoints" / "step-00000010" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"recipe": {"task": recipe}}))
    assert f"train+01                 {why}" in describe_sweep([analysis], PROCESSES)


def test_unfinished_result_shows_what_is_there_and_a_damaged_cell_is_scored_again(swept, tmp_path):
    analysis = elsewhere(swept[0], tmp_path / "out")
    whole = tempgen.open_results(analysis.folder)
    shutil.rmtree(Places(analysis).results)
    with pytest.raises(ResultsError, match="There is no result|no result of tempgen"):
        tempgen.open_results(analysis.folder)
    store = tempgen.open_store(Places(analysis).store)
    begin_evaluation(analysis, store=store)
    evaluate_rows(analysis, [0], store=store)
    there = tempgen.open_results(analysis.folder)
    assert (there.attrs["n_cells_there"], there.attrs["n_cells"]) == (4, 6)
    np.testing.assert_array_equal(there["pixcorr"].sel(train_delta=0), whole["pixcorr"].sel(train_delta=0))
    assert there["pixcorr"].sel(train_delta=1).isnull().all()
    assert there["pixcorr_null"].dims == whole["pixcorr_null"].dims
    assert set(there.coords) == set(whole.coords)

    files = CellFiles.of(Places(analysis).results)
    (files.folder / "plan.json").write_bytes(b'{"store": "\xff')  # the layout says it too
    scored = files.path((0, 0)).stat().st_mtime_ns
    damaged = bytearray(files.path((0, 1)).read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    files.path((0, 1)).write_bytes(bytes(damaged))
    files.path((0, -1)).write_bytes(b"")
    assert tempgen.open_results(analysis.folder).attrs["n_cells_there"] == 2
    assert "evaluate+00              2 of 4 cells are there" in describe_sweep([analysis], PROCESSES)
    begin_evaluation(analysis, store=store)
    assert files.path((0, 0)).stat().st_mtime_ns == scored
    assert json.loads((files.folder / "plan.json").read_text()) == files.plan()
    assert sweep_analyses([analysis], PROCESSES, say=silent)
    result = tempgen.open_results(analysis.folder)
    xr.testing.assert_equal(result, whole)
    assert "n_cells_there" not in result.attrs
    assert not files.folder.exists()


def test_analyses_that_share_a_recording_prepare_it_once(swept, tmp_path):
    home = elsewhere(swept[0], tmp_path / "recording")
    parts = [
        Part(
            small(tmp_path / name).model_copy(
                update={"decoder": home.decoder.model_copy(update={"n_folds": folds})}
            ),
            home.folder,
            name,
        )
        for name, folds in (("two", 2), ("three", 3))
    ]
    said = []
    assert sweep_analyses(parts, PROCESSES, say=said.append)
    assert any("12 of 12 tasks" in line for line in said)
    for part in parts:
        assert tempgen.open_results(part.analysis.folder)["pixcorr"].notnull().any()
        assert not Places(part.analysis).store.exists()
    assert len(status_rows(tmp_path)) == 12 + 7


def test_failed_task_is_named_and_the_next_start_goes_on(swept, tmp_path, monkeypatch):
    analysis = elsewhere(swept[0], tmp_path / "out")
    shutil.rmtree(Places(analysis).results)
    broken = Places(analysis).decoder(1) / "model.safetensors"
    kept = broken.read_bytes()
    broken.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(SweepError, match=r"1 of 3 tasks failed:\n  - evaluate\+01: "):
        sweep_analyses([analysis], PROCESSES, say=silent)
    assert tempgen.open_results(analysis.folder).attrs["n_cells_there"] == 5
    broken.write_bytes(kept)
    said = []
    assert sweep_analyses([analysis], PROCESSES, say=said.append)
    assert any("1 of 6 tasks to do" in line for line in said)


def test_launcher_takes_files_and_values_and_refuses_what_it_would_not_use(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text("launcher: slurm\ngpus: 2\nminutes: 30\n")
    config = load_launcher(None, [str(path), "minutes=90"])
    assert (config.launcher, config.gpus, config.minutes, config.n_processes) == ("slurm", 2, 90, 2)
    with pytest.raises(ConfigError, match="cpus would not be used by the launcher local"):
        load_launcher(None, ["cpus=4"])
    with pytest.raises(ConfigError, match="partition would not be used by the launcher processes"):
        load_launcher("processes", ["partition=long"])
    with pytest.raises(ConfigError, match="no file of resources"):
        load_launcher("slurm", ["nothing.yaml"])
