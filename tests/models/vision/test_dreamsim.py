"""Tests of tempgen.models.vision.dreamsim, with a stand-in for its package."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision import dreamsim


class Model(nn.Module):
    """The mean colour as an embedding, and what DreamSim asks of its images."""

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (3, 224, 224)
        assert images.min() >= 0
        assert images.max() <= 1
        return images.mean(dim=(2, 3))


@pytest.fixture
def torch_cache(tmp_path: Path) -> Path:
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path))
    yield tmp_path
    torch.hub.set_dir(before)


def test_images_are_embedded_at_224_pixels(torch_cache, monkeypatch) -> None:
    asked = {}

    def load(**options) -> tuple[nn.Module, None]:
        asked.update(options)
        torch.hub.set_dir("elsewhere")  # as the package does
        return Model(), None

    monkeypatch.setitem(sys.modules, "dreamsim", SimpleNamespace(dreamsim=load))
    images = np.random.default_rng(0).random((3, 100, 100, 3), dtype=np.float32)

    network = dreamsim.open_network(device="cpu")
    embedding = network.features(images, ["embedding"])["embedding"]

    np.testing.assert_allclose(embedding, images.mean(axis=(1, 2)), atol=0.02)
    assert network.weights.endswith("ensemble")
    assert asked["dreamsim_type"] == "ensemble"
    assert asked["normalize_embeds"]
    assert asked["cache_dir"] == str(torch_cache / "dreamsim")
    assert torch.hub.get_dir() == str(torch_cache)


def test_a_package_that_is_not_there_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "dreamsim", None)
    with pytest.raises(
        NetworkUnavailableError, match="package dreamsim, which is not installed: pip install dreamsim"
    ):
        dreamsim.open_network()


def test_weights_that_cannot_be_fetched_are_named(torch_cache, monkeypatch) -> None:
    def load(**options) -> None:
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, "dreamsim", SimpleNamespace(dreamsim=load))
    with pytest.raises(
        NetworkUnavailableError, match=r"weights \(ensemble\) in .*no route to host.*open_network"
    ):
        dreamsim.open_network()
