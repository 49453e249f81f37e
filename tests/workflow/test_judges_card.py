"""The model cards of the networks that judge scenes."""

import pytest
import torch

from tempgen.config.scenes_pretraining import with_options
from tempgen.data.scenes import CATEGORIES, SEGMENTATION_CLASSES
from tempgen.models.scene_classifier import SceneClassifier, save_scene_classifier
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.models.scene_segmenter import SceneSegmenter, save_scene_segmenter
from tempgen.training.scenes.encoder import categories_found
from tempgen.training.scenes.pictures import Pictures, _draw, _draw_masks
from tempgen.training.scenes.segmenter import as_reconstructed
from tempgen.workflow.judges_card import (
    check_classifier,
    check_segmenter,
    write_classifier_card,
    write_segmenter_card,
)

N_SCENES, SEED = 30, 8
REPORT = {"n_steps": 321, "batch_size": 16, "scores": {}, "loss": 0.0375, "seconds_of_last_call": 5}


@pytest.fixture(scope="module")
def held_out():
    return Pictures(*_draw((0, N_SCENES, SEED)))


@pytest.fixture(scope="module")
def masks():
    return torch.from_numpy(_draw_masks((0, N_SCENES, SEED))[0])


@pytest.fixture
def classifier(tmp_path):
    torch.manual_seed(0)
    made = SceneClassifier(SceneEncoder(channels=(8, 8, 16), token_dim=12), CATEGORIES).eval()
    save_scene_classifier(made, tmp_path)
    return made


@pytest.fixture
def segmenter(tmp_path):
    torch.manual_seed(0)
    made = SceneSegmenter(SEGMENTATION_CLASSES, channels=(8, 16)).eval()
    save_scene_segmenter(made, tmp_path)
    return made


@torch.no_grad()
def test_the_classifier_is_tried_on_scenes_as_they_are_and_disturbed(tmp_path, classifier, held_out):
    checked = check_classifier(tmp_path, held_out)
    images, categories = held_out.pixels(slice(None)), torch.from_numpy(held_out.categories)
    for name, shown in (("as drawn", images), ("disturbed", as_reconstructed(images))):
        expected = float(categories_found(classifier(shown), categories).mean())
        assert checked[name]["categories_found"] == pytest.approx(expected, abs=2 / N_SCENES)


@torch.no_grad()
def test_the_segmenter_is_tried_on_scenes_as_they_are_and_disturbed(tmp_path, segmenter, held_out, masks):
    checked = check_segmenter(tmp_path, held_out, masks)
    images = held_out.pixels(slice(None))
    for name, shown in (("as drawn", images), ("disturbed", as_reconstructed(images))):
        right = (segmenter.labels(shown) == masks).float().mean()
        assert checked[name]["pixel_accuracy"] == pytest.approx(float(right), abs=0.01)
    assert checked["as drawn"] != checked["disturbed"]


def test_the_card_names_data_command_losses_and_scores(tmp_path, segmenter):
    config = with_options({"n_scenes": 4321, "seed": 55, "segmenter.learning_rate": 0.0125})
    names = ("pixel_accuracy", "mean_iou", "class_iou")
    checked = {
        kind: {name: first + k / 10 for k, name in enumerate(names)}
        for kind, first in (("as drawn", 0.623), ("disturbed", 0.412))
    }
    path = write_segmenter_card(tmp_path, checked, config, REPORT)
    assert path == tmp_path / "README.md"
    card = path.read_text("utf-8")
    for words in (
        "`tempgen pretrain-scenes OUT --stages segmenter`",
        "4321 scenes drawn with seed 55; held out: 500 with seed 56",
        "321 updates x 16 scenes, AdamW, learning rate up to 0.0125, seed 2; training loss at the end 0.0375",
        "one of 20 classes: sky, water,",
        "| | as drawn | disturbed |",
        "| share of pixels with the right class | 0.623 | 0.412 |",
        "then over scenes | 0.723 | 0.512 |",
        " MB in half precision",
    ):
        assert words in card


def test_the_classifiers_card_names_its_categories_and_an_unknown_loss(tmp_path, classifier):
    checked = {"as drawn": {"categories_found": 0.95}, "disturbed": {"categories_found": 0.81}}
    card = write_classifier_card(tmp_path, checked, with_options({}), {**REPORT, "loss": None}).read_text(
        "utf-8"
    )
    assert "--stages classifier`" in card
    assert "boat, fish, house" in card
    assert "seed 1; training loss at the end unknown" in card
    assert "| objects' categories found, as many as the scene has | 0.950 | 0.810 |" in card
    assert {each.name for each in tmp_path.iterdir()} == {"README.md", "config.json", "model.safetensors"}
