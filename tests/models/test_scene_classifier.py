import json

import pytest
import torch

from tempgen.errors import BackboneError
from tempgen.models.scene_classifier import (
    SceneClassifier,
    load_scene_classifier,
    save_scene_classifier,
)
from tempgen.models.scene_encoder import SceneEncoder

CATEGORIES = ("cat", "house", "tree")


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return SceneClassifier(SceneEncoder(channels=(8, 8, 16), token_dim=12), CATEGORIES).eval()


@pytest.fixture
def folder(classifier, tmp_path):
    save_scene_classifier(classifier, tmp_path)
    return tmp_path


def test_a_saved_classifier_says_the_same_in_half_precision(classifier, folder):
    images = torch.rand(4, 3, 64, 64)
    loaded = load_scene_classifier(folder)
    assert loaded.categories == CATEGORIES
    with torch.no_grad():
        expected = classifier(images)
    assert expected.shape == (4, 3)
    torch.testing.assert_close(loaded(images), expected, rtol=0.01, atol=0.01)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not loaded.training


def test_it_reads_the_first_token_only(classifier):
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = classifier.encoder.raw_tokens(images)[:, 0] @ classifier.readout.weight.T
        torch.testing.assert_close(classifier(images), expected + classifier.readout.bias)


def test_a_folder_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(BackboneError, match="nowhere holds no scene classifier: .*pretrain-scenes"):
        load_scene_classifier(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["weights", "json", "sizes", "no encoder", "unknown size"])
def test_a_damaged_folder_is_refused(folder, damage):
    config = json.loads((folder / "config.json").read_text())
    if damage == "weights":
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "json":
        (folder / "config.json").write_text("{")
    elif damage == "sizes":
        config["encoder"]["token_dim"] = 16
    elif damage == "no encoder":
        del config["encoder"]
    else:
        config["encoder"]["depth"] = 3
    if damage not in ("weights", "json"):
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match="holds no scene classifier"):
        load_scene_classifier(folder)
