"""The weights in the package: small, whole, and able to show what their tokens say."""

import numpy as np
import pytest
import torch

from tempgen.config.sampling import SamplingConfig
from tempgen.data.scenes import render_scene
from tempgen.decoders.dynadiff.sampling import images_of_tokens
from tempgen.metrics import pixcorr
from tempgen.metrics.segmentation import mean_iou
from tempgen.models.backbone import load_backbone
from tempgen.models.backbone.loading import SCENES_FOLDER
from tempgen.models.scene_classifier import load_scene_classifier
from tempgen.models.scene_segmenter import load_scene_segmenter
from tempgen.training.scenes.encoder import categories_found
from tempgen.training.scenes.pictures import Pictures, _draw

N_SCENES, SEED = 40, 123_456


@pytest.fixture(scope="module")
def scenes():
    """Scenes of another seed than those of the training."""
    return Pictures(*_draw((0, N_SCENES, SEED)))


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("scenes")


def test_the_backbone_takes_less_than_ten_megabytes():
    sizes = [path.stat().st_size for path in SCENES_FOLDER.rglob("*.safetensors")]
    assert len(sizes) == 4
    assert sum(sizes) < 10e6


def test_the_autoencoder_gives_new_scenes_back(scenes, backbone):
    images = scenes.pixels(slice(None))
    with torch.no_grad():
        error = (backbone.decode(backbone.encode(images).mean) - images).square().mean()
    assert float(error) < 10**-2.4  # 24 dB


def test_the_classifier_finds_what_new_scenes_show(scenes):
    with torch.no_grad():
        found = categories_found(
            load_scene_classifier()(scenes.pixels(slice(None))), torch.from_numpy(scenes.categories)
        )
    assert float(found.float().mean()) > 0.9


def test_the_segmenter_maps_what_new_scenes_show():
    scenes = [render_scene(scene_id, seed=SEED) for scene_id in range(N_SCENES)]
    segmenter = load_scene_segmenter()
    images = torch.from_numpy(np.stack([scene.image for scene in scenes])).movedim(-1, 1).float() / 255
    found = np.asarray(segmenter.labels(images))
    masks = np.stack([scene.segmentation for scene in scenes])
    assert np.mean(found == masks) > 0.93  # 0.97 when it was made
    assert np.mean(mean_iou(seen_labels=masks, reconstructed_labels=found)) > 0.75  # 0.88


def test_the_judges_take_less_than_two_megabytes():
    folders = [SCENES_FOLDER.parent / name for name in ("scene_classifier", "scene_segmenter")]
    sizes = [path.stat().st_size for folder in folders for path in folder.rglob("*.safetensors")]
    assert len(sizes) == 2
    assert sum(sizes) < 2e6
    assert all((folder / "README.md").is_file() for folder in folders)


def test_images_sampled_from_true_tokens_show_the_scene_of_the_tokens(scenes, backbone):
    images = scenes.pixels(slice(None))
    tokens = backbone.tokens(images).numpy()
    sampled = images_of_tokens(backbone, tokens, config=SamplingConfig(n_steps=10, guidance=2.0))
    seen = images.movedim(1, -1).numpy()
    right = float(pixcorr(seen=seen, reconstructed=sampled).mean())
    wrong = float(pixcorr(seen=np.roll(seen, 1, axis=0), reconstructed=sampled).mean())
    assert right > 0.88  # 0.92 when they were made
    assert wrong < 0.3
    found = categories_found(
        load_scene_classifier()(torch.from_numpy(sampled).movedim(-1, 1)), torch.from_numpy(scenes.categories)
    )
    assert float(found.float().mean()) > 0.8  # 0.93
