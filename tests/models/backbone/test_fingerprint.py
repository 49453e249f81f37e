"""Tests of tempgen.models.backbone.fingerprint: the same weights are the same backbone, others are not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tempgen.models.backbone import fingerprint as module
from tempgen.models.backbone import load_backbone
from tests.models.backbone.tiny_versatile import save_tiny_versatile

REVISION = "b" * 40


def revision_of(folder: Path) -> str:
    return load_backbone(folder, parts=()).spec.revision


def test_a_copy_has_the_same_fingerprint_and_other_weights_another(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    save_tiny_versatile(tmp_path / "other", seed=1)

    first = revision_of(tmp_path / "first")

    assert first.startswith("sha256:")
    assert revision_of(tmp_path / "copy") == first
    assert revision_of(tmp_path / "other") != first


def test_one_changed_byte_of_the_unet_changes_the_fingerprint(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    first = revision_of(tmp_path)
    weights = tmp_path / "image_unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())

    content[-1] ^= 1
    weights.write_bytes(content)

    assert revision_of(tmp_path) != first


def test_files_too_large_to_read_whole_are_told_apart_by_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(module, "PIECE_BYTES", 10)
    weights = tmp_path / "weights.bin"
    prints = set()
    for first, last, size in [(0, 0, 5000), (1, 0, 5000), (0, 1, 5000), (0, 0, 5001)]:
        weights.write_bytes(bytes([first]) + bytes(size - 2) + bytes([last]))
        prints.add(module.fingerprint(tmp_path, [weights]))

    assert len(prints) == 4


def note_download(folder: Path, revision: str) -> None:
    """Notes that ``hf download --local-dir`` leaves beside each file: revision, etag, time."""
    for path in [*folder.glob("*/*.json"), *folder.glob("*/*.safetensors")]:
        name = path.relative_to(folder)
        note = folder / ".cache" / "huggingface" / "download" / name.with_name(f"{name.name}.metadata")
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{revision}\netag\n{path.stat().st_mtime}\n")


def test_a_downloaded_folder_has_the_hubs_revision_until_it_is_changed(tmp_path: Path) -> None:
    save_tiny_versatile(tmp_path)
    note_download(tmp_path, REVISION)
    assert revision_of(tmp_path) == REVISION

    weights = tmp_path / "image_unet" / "diffusion_pytorch_model.safetensors"
    later = weights.stat().st_mtime + 10
    os.utime(weights, (later, later))

    assert revision_of(tmp_path).startswith("sha256:")


def test_the_clients_own_note_is_understood(tmp_path: Path) -> None:
    """The format of the note is the hub client's; this fails if a later client changes it."""
    local_folder = pytest.importorskip("huggingface_hub._local_folder")
    save_tiny_versatile(tmp_path)
    for path in [*tmp_path.glob("*/*.json"), *tmp_path.glob("*/*.safetensors")]:
        name = str(path.relative_to(tmp_path))
        local_folder.write_download_metadata(tmp_path, name, commit_hash=REVISION, etag="etag")

    assert revision_of(tmp_path) == REVISION
