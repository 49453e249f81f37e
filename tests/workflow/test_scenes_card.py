"""The model card of the scenes backbone: a folder, numbers and pictures in; README.md and samples.png out."""

import json

import numpy as np
import pytest
from PIL import Image

from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.workflow.scenes_card import draw_samples, write_card
from tempgen.workflow.scenes_check import N_GRID, SceneSamples

NAMES = ("pixcorr", "ssim", "category_of_sample", "category_of_seen_image", "category_read_from_tokens")


def samples(name, n, *, first_score=None):
    rng = np.random.default_rng(len(name))
    images = rng.random((n, 64, 64, 3), dtype=np.float32)
    if first_score is None:
        return SceneSamples(name, images, None, {})
    scores = {each: first_score + 0.01 * k for k, each in enumerate(NAMES)}
    return SceneSamples(name, images, images[::-1], scores)


@pytest.fixture
def checked():
    return [
        samples("true tokens", 30, first_score=0.123),
        samples("decoded tokens", 12, first_score=0.456),
        samples("no tokens", 2 * N_GRID),
    ]


@pytest.fixture
def folder(tmp_path):
    stage = {"n_steps": 321, "batch_size": 16, "seconds_of_last_call": 5}
    description = {
        "n_tokens": 17,
        "token_dim": 96,
        "latent_shape": [24, 8, 8],
        "tempgen_version": "9.8",
        "stages": {
            "autoencoder": {**stage, "scores": {"psnr_db": 27.125, "monitor": -27.125}, "loss": 0.0375},
            "encoder": {**stage, "scores": {"category": 0.877, "monitor": -0.877}, "loss": 1.5},
            "classifier": {**stage, "scores": {}, "loss": None},
            "unet": {**stage, "scores": {"held_out_loss": 0.0625}, "loss": 0.0611},
        },
    }
    (tmp_path / "backbone.json").write_text(json.dumps(description))
    (tmp_path / "weights.safetensors").write_bytes(bytes(2_500_000))
    return tmp_path


def test_the_card_names_data_command_losses_and_scores(folder, checked):
    config = ScenesPretraining(n_scenes=4321, seed=55)
    path = write_card(folder, checked, config)
    assert path == folder / "README.md"
    card = path.read_text("utf-8")
    for words in (
        "`tempgen pretrain-scenes` of tempgen 9.8",
        "4321 scenes drawn with seed 55; held out: 500 with seed 56",
        "2.5 MB in half precision; 17 tokens x 96",
        "| autoencoder | 321 x 16 | psnr_db 27.125 | 0.0375 |",
        "| encoder | 321 x 16 | category 0.877 | 1.5 |",
        "| unet | 321 x 16 | held_out_loss 0.062 | 0.0611 |",
        "true tokens, 30 scenes | decoded tokens, 12 scenes |",
        "| PixCorr with the seen image | 0.123 | 0.456 |",
        "| the same by a linear head on the tokens | 0.163 | 0.496 |",
        "SIMULATED",
        "![samples](samples.png)",
    ):
        assert words in card
    assert "monitor" not in card


def test_a_loss_that_a_stopped_run_did_not_note_is_said_to_be_unknown(folder, checked):
    card = write_card(folder, checked, ScenesPretraining()).read_text("utf-8")
    assert "| classifier | 321 x 16 | none | unknown |" in card


def test_stages_are_those_of_the_backbones_own_description(folder, checked):
    description = json.loads((folder / "backbone.json").read_text())
    del description["stages"]["classifier"]
    description["stages"]["more"] = {
        "n_steps": 5,
        "batch_size": 2,
        "scores": {"some_score": 0.5},
        "loss": 0.25,
    }
    (folder / "backbone.json").write_text(json.dumps(description))
    card = write_card(folder, checked, ScenesPretraining()).read_text("utf-8")
    assert "| more | 5 x 2 | some_score 0.500 | 0.25 |" in card
    assert "| classifier |" not in card


def test_the_samples_are_a_picture_of_all_kinds_of_tokens(folder, checked):
    write_card(folder, checked, ScenesPretraining())
    with Image.open(folder / "samples.png") as image:
        width, height = image.size
    assert (width, height) == (1080, 612)  # seen and sampled twice, and two rows without tokens
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "backbone.json",
        "samples.png",
        "weights.safetensors",
    }


def test_seen_images_stand_above_their_own_samples(checked):
    figure = draw_samples(checked)
    rows = np.array(figure.axes).reshape(-1, N_GRID)
    assert [row[0].get_ylabel() for row in rows] == [
        "seen",
        "from true tokens",
        "seen",
        "from decoded tokens",
        "no tokens",
        "",
    ]
    chosen = np.linspace(0, 29, N_GRID).astype(int)
    for column in (0, 4, N_GRID - 1):
        above, below = (row[column].images[0].get_array() for row in rows[:2])
        np.testing.assert_array_equal(above, checked[0].seen[chosen[column]])
        np.testing.assert_array_equal(below, checked[0].images[chosen[column]])
