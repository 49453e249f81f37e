"""Tests of tempgen.models.vision's interface and registry."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision import Layer, known_networks, open_network, register_network, registry


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_opened", {})


def test_a_registered_network_is_opened_once_for_each_device() -> None:
    opened = []

    def open_mine(device: str | None) -> object:
        opened.append(device)
        return object()

    register_network("mine", open_mine)

    assert open_network("mine") is open_network("mine")
    assert open_network("mine", device="cpu") is not open_network("mine")
    assert opened == [None, "cpu"]
    assert known_networks()[-1] == "mine"


def test_the_last_network_of_a_name_counts_even_over_those_of_the_package() -> None:
    for network in ("first", "second"):
        register_network("alexnet", lambda device, network=network: network)
        assert open_network("alexnet") == network
    assert known_networks().count("alexnet") == 1


def test_every_network_of_the_package_has_a_module_that_opens_it() -> None:
    for name, module in registry._BUILT_IN.items():
        opener = import_module(f"tempgen.models.vision.{module}").open_network
        assert callable(opener), name


def test_chosen_weights_are_handed_to_the_family(monkeypatch) -> None:
    asked = []
    segmentation = import_module("tempgen.models.vision.segmentation")
    monkeypatch.setattr(segmentation, "open_network", lambda *arguments: asked.append(arguments) or object())

    open_network("ade20k:owner/name@123", device="cpu")
    open_network("ade20k")

    assert asked == [("ade20k", "cpu", "owner/name@123"), ("ade20k", None)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alexmet", "no network is called 'alexmet'; known are alexnet, inception"),
        ("alexnet:owner/name@1", "weights can be chosen for ade20k and clip alone.*Use 'alexnet'"),
        ("clip:", "cannot be opened"),
        ("", "no network is called ''"),
    ],
)
def test_a_name_that_cannot_be_opened_says_what_can(name, message) -> None:
    with pytest.raises(NetworkUnavailableError, match=message):
        open_network(name)


@pytest.mark.parametrize("name", ["", "clip:mine"])
def test_a_colon_stands_for_chosen_weights_alone(name) -> None:
    with pytest.raises(ValueError, match="without a colon"):
        register_network(name, lambda device: object())


def test_layers_are_equal_by_what_they_name_and_read_well() -> None:
    assert Layer("clip", "final") == Layer("clip", "final")
    assert len({Layer("clip", "final"), Layer("clip", "final"), Layer("clip", "resblocks.12")}) == 2
    assert str(Layer("alexnet", "features.4")) == "alexnet features.4"


def test_naming_layers_and_networks_needs_no_torch() -> None:
    code = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torchvision" else real(name, package)
from tempgen.models.vision import Layer, known_networks, open_network, register_network
print("torch" in sys.modules, "transformers" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False False"
