"""Tests of tempgen.models.vision.torch_network, on networks small enough to be followed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tempgen.errors import MetricError, NetworkUnavailableError
from tempgen.models.vision import VisionNetwork
from tempgen.models.vision.torch_network import FunctionNetwork, HookedNetwork, normalizer, resized


class Counted(nn.Module):
    """Counts how often it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.n_runs = 0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.n_runs += 1
        return values


def small_module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True), Counted()
    )


def hooked(module: nn.Module, **options) -> HookedNetwork:
    options = {"weights": "random", "preprocessing": "none", "device": "cpu", **options}
    return HookedNetwork("small", module, **options)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((5, 8, 9, 3), dtype=np.float32)


def by_hand(module: nn.Sequential, images: np.ndarray, n_modules: int) -> np.ndarray:
    with torch.no_grad():
        values = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        for part in module[:n_modules]:
            values = part(values)
    return values.flatten(1).numpy()


@pytest.mark.parametrize("n_at_once", [1, 2, 5, 64])
def test_a_layer_is_its_modules_output_flattened_whatever_the_batches(images, n_at_once) -> None:
    module = small_module()

    features = hooked(module, n_at_once=n_at_once).features(images, ["3", "1"])

    assert list(features) == ["3", "1"]
    for layer, n_modules in (("1", 2), ("3", 4)):
        assert features[layer].dtype == np.float32
        expected = by_hand(module, images, n_modules)
        np.testing.assert_allclose(features[layer], expected, atol=1e-6)
        assert expected.std() > 0.01


def test_an_output_is_kept_as_it_was_before_the_next_module_changed_it_in_place(images) -> None:
    module = small_module()

    before = hooked(module).features(images, ["0", "1"])

    assert before["0"].min() < 0 <= before["1"].min()
    np.testing.assert_array_equal(before["0"].clip(min=0), before["1"])


def test_all_layers_come_from_one_pass_that_stops_at_the_deepest(images) -> None:
    module = nn.Sequential(Counted(), nn.Conv2d(3, 4, 3), nn.ReLU(), Counted())

    network = hooked(module)
    network.features(images, ["0", "2", "1", "1"])

    assert (module[0].n_runs, module[3].n_runs) == (1, 0)
    network.features(images, ["3"])
    assert module[3].n_runs == 1
    assert not module[2]._forward_hooks


def test_the_same_images_give_the_same_numbers(images) -> None:
    network = hooked(nn.Sequential(nn.Conv2d(3, 64, 3), nn.Dropout()))

    first, second = (network.features(images, ["1"])["1"] for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_only_the_first_of_several_outputs_and_of_several_runs_counts(images) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = Pair()

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return self.part(self.part(values)[0] + 1)[0]

    class Pair(nn.Module):
        def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, int]:
            return values * 2, 7

    features = hooked(Twice(), layers={"doubled": "part"}).features(images, ["doubled"])

    expected = images.transpose(0, 3, 1, 2).reshape(5, -1) * 2
    np.testing.assert_allclose(features["doubled"], expected)


def test_labels_stay_integer_maps(images) -> None:
    network = FunctionNetwork(
        "areas",
        nn.Identity(),
        functions={
            "labels": lambda pixels: pixels.argmax(dim=1).to(torch.uint8),
            "mean": lambda p: p.mean(1),
        },
        weights="none",
        preprocessing="none",
        device="cpu",
        n_at_once=2,
    )

    features = network.features(images, ["labels", "mean"])

    assert features["labels"].dtype == np.uint8
    np.testing.assert_array_equal(features["labels"], images.argmax(axis=-1))
    np.testing.assert_allclose(features["mean"], images.mean(axis=-1).reshape(5, -1), rtol=1e-5)


def test_images_are_left_alone_even_if_they_cannot_be_written_to(images) -> None:
    images.flags.writeable = False
    before = images.copy()
    module = nn.Sequential(nn.ReLU(inplace=True))

    features = hooked(module, prepare=normalizer((0.5, 0.5, 0.5), (1, 2, 4))).features(images, ["0"])

    expected = ((images - 0.5) / [1, 2, 4]).clip(0).transpose(0, 3, 1, 2).reshape(5, -1)
    np.testing.assert_allclose(features["0"], expected, rtol=1e-5)
    np.testing.assert_array_equal(images, before)


def test_a_module_without_preparation_does_not_write_into_the_images(images) -> None:
    before = images.copy()

    hooked(nn.Sequential(nn.Threshold(0.9, 0, inplace=True))).features(images, ["0"])

    np.testing.assert_array_equal(images, before)


def test_wide_views_and_double_precision_are_taken(images) -> None:
    module = small_module()
    wide = np.concatenate([images, images], axis=2).astype(np.float64)[:, :, :9]

    np.testing.assert_allclose(
        hooked(module).features(wide, ["3"])["3"], hooked(module).features(images, ["3"])["3"], atol=1e-6
    )


def test_resizing_keeps_the_range_and_leaves_images_of_the_size_alone() -> None:
    pixels = (torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()

    small = resized(pixels, 10, 10, mode="bicubic")

    assert resized(pixels, 16, 16) is pixels
    assert small.shape == (2, 3, 10, 10)
    assert (float(small.min()), float(small.max())) == (0, 1)


def test_it_is_a_vision_network_frozen_and_set_to_evaluation() -> None:
    network = hooked(small_module())

    assert isinstance(network, VisionNetwork)
    assert not network.module.training
    assert not any(parameter.requires_grad for parameter in network.module.parameters())


def test_an_unknown_layer_names_those_that_there_are(images) -> None:
    with pytest.raises(NetworkUnavailableError, match="'small' has no layer 'fc'; it has 0, 1, 2, 3, 4"):
        hooked(small_module()).features(images, ["fc"])
    with pytest.raises(NetworkUnavailableError, match="no layer of the network 'small' was asked for"):
        hooked(small_module()).features(images, [])


def test_a_layer_that_never_runs_is_an_error(images) -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.idle = nn.Identity()

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values

    with pytest.raises(NetworkUnavailableError, match="never runs idle"):
        hooked(Idle()).features(images, ["idle"])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), "was given uint8 of shape"),
        (np.zeros((8, 8, 3), np.float32), r"float32 of shape \(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 4), np.float32), "needed are floats"),
        (np.zeros((0, 8, 8, 3), np.float32), "was given no image"),
        (np.zeros((2, 8, 5, 3), np.float32), "8 x 5 pixels and needs at least 6 a side"),
    ],
)
def test_other_images_are_refused(images, message) -> None:
    with pytest.raises(MetricError, match=message):
        hooked(small_module(), smallest=6).features(images, ["1"])


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(NetworkUnavailableError, match="cannot run on the device 'cuda:99'"):
        hooked(small_module(), device="cuda:99")
