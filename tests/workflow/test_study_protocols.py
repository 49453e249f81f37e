"""A study of single presentations, averages and betas: stores and decoders are shared, and tables keep them apart."""

import shutil

import pytest
import xarray as xr
import yaml

from tempgen.config.launcher import LauncherConfig
from tempgen.config.study import load_study
from tempgen.decoders import load_decoder
from tempgen.errors import StoreError
from tempgen.generalization.benchmark import benchmark_tables, protocol_table, published_scores
from tempgen.generalization.variants import variant_scores
from tempgen.results import open_results
from tempgen.workflow.study import run_study
from tempgen.workflow.sweep import describe_sweep, study_parts, sweep_analyses
from tests.workflow.conftest import silent

BETAS = {"signal": {"kind": "betas", "hrf": "canonical"}, "window": {"start_tr": 0, "n_tr": 1}}
AVERAGED = {"evaluation.repetitions": "average"}
CONTENT = {
    "name": "protocols",
    "subjects": [1, 2],
    "base": {
        "data": {"simulate": {"n_sessions": 1, "n_voxels": 60, "image_size": 16, "snr": 1.0}},
        "split": {"kind": "nsd-standard"},
        "decoder": {"target_size": 4, "alphas": [1.0]},
        "training": {"deltas": 0},
        "evaluation": {"deltas": 0, "suite": "pixels", "n_permutations": 0, "repetitions": "one"},
    },
    "variants": {"bold": None, "averaged": AVERAGED, "betas": BETAS, "betas averaged": {**BETAS, **AVERAGED}},
}


def study_in(folder, **changes):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, "folder": str(folder / "out"), **changes}, sort_keys=False))
    return load_study(path)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocols")
    return run_study(study_in(folder), say=silent), folder / "out"


def test_stores_and_decoders_are_made_once(study):
    _, folder = study
    made = {found.relative_to(folder).as_posix() for found in folder.glob("recordings/*/store*.zarr")}
    assert made == {
        f"recordings/subject-{n}/{name}.zarr" for n in (1, 2) for name in ("store", "store_betas")
    }
    links = {
        path.parent.relative_to(folder).as_posix(): path.readlink().as_posix()
        for path in folder.glob("*/*/decoders")
        if path.is_symlink()
    }
    assert links == {
        f"{variant}/subject-{n}": f"../../{trained}/subject-{n}/decoders"
        for n in (1, 2)
        for variant, trained in (("averaged", "bold"), ("betas-averaged", "betas"))
    }


def test_averages_are_decoded_better_and_betas_say_what_training_trials_share(study):
    results, _ = study
    scores = variant_scores(results, ["pixcorr"], n_draws=100)["mean"].sel(metric="pixcorr")
    assert float(scores.sel(variant="averaged")) > float(scores.sel(variant="bold")) + 0.03
    assert float(scores.sel(variant="betas averaged")) > float(scores.sel(variant="betas")) + 0.03
    attrs = results.result("betas", "1").attrs
    assert attrs["signal"] == "betas"
    assert attrs["n_train_sharing_volumes"] == attrs["n_train"] > 0


def test_each_kind_of_data_has_a_table_and_published_scores_stand_beside_single_presentations(study):
    results, _ = study
    published = published_scores()
    tables = benchmark_tables(variant_scores(results, n_draws=100), published=published)
    assert {name: table["row"].values.tolist()[:2] for name, table in tables.items()} == {
        "single": ["bold", "WAVE"],
        "averaged": ["averaged"],
        "betas": ["betas", "betas averaged"],
    }
    groups = [str(group) for group in tables["betas"]["group"].values]
    assert groups == [
        "this study: betas, one presentation of each image",
        "this study: betas, presentations averaged",
    ]
    assert not tables["betas"]["best"].any(), "one row a group is compared with nothing"
    protocols = protocol_table(results, published=published)
    assert protocols.columns.tolist() == [
        "this study: BOLD, one presentation of each image",
        "this study: BOLD, presentations averaged",
        *groups,
        "NSD, published",
    ]
    assert protocols.loc["window"].tolist()[1:3] == [
        "6 TRs of 1.333 s from 2.667 s after onset",
        "1 beta of each trial",
    ]
    assert "25 images, presentations averaged" in protocols.loc["test trials"].iloc[1]


def test_rows_of_a_group_stand_together_and_are_compared_among_themselves(study):
    scores = variant_scores(study[0], ["pixcorr"], n_draws=100)
    mixed = scores.isel(variant=[2, 3, 2, 3]).assign_coords(variant=["a", "b", "c", "d"])
    mixed["mean"][:, 0] = [0.1, 0.4, 0.2, 0.3]
    (table,) = benchmark_tables(mixed).values()
    assert table["row"].values.tolist() == ["a", "c", "b", "d"]
    assert table["best"].values[:, 0].tolist() == [False, True, True, False]
    assert table.attrs["compared"] == "within each group"


def test_single_presentations_are_means_over_one_beside_averages(study):
    counts = study[0].combined()["n_repetitions"]
    for variant, n_presentations in (("bold", 1), ("averaged", 3)):
        assert (counts.sel(variant=variant) == n_presentations).all()


def test_a_link_to_decoders_that_no_longer_serve_is_removed_not_trained_through(tmp_path):
    first = study_in(tmp_path, subjects=[1], variants={"bold": None, "other": AVERAGED})
    run_study(first, say=silent)
    before = (tmp_path / "out/bold/subject-1/decoders/ridge/delta_+00/config.json").read_text()
    other = {"decoder.alphas": [10.0], **AVERAGED}
    run_study(
        study_in(tmp_path, subjects=[1], variants={"bold": None, "other": other}), say=silent, overwrite=True
    )
    decoders = tmp_path / "out/other/subject-1/decoders"
    assert not decoders.is_symlink()
    assert load_decoder(decoders / "ridge/delta_+00").alphas == (10.0,)
    assert (tmp_path / "out/bold/subject-1/decoders/ridge/delta_+00/config.json").read_text() == before


def test_a_users_own_link_to_decoders_on_another_disk_is_kept(study, tmp_path):
    _, folder = study
    elsewhere = tmp_path / "disk"
    shutil.copytree(folder / "bold/subject-1/decoders", elsewhere)
    shutil.copytree(folder / "recordings/subject-1", tmp_path / "out/recordings/subject-1")
    linked = tmp_path / "out/bold/subject-1/decoders"
    linked.parent.mkdir(parents=True)
    linked.symlink_to(elsewhere)
    run_study(study_in(tmp_path, subjects=[1], variants={"bold": None}), say=silent)
    assert linked.readlink() == elsewhere


def test_hrfs_cannot_be_chosen_where_every_run_has_test_trials(tmp_path):
    chosen = {"signal": {"kind": "betas"}, "window": {"start_tr": 0, "n_tr": 1}}
    with pytest.raises(StoreError, match="every run has some.*hrf: canonical"):
        run_study(study_in(tmp_path, subjects=[1], variants={"betas": chosen}), say=silent)


def test_a_sweep_trains_shared_decoders_once(study, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    results, folder = study
    made = study_in(tmp_path, subjects=[1], variants={"bold": None, "averaged": AVERAGED})
    shutil.copytree(folder / "recordings" / "subject-1", tmp_path / "out/recordings/subject-1")
    parts, launcher = study_parts(made), LauncherConfig(launcher="processes", max_at_once=1)
    said = describe_sweep(parts, launcher)
    assert (said.count(": train+00"), said.count(": evaluate+00")) == (1, 2)
    assert not (tmp_path / "out/averaged").exists()
    assert sweep_analyses(parts, launcher, say=silent)
    assert (tmp_path / "out/averaged/subject-1/decoders").is_symlink()
    swept = open_results(tmp_path / "out/averaged/subject-1")
    xr.testing.assert_equal(swept["pixcorr"], results.result("averaged", "1")["pixcorr"])
    assert "0 would run" in describe_sweep(parts, launcher)
