"""A study: its analyses, the stores that they share, and the results together."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner

import tempgen
from tempgen.config.study import load_study
from tempgen.errors import ResultsError, TempgenError
from tempgen.generalization.study import open_study
from tempgen.workflow import run_analysis, train_decoders
from tempgen.workflow.study import run_study
from tests.workflow.conftest import silent

BASE = {
    "data": {"simulate": {"n_sessions": 1, "n_voxels": 100, "image_size": 16, "snr": 1.0}},
    "split": {"n_test_runs": 3},
    "decoder": {"target_size": 4, "alphas": [1.0]},
    "training": {"deltas": "0..1"},
    "evaluation": {"deltas": "0..2", "suite": "pixels", "n_permutations": 0},
}
VARIANTS = {
    "6 TRs": None,
    "2 TRs": {"window.n_tr": 2, "evaluation": {"deltas": "0..1"}},
    "no drift removed": {"data.preprocess.drift": "none"},
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    content = {
        "name": "small",
        "folder": str(folder / "out"),
        "subjects": [1, 2],
        "base": BASE,
        "variants": VARIANTS,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def results(path):
    return run_study(load_study(path), say=silent)


def test_every_analysis_has_a_folder_and_stores_are_shared_where_the_data_are_the_same(results, path):
    folder = path.parent / "out"
    made = sorted(found.relative_to(folder).as_posix() for found in folder.rglob("results.zarr"))
    assert made == [
        f"{variant}/subject-{subject}/results.zarr"
        for variant in ("2-TRs", "6-TRs", "no-drift-removed")
        for subject in (1, 2)
    ]
    stores = sorted(found.parent.relative_to(folder).as_posix() for found in folder.rglob("store.zarr"))
    assert stores == [
        "recordings/no-drift-removed-subject-1",
        "recordings/no-drift-removed-subject-2",
        "recordings/subject-1",
        "recordings/subject-2",
    ]


def test_an_analysis_of_a_study_has_the_scores_that_it_would_have_alone(results, path, tmp_path):
    member = next(one for one in load_study(path).members() if (one.variant, one.subject) == ("2 TRs", "2"))
    alone = run_analysis(
        member.analysis.model_copy(update={"folder": tmp_path / "alone"}), say=silent, with_figures=False
    )
    of_study = results.result("2 TRs", "2")
    xr.testing.assert_equal(of_study["pixcorr"], alone["pixcorr"])
    assert of_study.attrs["subject"] == "2"


def test_what_is_done_is_kept(results, path):
    folder = path.parent / "out"
    before = {found: found.stat().st_mtime_ns for found in folder.rglob("zarr.json")}
    said = []
    run_study(load_study(path), say=said.append)
    assert {found: found.stat().st_mtime_ns for found in folder.rglob("zarr.json")} == before
    assert sum("is done" in line for line in said) == 6


def test_a_finished_study_is_looked_through_without_the_packages_that_make_it(results, path):
    heavy = ("scipy.stats", "scipy.linalg", "sklearn", "torch", "matplotlib", "h5py", "nibabel", "exca")
    program = (
        "import sys\nfrom tempgen.cli import main\n"
        f"sys.argv = ['tempgen', 'run', {str(path)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('imported:', *(name for name in {heavy} if name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].strip() == "imported:"


def test_the_command_runs_a_study(results):
    from tempgen.cli.app import app

    path = Path(results.folders["6 TRs", "1"]).parents[2] / "study.yaml"
    ran = CliRunner().invoke(app, ["run", str(path)])
    assert ran.exit_code == 0, ran.output
    assert "study 'small': 3 variants of 2 subjects, 6 analyses" in ran.output
    assert "--- no drift removed, subject 2" in ran.output


def test_results_are_opened_by_variant_and_subject(results, path):
    study = tempgen.open_study(path.parent / "out")
    assert study.reference == "6 TRs"
    assert study.variants == list(VARIANTS)
    assert list(study.of_subjects("2 TRs")) == ["1", "2"]
    assert study.result("2 TRs", "1").attrs["n_tr"] == 2
    with pytest.raises(ResultsError, match="no result of '3 TRs', subject 1"):
        study.result("3 TRs", "1")
    with pytest.raises(ResultsError, match=r"tempgen\.open_study"):
        tempgen.open_results(path.parent / "out")


def test_one_array_holds_all_results_and_nothing_where_there_is_none(results):
    combined = results.combined()
    assert combined["pixcorr"].dims == ("variant", "subject", "train_delta", "test_delta", "target", "trial")
    for variant, subject in results.there:
        one = results.result(variant, subject)
        cell = combined.sel(variant=variant, subject=subject)
        n_trials, lags = one.sizes["trial"], one["test_delta"].values
        found = cell["pixcorr"].sel(test_delta=lags).isel(trial=slice(n_trials))
        np.testing.assert_array_equal(found, one["pixcorr"])
        assert cell["pixcorr"].isel(trial=slice(n_trials, None)).isnull().all()
        assert cell["image_id"][:n_trials].values.tolist() == one["image_id"].values.tolist()
        np.testing.assert_allclose(cell["lag_s"].sel(test_delta=lags), one["lag_s"])
    assert combined["pixcorr"].sel(variant="2 TRs", test_delta=2).isnull().all()
    assert np.isnan(combined["lag_s"].sel(variant="2 TRs", test_delta=2))


def test_attributes_that_differ_are_kept_by_analysis_and_stated_for_none(results):
    attrs = results.combined().attrs
    assert attrs["data_kind"] == "simulated"
    assert "n_tr" not in attrs
    assert json.loads(attrs["differing_attrs"])["2 TRs"]["1"]["n_tr"] == 2


def test_a_study_that_lacks_results_is_opened_with_those_that_are_there(results, path, tmp_path):
    content = json.loads((path.parent / "out" / "study.json").read_text())
    first = path.parent / "out" / content["analyses"][0]["folder"]
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "study.json").write_text(json.dumps(content))
    with pytest.raises(ResultsError, match="has no result yet"):
        open_study(tmp_path / "part")
    (tmp_path / "part" / content["analyses"][0]["folder"]).mkdir(parents=True)
    (tmp_path / "part" / content["analyses"][0]["folder"] / "results.zarr").symlink_to(first / "results.zarr")
    study = open_study(tmp_path / "part")
    assert (study.variants, study.subjects) == (["6 TRs"], ["1"])
    assert "1 of 6 analyses have a result" in study.describe()


def test_a_study_with_results_of_an_earlier_version_of_it_is_refused_until_all_are_made_again(
    results, path, tmp_path, monkeypatch
):
    folder = tmp_path / "out"
    shutil.copytree(path.parent / "out", folder)
    later = load_study(path, {"folder": str(folder), "decoder.alphas": [10.0]})

    def killed_at_the_second(analysis, *_, **__):
        if analysis.data.subject == "2":
            raise KeyboardInterrupt
        return train_decoders(analysis, *_, **__)

    with monkeypatch.context() as patch:
        patch.setattr("tempgen.workflow.study.train_decoders", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            run_study(later, say=silent, overwrite=True)
    with pytest.raises(
        ResultsError, match="5 of 6 results .* earlier version of it: 6 TRs, subject 2; 2 TRs"
    ):
        open_study(folder)
    study = run_study(later, say=silent, overwrite=True)
    assert len(study.there) == 6
    listed = (folder / "study.json").stat().st_mtime_ns
    run_study(later, say=silent)
    assert (folder / "study.json").stat().st_mtime_ns == listed


def test_a_change_that_no_score_depends_on_keeps_a_study_open(results, path, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(path.parent / "out", folder)
    before = {found: found.stat().st_mtime_ns for found in folder.rglob("results.zarr")}
    drawn = {"folder": str(folder), "subjects": "1,2", "figures.n_draws": 500, "evaluation.device": "cpu"}
    assert len(run_study(load_study(path, drawn), say=silent).there) == 6
    assert {found: found.stat().st_mtime_ns for found in folder.rglob("results.zarr")} == before


def test_a_single_result_is_a_study_of_one(results):
    study = open_study(results.folders["6 TRs", "2"])
    assert list(study.of_subjects()) == ["2"]


def test_an_analysis_that_fails_is_named(path):
    study = load_study(
        path, {"folder": str(path.parent / "wrong"), "subjects": "1", "inputs.voxels_where": "nowhere == 1"}
    )
    with pytest.raises(TempgenError, match="6 TRs, subject 1: .*nowhere"):
        run_study(study, say=silent)
