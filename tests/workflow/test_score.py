"""Reconstructions that are there are scored as `evaluate` scores its own; folders of pairs whoever made them."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import tempgen
from tempgen.errors import ConfigError, MetricError, NetworkUnavailableError, ResultsError, SourceDataError
from tempgen.metrics import FeatureMetric, ImageSuite, Suite, get_suite, register_suite
from tempgen.metrics.base import identification
from tempgen.models.vision import Layer, register_network
from tempgen.results import describe_results
from tempgen.workflow import Places, evaluate_decoders, score_reconstructions, train_decoders
from tempgen.workflow.scored_cells import ScoredCells
from tests.workflow.conftest import analysis_of, changed, silent

OF_A_TRIAL, OF_THE_MEAN = 5e-3, 2e-4
"""What rounding reconstructions to bytes changes of PixCorr and SSIM; most where a reconstruction is nearly of one colour."""
SIZE = 16


@dataclass
class Colours:
    """A network whose only layer is the mean colour of each quarter of the image."""

    name: str = "colours"
    weights: str = "colours of the tests, 1.0"
    preprocessing: str = "none"
    asked: list[int] = field(default_factory=list)

    def features(self, images, layers):
        self.asked.append(len(images))
        half = images.shape[1] // 2
        quarters = [
            images[:, a : a + half, b : b + half].mean(axis=(1, 2)) for a in (0, half) for b in (0, half)
        ]
        return {layer: np.concatenate(quarters, axis=1).astype(np.float32) for layer in layers}


COLOURS = Colours()


@pytest.fixture(scope="module", autouse=True)
def colours():
    """A suite with a network, at a size of its own, and one whose network is missing."""

    def suite(name, network, size=8):
        metric = identification("colour_identification", long_name="Colours", of="colours")
        metrics = (
            get_suite("pixels").metrics[0],
            FeatureMetric(metric, "identification", Layer(network, "colour")),
        )
        register_suite(Suite(name, 3, metrics, size, "a suite of the tests", "the tests"))

    def missing(device):
        raise NetworkUnavailableError("weights.bin is missing; fetch it with 'fetch-weights'.")

    register_network("colours", lambda device: COLOURS)
    register_network("lost", missing)
    suite("colours", "colours")
    suite("lost", "lost")


@pytest.fixture(scope="module")
def kept(run_small):
    """An analysis that keeps all its reconstructions, and its result."""
    evaluation = {"deltas": "-1..1", "keep_reconstructions": "all"}
    return run_small("kept", training={"deltas": "-1..1"}, evaluation=evaluation)


def test_store_is_scored_as_evaluate_scored_the_same_images(kept):
    analysis, results = kept
    again = score_reconstructions(analysis.folder, suite="pixels", say=silent)
    assert tempgen.results.metrics_of(again) == tempgen.results.metrics_of(results)
    for name in ("subject", "image_id", "run", "lag_s", "train_lag_s", "target", "onset_tr"):
        np.testing.assert_array_equal(again[name], results[name])
    assert results["pixcorr"].notnull().sum() > 100
    for name in ("pixcorr", "ssim"):
        np.testing.assert_allclose(again[name], results[name], atol=OF_A_TRIAL)
        means, chance = again[name].mean("trial"), again[f"{name}_chance"]
        np.testing.assert_allclose(means, results[name].mean("trial"), atol=OF_THE_MEAN)
        np.testing.assert_allclose(chance, results[f"{name}_chance"], atol=OF_THE_MEAN)
    np.testing.assert_allclose(again["pixcorr_null"], results["pixcorr_null"], atol=OF_THE_MEAN)
    assert again["pixcorr_null"].attrs == results["pixcorr_null"].attrs
    for name in ("pixcorr", "ssim"):
        np.testing.assert_allclose(again[f"{name}_baseline"], results[f"{name}_baseline"], atol=OF_A_TRIAL)
    assert again.attrs["native_tr_s"] == results.attrs["native_tr_s"] == results.attrs["tr_s"]
    # near ties are decided by rounding: a few other images of the pool, this way and that
    np.testing.assert_allclose(again["identification"], results["identification"], atol=0.05)
    np.testing.assert_allclose(
        again["identification"].mean("trial"), results["identification"].mean("trial"), atol=1e-3
    )


def test_scores_of_a_store_are_those_of_its_bytes_exactly(kept):
    analysis, _ = kept
    store = tempgen.open_reconstructions(analysis.folder).load()
    positions = np.searchsorted(store["image_of"], store["image_id"])
    cell = store["reconstruction"].sel(train_delta=0, test_delta=1).to_numpy() / np.float32(255)
    expected = ImageSuite(store["seen"].to_numpy() / np.float32(255)).score(
        cell, target_images={"current": positions}
    )
    again = score_reconstructions(analysis.folder, suite="pixels", metrics=["pixcorr", "ssim"], say=silent)
    assert set(again.data_vars) == {
        "pixcorr",
        "pixcorr_chance",
        "pixcorr_baseline",
        "pixcorr_null",
        "ssim",
        "ssim_chance",
        "ssim_baseline",
    }
    for name in ("pixcorr", "ssim"):
        scores = again[name].sel(train_delta=0, test_delta=1, target="current")
        np.testing.assert_allclose(scores, expected.score[name][0], atol=1e-6)
    assert not again["ssim"].sel(train_delta=1, test_delta=0).notnull().any()


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_result_is_written_whole_and_says_what_made_it(kept, tmp_path, suffix):
    analysis, _ = kept
    out, said = tmp_path / f"scores.{suffix}", []
    scores = score_reconstructions(
        Places(analysis).reconstructions,
        suite="colours",
        identification="seen-to-reconstruction",
        out=out,
        say=said.append,
    )
    opened = tempgen.open_results(out)
    xr.testing.assert_equal(opened, scores)
    attrs = opened.attrs
    assert (attrs["suite"], attrs["suite_version"], attrs["image_size"]) == ("colours", 3, 8)
    assert attrs["size_before_resize"] == SIZE
    assert "8 x 8" in attrs["resize"]
    assert attrs["identification_direction"] == "seen-to-reconstruction"
    assert opened["colour_identification"].attrs["comparison"] == "seen-to-reconstruction"
    assert "colours of the tests, 1.0" in opened["colour_identification"].attrs["networks"]
    assert attrs["data_kind"] == "simulated"
    assert "SIMULATED data" in describe_results(opened)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert any("colour_identification: 0." in line and "chance 0.500" in line for line in said)


def test_terminal_shows_mean_and_standard_error_at_lag_0(kept):
    analysis, _ = kept
    said = []
    scores = score_reconstructions(analysis.folder, suite="pixels", metrics=["ssim"], say=said.append)
    cell = scores["ssim"].sel(train_delta=0, test_delta=0, target="current").to_numpy()
    assert "trained at delta 0, tested at delta 0" in said[-2]
    sem = cell.std(ddof=1) / np.sqrt(len(cell))
    assert f"ssim: {cell.mean():.3f} +- {sem:.3f} (SEM of {len(cell)} trials)" in said[-1]


def test_scores_that_are_there_are_kept_and_others_are_not_replaced(kept, tmp_path):
    analysis, _ = kept
    out = tmp_path / "scores.nc"
    first = score_reconstructions(analysis.folder, suite="pixels", out=out, say=silent)
    written, said = out.stat().st_mtime_ns, []
    xr.testing.assert_equal(
        score_reconstructions(analysis.folder, suite="pixels", out=out, say=said.append), first
    )
    assert out.stat().st_mtime_ns == written
    assert f"{out} is done" in said
    with pytest.raises(ConfigError, match=r"scoring\.suite: 'pixels' -> 'colours'"):
        score_reconstructions(analysis.folder, suite="colours", out=out, say=silent)
    other = score_reconstructions(analysis.folder, suite="colours", out=out, say=silent, overwrite=True)
    assert other.attrs["suite"] == "colours"


def test_stopped_scoring_goes_on_where_it_was(kept, tmp_path, monkeypatch):
    analysis, _ = kept
    out, write, written = tmp_path / "scores.zarr", ScoredCells.write, []

    def stop_at_the_third(self, cell, scores):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(cell)
        write(self, cell, scores)

    with monkeypatch.context() as patch:
        patch.setattr(ScoredCells, "write", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            score_reconstructions(analysis.folder, suite="pixels", out=out, say=silent)
    assert not out.exists()
    read = []
    monkeypatch.setattr(ScoredCells, "write", lambda self, cell, scores: read.append(cell))
    scores = score_reconstructions(analysis.folder, suite="pixels", out=out, say=silent)
    assert len(written) == 2
    assert not set(read) & set(written)
    xr.testing.assert_allclose(scores, score_reconstructions(analysis.folder, suite="pixels", say=silent))


def test_features_of_the_cache_give_the_same_scores_and_spare_the_network(kept, tmp_path):
    analysis, _ = kept
    plain = score_reconstructions(analysis.folder, suite="colours", say=silent)
    options = {"suite": "colours", "feature_cache": tmp_path / "features", "say": silent}
    xr.testing.assert_allclose(score_reconstructions(analysis.folder, **options), plain)
    COLOURS.asked.clear()
    xr.testing.assert_allclose(score_reconstructions(analysis.folder, **options), plain)
    assert COLOURS.asked == []


def test_evaluate_uses_the_suite_and_says_so(kept, tmp_path):
    analysis, _ = kept
    other = changed(
        analysis,
        evaluation={
            "suite": "colours",
            "identification": "seen-to-reconstruction",
            "feature_cache": tmp_path / "features",
            "keep_reconstructions": "none",
        },
    )
    with pytest.raises(ConfigError, match=r"scoring\.suite: 'pixels' -> 'colours'"):
        evaluate_decoders(other, say=silent)
    kept_results = Places(analysis).results.rename(tmp_path / "aside.zarr")
    try:
        results = evaluate_decoders(other, say=silent)
    finally:
        import shutil

        shutil.rmtree(Places(analysis).results, ignore_errors=True)
        kept_results.rename(Places(analysis).results)
    assert set(results.data_vars) >= {"pixcorr", "colour_identification", "colour_identification_chance"}
    assert (results.attrs["suite"], results.attrs["suite_version"]) == ("colours", 3)
    assert results.attrs["identification_direction"] == "seen-to-reconstruction"
    assert "colours of the tests, 1.0" in results["colour_identification"].attrs["networks"]
    assert list((tmp_path / "features").rglob("*.npy"))


def test_missing_network_is_refused_before_training(kept, tmp_path):
    analysis, _ = kept
    lost = changed(analysis, evaluation={"suite": "lost"})
    store = tempgen.open_store(Places(analysis).store)
    lost = lost.model_copy(update={"folder": tmp_path})
    with pytest.raises(ConfigError, match=r"fetch-weights[^$]*Without it these work: pixcorr"):
        train_decoders(lost, [0], store=store, say=silent)
    assert not list(tmp_path.rglob("model.safetensors"))
    with pytest.raises(MetricError, match="fetch-weights"):
        score_reconstructions(analysis.folder, suite="lost", say=silent)


def test_suite_with_networks_needs_torch_and_says_what_works_without(kept, monkeypatch):
    analysis, _ = kept
    monkeypatch.setattr("tempgen.workflow.suites.find_spec", lambda name: None)
    for suite in ("colours", "scenes", "paper"):
        with pytest.raises(ConfigError, match=r"pip install 'tempgen\[torch\]', or choose the suite pixels"):
            score_reconstructions(analysis.folder, suite=suite, say=silent)
    store = tempgen.open_store(Places(analysis).store)
    with pytest.raises(ConfigError, match=r"pip install 'tempgen\[torch\]'"):
        train_decoders(changed(analysis, evaluation={"suite": None}), [0], store=store, say=silent)
    train_decoders(changed(analysis, evaluation={"suite": "pixels"}), [0], store=store, say=silent)


def test_suite_of_simulated_subjects_is_that_of_scenes_unless_told(tmp_path):
    from tempgen.workflow.suites import default_suite

    assert analysis_of(tmp_path, evaluation={"suite": None}).evaluation.suite is None
    assert (default_suite("simulated"), default_suite("nsd")) == ("scenes", "pixels")


# Folders of image pairs


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((image * 255).round().astype(np.uint8)).save(path)


@pytest.fixture
def pairs(tmp_path):
    """Twelve pairs; the reconstructions are noisy copies. The last two show the first two images again."""
    rng = np.random.default_rng(0)
    images = rng.random((10, SIZE, SIZE, 3))
    folder = tmp_path / "pairs"
    for number in range(12):
        image = images[number % 10]
        save(folder / "seen" / f"{number:02}.png", image)
        save(folder / "reconstructed" / f"{number:02}.png", 0.6 * image + 0.4 * rng.random(image.shape))
    return folder


def read_folder(folder):
    files = sorted(folder.iterdir())
    return np.stack([np.asarray(Image.open(path)) for path in files]) / np.float32(255)


def test_pairs_are_scored_by_the_same_engine(pairs):
    scores = score_reconstructions(pairs, say=silent)
    assert scores.attrs["suite"] == "pixels"
    seen, reconstructed = read_folder(pairs / "seen"), read_folder(pairs / "reconstructed")
    image_of = np.r_[np.arange(10), 0, 1]
    expected = ImageSuite(seen[:10]).score(reconstructed, target_images={"seen": image_of})
    assert list(scores["name"].values) == [f"{number:02}" for number in range(12)]
    np.testing.assert_array_equal(scores["image_id"], image_of)
    for name in ("pixcorr", "ssim", "identification"):
        assert scores[name].dims == ("trial",)
        np.testing.assert_array_equal(scores[name], expected.score[name][0])
        assert float(scores[f"{name}_chance"]) == pytest.approx(expected.chance[name])


@pytest.mark.parametrize("direction", ["reconstruction-to-seen", "seen-to-reconstruction"])
def test_image_that_was_seen_twice_does_not_count_against_itself(pairs, direction):
    scores = score_reconstructions(pairs, identification=direction, say=silent)
    np.testing.assert_array_equal(scores["identification"], 1)  # 10 / 11 if its double competed
    assert scores.attrs["identification_direction"] == direction


def test_images_of_other_sizes_are_resized_by_the_suite(pairs):
    for path in sorted((pairs / "reconstructed").iterdir())[:5]:
        Image.open(path).resize((2 * SIZE, 2 * SIZE), Image.Resampling.NEAREST).save(path)
    with pytest.raises(SourceDataError, match="choose a suite with a size of its own"):
        score_reconstructions(pairs, suite="pixels", say=silent)
    scores = score_reconstructions(pairs, suite="colours", say=silent)
    assert scores.attrs["size_before_resize"] == "16 x 16, 32 x 32"
    assert float(scores["colour_identification"].mean()) > 0.9


def test_scores_of_pairs_are_written_once(pairs, tmp_path):
    out, said = tmp_path / "scores.nc", []
    scores = score_reconstructions(pairs, suite="colours", out=out, say=silent)
    xr.testing.assert_equal(xr.load_dataset(out, engine="h5netcdf"), scores)
    recipe = json.loads(scores.attrs["recipe"])
    assert recipe["scoring"]["metrics"]["colour_identification"]["layer"] == "colours colour"
    assert "colours of the tests, 1.0" in scores["colour_identification"].attrs["networks"]
    again = score_reconstructions(pairs, suite="colours", out=out, say=said.append)
    xr.testing.assert_equal(again, scores)
    assert f"{out} is done" in said
    save(pairs / "reconstructed" / "00.png", np.zeros((SIZE, SIZE, 3)))
    with pytest.raises(ConfigError, match=r"pairs: .* -> .*"):
        score_reconstructions(pairs, suite="colours", out=out, say=silent)


def test_unrelated_pairs_come_out_at_chance(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(60):
        for folder in ("seen", "reconstructed"):
            save(tmp_path / folder / f"{number}.png", rng.random((SIZE, SIZE, 3)))
    scores = score_reconstructions(tmp_path, say=silent)
    for name in ("pixcorr", "ssim", "identification"):
        values = scores[name].to_numpy()
        sem = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - float(scores[f"{name}_chance"])) < 3 * sem


def test_what_cannot_be_scored_or_written_is_refused_at_once(kept, pairs, tmp_path):
    analysis, _ = kept
    with pytest.raises(
        ResultsError, match="name a store of 'tempgen reconstruct' or a folder of image pairs"
    ):
        score_reconstructions(tmp_path / "none", say=silent)
    with pytest.raises(SourceDataError, match="no folders seen/ and reconstructed/"):
        score_reconstructions(pairs / "seen", say=silent)
    with pytest.raises(ConfigError, match=r"has to end in \.nc or \.zarr"):
        score_reconstructions(analysis.folder, out=tmp_path / "scores.csv", say=silent)
    with pytest.raises(ConfigError, match=r"has to end in \.nc\."):
        score_reconstructions(pairs, out=tmp_path / "scores.zarr", say=silent)
    with pytest.raises(ConfigError, match="leave out --seen"):
        score_reconstructions(analysis.folder, seen=pairs / "seen", say=silent)
    with pytest.raises(MetricError, match="There is no suite 'papper'"):
        score_reconstructions(pairs, suite="papper", say=silent)
    with pytest.raises(MetricError, match="in the direction 'upwards'"):
        score_reconstructions(pairs, identification="upwards", say=silent)
    (tmp_path / "mine.nc").write_text("precious")
    with pytest.raises(ResultsError, match=r"mine\.nc is in the way"):
        score_reconstructions(pairs, out=tmp_path / "mine.nc", overwrite=True, say=silent)
    with pytest.raises(ResultsError, match="no store of reconstructions|reconstructions format None"):
        score_reconstructions(Places(analysis).results, say=silent)
