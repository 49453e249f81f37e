"""`tempgen pretrain-scenes` from the drawn scenes to the card, at a size that learns next to nothing."""

import numpy as np
import pytest
import torch

from tempgen.config.sampling import SamplingConfig
from tempgen.models.backbone import load_backbone
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.training.scenes.pictures import Pictures, _draw
from tempgen.workflow import scenes_check
from tempgen.workflow.pretraining import make_scenes_backbone
from tests.training.scenes.tiny import N_HELD_OUT, N_SCENES, SEED, keep_pictures, tiny_pretraining


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretraining")
    keep_pictures(folder, Pictures(*_draw((0, N_SCENES, SEED))), Pictures(*_draw((0, N_HELD_OUT, SEED + 1))))
    return folder


class TinyBackbone:
    """The part of a backbone that reads tokens."""

    def __init__(self):
        torch.manual_seed(0)
        self.encoder = SceneEncoder(channels=(8, 8, 16), token_dim=12)

    def tokens(self, images):
        return self.encoder(images)


@torch.no_grad()
def test_the_linear_head_is_the_least_squares_map_from_the_first_token(folder):
    pictures = Pictures(*_draw((0, 60, SEED)))
    backbone = TinyBackbone()
    head = scenes_check._linear_head(backbone, pictures).numpy()
    design = np.c_[backbone.tokens(pictures.pixels(slice(None)))[:, 0].numpy(), np.ones(60)].astype(float)
    expected, *_ = np.linalg.lstsq(design, pictures.categories, rcond=None)
    np.testing.assert_allclose(design @ head, design @ expected, atol=1e-2)


def test_missing_stages_leave_no_card(folder):
    config, said = tiny_pretraining(), []
    assert make_scenes_backbone(config, folder, stages=("encoder",), say=said.append) is None
    assert not (folder / "scenes").exists()
    assert not (folder / "check").exists()


def test_a_judge_gets_its_card_as_soon_as_its_stage_is_done(folder):
    config, said = tiny_pretraining(), []
    judges = {"classifier": "scene_classifier", "segmenter": "scene_segmenter"}
    assert make_scenes_backbone(config, folder, stages=tuple(judges), say=said.append) is None
    for stage, judge in judges.items():
        card = (folder / judge / "README.md").read_text("utf-8")
        assert f"--stages {stage}`" in card
        assert f"{N_SCENES} scenes drawn with seed {SEED}; held out: {N_HELD_OUT}" in card
        assert "- training: 4 updates x 8 scenes" in card
        assert str(folder / judge / "README.md") in said
    assert not (folder / "scenes").exists()


@pytest.mark.slow
def test_the_command_ends_in_a_checked_backbone_with_its_card(folder, monkeypatch):
    monkeypatch.setattr(scenes_check, "SAMPLING", SamplingConfig(n_steps=2, guidance=2.0))
    monkeypatch.setattr(scenes_check, "SUBJECT", {"n_sessions": 1, "n_voxels": 150})
    monkeypatch.setattr(scenes_check, "SNRS", (2.0,))
    said = []
    made = make_scenes_backbone(tiny_pretraining(), folder, say=said.append)
    assert made == folder / "scenes"
    card = (made / "README.md").read_text("utf-8")
    scores = {
        line.split(":")[0]: line for line in said if line.startswith(("true tokens:", "decoded tokens, 2:"))
    }
    assert set(scores) == {"true tokens", "decoded tokens, 2"}
    for line in scores.values():
        assert f" {line.split('pixcorr ')[1][:5]} |" in card
    assert f"true tokens, {N_HELD_OUT} scenes" in card
    assert (made / "samples.png").stat().st_size > 10_000
    assert load_backbone(made).spec.n_tokens == 17
    # a backbone made anew is not judged by what ridge decoded for the old one
    first = load_backbone(made).spec.revision
    config = tiny_pretraining()
    changed = config.model_copy(update={"unet": config.unet.model_copy(update={"n_steps": 2})})
    again = make_scenes_backbone(changed, folder, stages=("unet",), say=said.append, overwrite=True)
    assert again == made
    assert load_backbone(made).spec.revision != first
