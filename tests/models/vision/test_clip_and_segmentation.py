"""Tests of the networks of transformers, on tiny random models in the hub's format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision import open_network
from tempgen.models.vision.clip import CLIP_MEAN, CLIP_STD

transformers = pytest.importorskip("transformers")

SIDE = 32
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((5, SIDE, SIDE, 3), dtype=np.float32)


def standardized(images: np.ndarray, mean, std) -> torch.Tensor:
    return torch.from_numpy(((images - mean) / std).astype(np.float32).transpose(0, 3, 1, 2).copy())


def assert_same(features: np.ndarray, expected: torch.Tensor) -> None:
    scale = float(expected.std())
    np.testing.assert_allclose(features / scale, expected / scale, atol=1e-4)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    config = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=12,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=8,
        initializer_factor=3.0,
        hidden_act="quick_gelu",
    )
    folder = tmp_path_factory.mktemp("clip")
    transformers.CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def segmenter_model(kind: str):
    torch.manual_seed(0)
    if kind == "segformer":
        config = transformers.SegformerConfig(
            hidden_sizes=[8, 8, 8, 8],
            depths=[1] * 4,
            decoder_hidden_size=8,
            num_labels=6,
            initializer_range=0.5,
        )
        return transformers.SegformerForSemanticSegmentation(config)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    config = transformers.UperNetConfig(
        backbone_config=transformers.ConvNextConfig(
            hidden_sizes=[8] * 4, depths=[1] * 4, out_features=stages, initializer_range=0.5
        ),
        hidden_size=8,
        pool_scales=[1, 2],
        auxiliary_in_channels=8,
        auxiliary_channels=8,
        num_labels=6,
        initializer_range=0.5,
    )
    return transformers.UperNetForSemanticSegmentation(config)


def save_segmenter(kind: str, folder: Path, size) -> Path:
    segmenter_model(kind).save_pretrained(folder)
    settings = {"size": size, "resample": 2, "image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def test_clip_gives_all_tokens_behind_a_block_and_the_projected_embedding(clip, images) -> None:
    network = open_network(f"clip:{clip}", device="cpu")

    features = network.features(images, ["resblocks.2", "final"])

    model = transformers.CLIPVisionModelWithProjection.from_pretrained(clip).eval()
    with torch.no_grad():
        expected = model(pixel_values=standardized(images, CLIP_MEAN, CLIP_STD), output_hidden_states=True)
    # hidden_states[0] is what the first block takes, so [3] is what the third gives
    tokens = expected.hidden_states[3]
    assert tokens.shape == (5, 17, 16)
    assert_same(features["resblocks.2"], tokens.flatten(1))
    assert_same(features["final"], expected.image_embeds)
    assert features["final"].std() > 0.01
    assert np.corrcoef(features["final"])[0, 1] < 0.999999
    assert network.weights.startswith("local folder, sha256:")


def test_clip_runs_no_block_behind_the_one_that_was_asked_for(clip, images) -> None:
    network = open_network(f"clip:{clip}", device="cpu")
    ran = []
    hooks = [
        layer.register_forward_hook(lambda *_, k=k: ran.append(k))
        for k, layer in enumerate(network.module.vision_model.encoder.layers)
    ]

    network.features(images, ["resblocks.1"])

    assert ran == [0, 1]
    for hook in hooks:
        hook.remove()


def test_clip_resizes_images_to_the_size_that_it_takes(clip) -> None:
    network = open_network(f"clip:{clip}", device="cpu")
    large = np.random.default_rng(1).random((5, 50, 70, 3), dtype=np.float32)

    features = network.features(large, ["final"])["final"]

    small = torch.nn.functional.interpolate(
        torch.from_numpy(large).movedim(-1, 1), size=(SIDE, SIDE), mode="bilinear", antialias=True
    )
    assert_same(
        features, torch.from_numpy(network.features(small.movedim(1, -1).numpy(), ["final"])["final"])
    )


def test_clip_has_the_blocks_that_it_has(clip, images) -> None:
    with pytest.raises(NetworkUnavailableError, match="it has resblocks.0, .*resblocks.3, final"):
        open_network(f"clip:{clip}", device="cpu").features(images, ["resblocks.12"])


def test_weights_that_are_missing_are_not_drawn_at_random(clip, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(clip / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((clip / "config.json").read_text())
    with pytest.raises(
        NetworkUnavailableError, match="missing or of another shape: visual_projection.weight"
    ):
        open_network(f"clip:{tmp_path}", device="cpu")


@pytest.mark.parametrize("kind", ["segformer", "upernet"])
def test_labels_are_the_likeliest_classes_at_the_images_size(kind, tmp_path, images) -> None:
    folder = save_segmenter(kind, tmp_path, {"height": 2 * SIDE, "width": 2 * SIDE})
    network = open_network(f"ade20k:{folder}", device="cpu")

    labels = network.features(images, ["labels"])["labels"]

    large = torch.nn.functional.interpolate(
        torch.from_numpy(images).movedim(-1, 1), size=(2 * SIDE, 2 * SIDE), mode="bilinear", antialias=True
    )
    model = transformers.AutoModelForSemanticSegmentation.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(pixel_values=standardized(large.movedim(1, -1).numpy(), MEAN, STD)).logits
        logits = torch.nn.functional.interpolate(logits, size=(SIDE, SIDE), mode="bilinear")
    assert labels.dtype == np.uint8
    assert labels.shape == (5, SIDE, SIDE)
    assert np.mean(labels == logits.argmax(1).numpy()) > 0.999  # rounding may decide a tie
    assert len(np.unique(labels)) > 2


@pytest.mark.parametrize("size", [48, {"shortest_edge": 48}, {"height": 48, "width": 48}])
def test_every_way_to_write_the_size_is_read(size, tmp_path, images) -> None:
    network = open_network(f"ade20k:{save_segmenter('segformer', tmp_path, size)}", device="cpu")

    assert "to 48 x 48 pixels" in network.preprocessing
    assert network.features(images[:, :, :20], ["labels"])["labels"].shape == (5, SIDE, 20)


@pytest.mark.parametrize(
    "settings", ["{", "{}", '{"size": 0, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}', "[]"]
)
def test_preprocessing_that_is_not_stated_is_not_guessed(settings, tmp_path) -> None:
    save_segmenter("segformer", tmp_path, 32)
    (tmp_path / "preprocessor_config.json").write_text(settings)
    with pytest.raises(NetworkUnavailableError, match="does not say how large its images are"):
        open_network(f"ade20k:{tmp_path}", device="cpu")
