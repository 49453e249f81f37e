import json

import pytest
import torch

from tempgen.errors import BackboneError
from tempgen.models.scene_segmenter import (
    SceneSegmenter,
    as_image,
    in_blocks,
    load_scene_segmenter,
    save_scene_segmenter,
)

CLASSES = ("sky", "water", "cat", "house", "tree")


@pytest.fixture
def segmenter():
    torch.manual_seed(0)
    return SceneSegmenter(CLASSES, channels=(8, 16)).eval()


@pytest.fixture
def folder(segmenter, tmp_path):
    save_scene_segmenter(segmenter, tmp_path)
    return tmp_path


def test_a_saved_segmenter_says_the_same_in_half_precision(segmenter, folder):
    images = torch.rand(4, 3, 64, 64)
    loaded = load_scene_segmenter(folder)
    assert loaded.classes == CLASSES
    with torch.no_grad():
        expected = segmenter(images)
    assert expected.shape == (4, 5, 64, 64)
    torch.testing.assert_close(loaded(images), expected, rtol=0.01, atol=0.01)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not loaded.training


@torch.no_grad()
def test_labels_are_the_classes_with_the_largest_logits(segmenter):
    images = torch.rand(3, 3, 64, 64)
    labels = segmenter.labels(images)
    assert labels.shape == (3, 64, 64)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels.long(), segmenter(images).argmax(dim=1))
    assert len(labels.unique()) > 1


def test_blocks_are_the_image_cut_into_4_x_4_pixels_row_by_row():
    image = torch.arange(2 * 16 * 16).reshape(2, 16, 16)
    blocks = in_blocks(image)
    assert blocks.shape == (2, 4, 4, 16)
    assert torch.equal(blocks[1, 2, 3], image[1, 8:12, 12:16].flatten())
    assert torch.equal(as_image(blocks), image)


@torch.no_grad()
def test_some_pixels_of_each_block_are_read_as_with_all_of_them(segmenter):
    features = segmenter.features(torch.rand(2, 3, 32, 32))
    pixels = torch.tensor([13, 2, 5])
    some, every = segmenter.read(features, pixels), segmenter.read(features)
    assert every.shape == (2, 8, 8, 16, 5)
    torch.testing.assert_close(some, every[..., pixels, :])


@torch.no_grad()
def test_each_image_is_read_by_itself(segmenter):
    images = torch.rand(3, 3, 64, 64)
    torch.testing.assert_close(segmenter(images)[1:2], segmenter(images[1:2]), rtol=1e-4, atol=1e-5)


def test_a_folder_written_anew_is_loaded_anew(folder):
    before = load_scene_segmenter(folder)
    save_scene_segmenter(SceneSegmenter(CLASSES[:3], channels=(8, 8)), folder)
    assert before.classes == CLASSES
    assert load_scene_segmenter(folder).classes == CLASSES[:3]


def test_a_folder_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(BackboneError, match="nowhere holds no scene segmenter: .*pretrain-scenes"):
        load_scene_segmenter(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["weights", "json", "sizes", "no classes", "one size"])
def test_a_damaged_folder_is_refused(folder, damage):
    config = json.loads((folder / "config.json").read_text())
    if damage == "weights":
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "json":
        (folder / "config.json").write_text("{")
    elif damage == "sizes":
        config["channels"] = [16, 16]
    elif damage == "no classes":
        del config["classes"]
    else:
        config["channels"] = [8]
    if damage not in ("weights", "json"):
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match="holds no scene segmenter"):
        load_scene_segmenter(folder)
