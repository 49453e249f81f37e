"""Tests of tempgen.models.vision.published: what is missing is named, with the command that fetches it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from tempgen.errors import NetworkUnavailableError
from tempgen.models.vision.published import (
    hub_folder,
    library,
    load_pretrained,
    published_file,
    read_state,
    sha256_of,
)

NOWHERE = "http://127.0.0.1:9/models"  # the port of a service that discards; nothing listens
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def torch_cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch) -> Path:
    """An empty cache of the hub, without a connection."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


def test_a_package_that_is_not_installed_is_named_with_the_command(monkeypatch) -> None:
    for module in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        NetworkUnavailableError, match=r"'alexnet' needs the package torchvision, .*tempgen\[metrics\]"
    ):
        library("torchvision.models", network="alexnet")


def test_a_package_that_does_not_load_is_told_from_one_that_is_missing(tmp_path, monkeypatch) -> None:
    (tmp_path / "for_another_torch.py").write_text(
        "raise RuntimeError('operator x::nms does not exist\\nlong trace')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        NetworkUnavailableError, match=r"does not load \(RuntimeError: operator x::nms does not exist\)"
    ):
        library("for_another_torch", network="alexnet")


def test_a_package_that_a_package_needs_is_the_one_that_is_named(tmp_path, monkeypatch) -> None:
    (tmp_path / "has_needs.py").write_text("import not_there_at_all.part")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        NetworkUnavailableError, match="package not_there_at_all, which is not installed: pip install x"
    ):
        library("has_needs", network="alexnet", command="pip install x")


def test_a_file_that_cannot_be_fetched_is_named_with_its_place_and_the_command(torch_cache) -> None:
    with pytest.raises(NetworkUnavailableError) as caught:
        published_file(f"{NOWHERE}/alexnet-owt-7be5be79.pth", network="alexnet")

    message = str(caught.value)
    assert all(
        part in message
        for part in (
            "alexnet-owt-7be5be79.pth",
            str(torch_cache),
            NOWHERE,
            "open_network('alexnet')\"",
            "URLError",
        )
    )
    assert list(torch_cache.iterdir()) == []


def test_a_file_in_the_cache_is_taken_if_it_is_the_published_one(torch_cache) -> None:
    torch.save({"weight": torch.ones(2)}, torch_cache / "net.pth")
    digest = sha256_of(torch_cache / "net.pth")
    path = (torch_cache / "net.pth").rename(torch_cache / f"net-{digest[:8]}.pth")

    assert published_file(f"{NOWHERE}/{path.name}", network="net") == path
    assert read_state(path, network="net")["weight"].tolist() == [1, 1]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NetworkUnavailableError, match=f"does not begin with {digest[:8]}.*remove it"):
        published_file(f"{NOWHERE}/{path.name}", network="net")


@pytest.mark.parametrize("content", [b"", b"no weights", "half"])
def test_a_damaged_weight_file_is_no_traceback(tmp_path, content) -> None:
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.ones(200)}, path)
    path.write_bytes(path.read_bytes()[:500] if content == "half" else content)
    with pytest.raises(NetworkUnavailableError, match="net.pth: .*fetch it again"):
        read_state(path, network="net")


def test_a_weight_file_that_holds_code_is_not_run(tmp_path) -> None:
    class Code:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weight": Code()}, tmp_path / "net.pth")
    with pytest.raises(NetworkUnavailableError):
        read_state(tmp_path / "net.pth", network="net")
    assert not (tmp_path / "ran").exists()


def test_a_folder_is_identified_by_its_files(tmp_path) -> None:
    folder = fill(tmp_path / "model", "config.json", "model.safetensors")

    found, weights = hub_folder(str(folder), network="clip")
    (folder / "model.safetensors").write_text("other")

    assert found == folder
    assert weights.startswith("local folder, sha256:")
    assert hub_folder(str(folder), network="clip")[1] != weights


def test_a_folder_without_weights_says_so(tmp_path) -> None:
    folder = fill(tmp_path / "model", "config.json")
    with pytest.raises(
        NetworkUnavailableError, match=r"preprocessor_config.json and model.safetensors missing"
    ):
        hub_folder(str(folder), network="ade20k", needs=("config.json", "preprocessor_config.json"))


@pytest.mark.parametrize(
    "weights", ["model.safetensors", "pytorch_model.bin", "model-00001-of-00002.safetensors"]
)
def test_what_the_hubs_cache_holds_needs_no_connection(hub_cache, weights) -> None:
    snapshot = fill(hub_cache / "models--owner--name" / "snapshots" / REVISION, "config.json", weights)

    found, identity = hub_folder(f"owner/name@{REVISION}", network="clip")

    assert found == snapshot
    assert identity == f"owner/name@{REVISION}"


def test_without_a_connection_the_command_names_repository_files_and_revision(hub_cache) -> None:
    fill(hub_cache / "models--owner--name" / "snapshots" / REVISION, "config.json")
    with pytest.raises(
        NetworkUnavailableError,
        match=f"hf download owner/name config.json model.safetensors --revision {REVISION}",
    ):
        hub_folder(f"owner/name@{REVISION}", network="clip")


@pytest.mark.parametrize(
    "chosen", ["owner/name", "owner/name@", "owner/name@main", f"name@{REVISION}", "/no/such/folder"]
)
def test_weights_that_no_revision_pins_are_refused(chosen) -> None:
    with pytest.raises(NetworkUnavailableError, match="REPOSITORY@REVISION"):
        hub_folder(chosen, network="clip")


def test_a_folder_with_a_damaged_configuration_is_no_traceback(tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = fill(tmp_path / "model", "model.safetensors")
    (folder / "config.json").write_text("{")
    with pytest.raises(NetworkUnavailableError, match="model: .*damaged"):
        load_pretrained(transformers.CLIPVisionModelWithProjection, folder, network="clip")
