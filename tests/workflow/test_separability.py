"""From a store and the name of its features to a file with verdicts, by function and by command."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tempgen.cli.app import app
from tempgen.config import validate
from tempgen.config.separability import SeparabilityConfig
from tempgen.errors import ConfigError, ResultsError
from tempgen.workflow.encoding_features import encoding_features, principal_components, read_features
from tempgen.workflow.separability import open_separability, run_separability
from tests.generalization.separability.small_subjects import made_subject

QUICK = SeparabilityConfig(features="pixels", n_components=5, n_lags=8, n_bootstrap=19, n_folds=3)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    """Store on disk, the same in memory, features."""
    store, features = made_subject("rotating", n_runs=8)
    path = tmp_path_factory.mktemp("subject") / "store"
    store.to_zarr(path, consolidated=False)
    return path, store, features


def test_the_command_writes_a_result_and_says_what_a_verdict_does_not_mean(subject, tmp_path):
    path, _, features = subject
    features.rename_axis("image_id").to_csv(tmp_path / "features.csv")
    options = [
        "--store",
        str(path),
        "--features",
        str(tmp_path / "features.csv"),
        "--out",
        str(tmp_path / "out.nc"),
    ]
    said = CliRunner().invoke(app, ["separability", *options, "-s", "separability.n_bootstrap=19"])
    assert said.exit_code == 0, said.output
    assert "dynamic: p = 0.05" in said.output
    assert "adaptation" in said.output
    result = open_separability(tmp_path / "out.nc")
    assert result["verdict"].sel(roi="all").item() == "dynamic"
    assert result.attrs["n_bootstrap"] == 19
    assert result.attrs["feature_source"].endswith("features.csv")


def test_a_result_that_is_there_is_kept_and_another_one_is_not_overwritten(subject, tmp_path):
    out, said = tmp_path / "out.nc", []
    run_separability(subject[0], QUICK, out=out, say=said.append)
    first = out.stat().st_mtime_ns
    run_separability(subject[0], QUICK, out=out, say=said.append)
    assert out.stat().st_mtime_ns == first
    assert any("is there" in line for line in said)
    other = QUICK.model_copy(update={"seed": 1})
    with pytest.raises(ConfigError, match=r"separability\.seed"):
        run_separability(subject[0], other, out=out, say=said.append)
    run_separability(subject[0], other, out=out, say=said.append, overwrite=True)
    assert open_separability(out).attrs["seed"] == 1


def test_a_store_needs_a_place_for_its_result(subject, tmp_path):
    with pytest.raises(ConfigError, match="--out"):
        run_separability(subject[0], QUICK)
    with pytest.raises(ResultsError, match="cannot be read"):
        open_separability(tmp_path / "nothing.nc")


def test_pixels_become_as_many_components_as_asked_for(subject):
    _, store, _ = subject
    table = encoding_features(store, QUICK)
    assert table.shape == (len(np.unique(store["trial_image_id"])), 5)
    assert set(table.index) == set(store["image_of"].values)
    spread = table.std()
    assert (np.diff(spread) < 0).all()
    assert np.abs(np.corrcoef(table.T) - np.eye(5)).max() < 1e-6


@pytest.mark.parametrize("n_images", [50, 10])
def test_principal_components_are_those_of_a_singular_value_decomposition(n_images):
    values = np.random.default_rng(0).standard_normal((n_images, 20))
    left, scale, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    found = principal_components(pd.DataFrame(values), 4).to_numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :4] * scale[:4]), atol=1e-8)
    with pytest.raises(ConfigError, match="ask for fewer"):
        principal_components(pd.DataFrame(values), n_images)


def test_features_of_every_kind_of_file_are_the_same(tmp_path):
    ids, values = np.array([3, 5, 9]), np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "f.npy", values)
    np.savez(tmp_path / "f.npz", image_id=ids, values=values)
    pd.DataFrame(values, index=pd.Index(ids, name="image_id")).to_csv(tmp_path / "f.csv")
    for suffix in ("npy", "npz", "csv"):
        table = read_features(tmp_path / f"f.{suffix}", ids)
        np.testing.assert_array_equal(table, values)
        np.testing.assert_array_equal(table.index, ids)


def test_files_that_are_no_features_are_refused(tmp_path):
    ids = np.array([3, 5, 9])
    with pytest.raises(ConfigError, match="There are no features"):
        read_features(tmp_path / "nothing.csv", ids)
    np.save(tmp_path / "f.npy", np.zeros((2, 2)))
    with pytest.raises(ConfigError, match="one row an image"):
        read_features(tmp_path / "f.npy", ids)
    (tmp_path / "f.csv").write_text("image,a\n1,2\n")
    with pytest.raises(ConfigError, match="cannot be read as features"):
        read_features(tmp_path / "f.csv", ids)
    (tmp_path / "f.txt").touch()
    with pytest.raises(ConfigError, match=r"no \.csv"):
        read_features(tmp_path / "f.txt", ids)


def test_only_an_analysis_of_a_simulated_subject_has_the_truth(subject):
    with pytest.raises(ConfigError, match="which only the analysis"):
        encoding_features(subject[1], QUICK.model_copy(update={"features": "truth"}))


def test_a_key_that_would_not_be_used_is_refused():
    with pytest.raises(ConfigError, match="backbone"):
        validate(SeparabilityConfig, {"features": "pixels", "backbone": "other"}, origin="test")
    with pytest.raises(ConfigError, match="n_bootstrap=19"):
        validate(SeparabilityConfig, {"n_bootstrap": 19, "alpha": 0.01}, origin="test")


@pytest.mark.slow
def test_tokens_of_the_embedded_backbone_are_features(subject):
    config = SeparabilityConfig(features="tokens", n_components=3)
    assert encoding_features(subject[1].isel(trial=slice(12)), config).shape == (12, 3)


@pytest.mark.slow
def test_an_analysis_of_a_simulated_subject_is_tested_with_the_features_of_its_truth(tmp_path):
    simulated = {"n_voxels": 40, "n_sessions": 1, "image_size": 16, "snr": 1.0}
    sets = [f"data.simulate.{key}={value}" for key, value in simulated.items()]
    sets += [f"folder={tmp_path / 'out'}", "data.image_size=16"]
    options = [part for text in sets for part in ("-s", text)]
    (tmp_path / "a.yaml").write_text("name: small\n")
    run = CliRunner()
    prepared = run.invoke(app, ["prepare", "-a", str(tmp_path / "a.yaml"), *options])
    assert prepared.exit_code == 0, prepared.output
    more = ["--features", "truth", "-s", "separability.n_bootstrap=19"]
    said = run.invoke(app, ["separability", "-a", str(tmp_path / "a.yaml"), *options, *more])
    assert said.exit_code == 0, said.output
    result = open_separability(tmp_path / "out" / "separability.nc")
    assert result.sizes["voxel"] == 40
    assert result["verdict"].sel(roi="all").item() == "dynamic"


def test_other_features_in_the_same_file_are_another_recipe(subject, tmp_path):
    path, store, features = subject
    file, shown = tmp_path / "features.csv", np.unique(store["trial_image_id"])
    config = QUICK.model_copy(update={"features": str(file)})
    features.rename_axis("image_id").iloc[:, :5].to_csv(file)
    run_separability(path, config, out=tmp_path / "out.nc", say=str)
    features.rename_axis("image_id").iloc[:, 5:10].to_csv(file)
    with pytest.raises(ConfigError, match="features_sha256"):
        run_separability(path, config, out=tmp_path / "out.nc", say=str)
    features.rename_axis("image_id").drop(shown[0]).to_csv(file)
    with pytest.raises(ConfigError, match=f"have no features, the first is image {shown[0]}"):
        encoding_features(store, config)
