"""Tests of torchvision's networks and of SwAV's: the published layers on random weights, and the loading of files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import tempgen.models  # noqa: F401 - before torchvision
from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision import open_network, registry, swav, torchvision_networks
from tempgen.models.vision.published import sha256_of
from tempgen.models.vision.torchvision_networks import build, hooked

ADDRESS = "http://127.0.0.1:9"  # nothing listens
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((2, 96, 96, 3), dtype=np.float32)


def standardized(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(((images - MEAN) / STD).transpose(0, 3, 1, 2).copy())


def random_module(name: str, models) -> nn.Module:
    """Random weights that keep values of order 1 throughout."""
    torch.manual_seed(0)
    module = models.resnet50(weights=None) if name == "swav" else build(name, models)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
    return module.eval()


def same(features: np.ndarray, expected: torch.Tensor) -> None:
    scale = float(expected.std())
    assert 0 < scale < np.inf
    np.testing.assert_allclose(features / scale, expected.flatten(1) / scale, atol=1e-3)


def test_alexnet_is_read_behind_the_relus_of_its_second_and_fifth_convolution(images) -> None:
    models = pytest.importorskip("torchvision.models")
    module = random_module("alexnet", models)

    features = hooked("alexnet", module, weights="random", device="cpu").features(
        images, ["features.4", "features.11"]
    )

    with torch.no_grad():
        second = module.features[:5](standardized(images))
        fifth = module.features[5:12](second)
    same(features["features.4"], second)
    same(features["features.11"], fifth)
    assert features["features.4"].min() == 0
    assert [type(module.features[k]) for k in (3, 4, 10, 11)] == [nn.Conv2d, nn.ReLU] * 2


def test_alexnet_at_224_pixels_has_as_many_features_as_published() -> None:
    models = pytest.importorskip("torchvision.models")
    network = hooked("alexnet", random_module("alexnet", models), weights="random", device="cpu")

    features = network.features(np.zeros((1, 224, 224, 3), np.float32), ["features.4", "features.11"])

    assert [features[layer].shape[1] for layer in features] == [192 * 27 * 27, 256 * 13 * 13]


@pytest.mark.parametrize(("name", "n_features"), [("efficientnet", 1280), ("swav", 2048)])
def test_avgpool_is_the_mean_of_the_last_feature_maps(name, n_features, images) -> None:
    models = pytest.importorskip("torchvision.models")
    module = random_module(name, models)

    features = hooked(name, module, weights="random", device="cpu").features(images, ["avgpool"])["avgpool"]

    with torch.no_grad():
        maps = standardized(images)
        if name == "swav":
            for part in list(module.children())[:-2]:
                maps = part(maps)
        else:
            maps = module.features(maps)
    assert features.shape == (2, n_features)
    same(features, maps.mean(dim=(2, 3)))


def test_inception_shifts_the_standardized_input_once_more(images) -> None:
    models = pytest.importorskip("torchvision.models")
    module = random_module("inception", models)

    features = hooked("inception", module, weights="random", device="cpu").features(images, ["avgpool"])[
        "avgpool"
    ]

    assert module.transform_input
    module.transform_input = False
    # what transform_input undoes and does: standardized with mean 0.5 and SD 0.5 of each colour
    shifted = torch.from_numpy(((images - np.float32(0.5)) / np.float32(0.5)).transpose(0, 3, 1, 2).copy())
    kept = []
    module.avgpool.register_forward_hook(lambda part, inputs, output: kept.append(output))
    with torch.no_grad():
        module(shifted)
    assert features.shape == (2, 2048)
    same(features, kept[0])


def test_the_enumerations_of_torchvision_hold_the_pinned_weights() -> None:
    models = pytest.importorskip("torchvision.models")
    names = {
        name: getattr(models, published.weights.partition(".")[0])[published.weights.partition(".")[2]].url
        for name, published in torchvision_networks._NETWORKS.items()
    }
    assert {name: url.rpartition("/")[2] for name, url in names.items()} == {
        "alexnet": "alexnet-owt-7be5be79.pth",
        "inception": "inception_v3_google-0cc3c7bd.pth",
        "efficientnet": "efficientnet_b1_rwightman-bac287d4.pth",
        "efficientnet-v2": "efficientnet_b1-c27df63c.pth",
    }


class Tiny(nn.Module):
    """In AlexNet's or ResNet-50's place."""

    def __init__(self, weights: None = None) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.fc(self.avgpool(self.features(pixels)).flatten(1))


@pytest.fixture
def torch_cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(registry, "_opened", {})
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def in_place_of_torchvision(monkeypatch, **models) -> None:
    for module in (torchvision_networks, swav):
        monkeypatch.setattr(module, "library", lambda name, network: SimpleNamespace(**models))


def test_published_weights_are_read_from_torchs_cache(torch_cache, monkeypatch, images) -> None:
    torch.manual_seed(0)
    tiny = Tiny()
    torch.save(tiny.state_dict(), torch_cache / "tiny.pth")
    path = (torch_cache / "tiny.pth").rename(
        torch_cache / f"tiny-{sha256_of(torch_cache / 'tiny.pth')[:8]}.pth"
    )
    weights = {"IMAGENET1K_V1": SimpleNamespace(url=f"{ADDRESS}/{path.name}")}
    in_place_of_torchvision(monkeypatch, alexnet=Tiny, AlexNet_Weights=weights)
    random_state = torch.get_rng_state()

    network = open_network("alexnet", device="cpu")

    assert network.weights == "torchvision AlexNet_Weights.IMAGENET1K_V1"
    assert torch.equal(torch.get_rng_state(), random_state)
    with torch.no_grad():
        expected = tiny.features(standardized(images)).flatten(1)
    np.testing.assert_allclose(network.features(images, ["features.1"])["features.1"], expected, atol=1e-5)


def test_swav_weights_are_those_of_its_file_without_the_heads_of_its_training(
    torch_cache, monkeypatch, images
) -> None:
    torch.manual_seed(0)
    tiny = Tiny()
    state = {f"module.{key}": value for key, value in tiny.state_dict().items() if not key.startswith("fc.")}
    heads = {"module.projection_head.0.weight": torch.ones(1), "module.prototypes.weight": torch.ones(1)}
    path = torch_cache / "swav_800ep_pretrain.pth.tar"
    torch.save({**state, **heads}, path)
    in_place_of_torchvision(monkeypatch, resnet50=Tiny)

    network = open_network("swav", device="cpu")

    assert network.weights == f"facebookresearch/swav {path.name}, sha256 {sha256_of(path)[:16]}"
    with torch.no_grad():
        expected = tiny.features(standardized(images)).mean(dim=(2, 3))
    np.testing.assert_allclose(network.features(images, ["avgpool"])["avgpool"], expected, atol=1e-5)


@pytest.mark.parametrize("wrong", ["module.features.2.weight", "features.0.bias"])
def test_a_swav_file_that_does_not_fit_is_refused(wrong, torch_cache, monkeypatch) -> None:
    state = {key: value for key, value in Tiny().state_dict().items() if not key.startswith("fc.")}
    if wrong in state:
        del state[wrong]
    else:
        state[wrong] = torch.ones(1)
    torch.save(state, torch_cache / "swav_800ep_pretrain.pth.tar")
    in_place_of_torchvision(monkeypatch, resnet50=Tiny)
    with pytest.raises(NetworkUnavailableError, match=wrong.removeprefix("module.")):
        open_network("swav", device="cpu")
