"""Tests of tempgen.models.vision.scenes: the packaged networks as judges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tempgen.errors import NetworkUnavailableError
from tempgen.models.scene_classifier import load_scene_classifier
from tempgen.models.vision import open_network, scenes


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((3, 64, 64, 3), dtype=np.float32)


def test_the_classifier_shows_its_first_stage_what_its_readout_reads_and_its_logits(images) -> None:
    network = open_network("scene_classifier", device="cpu")

    features = network.features(images, ["early", "late", "logits"])

    classifier = load_scene_classifier()
    pixels = torch.from_numpy(images).movedim(-1, 1)
    with torch.no_grad():
        entered = torch.nn.functional.pixel_unshuffle(pixels * 2 - 1, 4)
        early = classifier.encoder.body[:3](entered)
        late = classifier.encoder.raw_tokens(pixels)[:, 0]
        logits = classifier(pixels)
    assert early.shape[-2:] == (16, 16)
    np.testing.assert_allclose(features["early"], early.flatten(1), atol=1e-4)
    np.testing.assert_allclose(features["late"], late, atol=1e-4)
    np.testing.assert_allclose(features["logits"], logits, atol=1e-4)
    assert network.weights.startswith("tempgen scene_classifier, sha256:")


def test_images_of_another_size_are_resized(images) -> None:
    network = open_network("scene_classifier", device="cpu")
    large = images.repeat(2, axis=1).repeat(2, axis=2)

    assert network.features(large, ["late"])["late"].shape == network.features(images, ["late"])["late"].shape


def test_the_classifier_that_others_share_is_left_where_it_is() -> None:
    assert open_network("scene_classifier", device="cpu").module is not load_scene_classifier()


def test_the_segmenter_names_a_class_for_each_pixel(images, monkeypatch) -> None:
    segmenter_module = pytest.importorskip("tempgen.models.scene_segmenter")
    torch.manual_seed(0)
    segmenter = segmenter_module.SceneSegmenter(("sky", "sea", "sand"), channels=(8, 16))
    monkeypatch.setattr(segmenter_module, "load_scene_segmenter", lambda: segmenter)
    monkeypatch.setattr(scenes, "_identity", lambda folder: "random")

    labels = scenes.open_network("scene_segmenter", "cpu").features(images, ["labels"])["labels"]

    assert labels.dtype == np.uint8
    assert labels.shape == (3, 64, 64)
    with torch.no_grad():
        expected = segmenter(torch.from_numpy(images).movedim(-1, 1)).argmax(1).numpy()
    assert np.mean(labels == expected) > 0.999
    assert len(np.unique(labels)) == 3


def test_weights_that_are_missing_say_what_makes_them(monkeypatch, tmp_path) -> None:
    segmenter_module = pytest.importorskip("tempgen.models.scene_segmenter")
    load = segmenter_module.load_scene_segmenter
    monkeypatch.setattr(segmenter_module, "load_scene_segmenter", lambda: load(tmp_path / "nowhere"))
    with pytest.raises(
        NetworkUnavailableError, match="'scene_segmenter' cannot be opened: .*pretrain-scenes"
    ):
        scenes.open_network("scene_segmenter")
