"""Decoders that one analysis trains and another finds: by a link, or as a copy that is whole."""

import os
import shutil
from pathlib import Path

import pytest

from tempgen.workflow.places import Places
from tempgen.workflow.shared_decoders import share_decoders
from tests.workflow.conftest import analysis_of

FILES = ("config.json", "model.safetensors")


class Killed(BaseException):
    """Nothing on the way may swallow it."""


@pytest.fixture
def two(tmp_path):
    """Places of two analyses, both with a General decoder."""
    places = [Places(analysis_of(tmp_path / name)) for name in ("trained", "tested")]
    for each in places:
        each.decoder(0).mkdir(parents=True)
        for name in FILES:
            (each.decoder(0) / name).write_text(each.folder.name)
    return places


def names(places):
    return sorted(path.name for path in places.decoder(0).glob("*"))


def test_decoders_that_were_half_removed_are_not_taken_for_trained(two, monkeypatch):
    trained, tested = two

    def half(folder, **_):
        next(Path(folder).rglob("model.safetensors")).unlink()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", half)
        with pytest.raises(Killed):
            share_decoders(trained, tested, overwrite=True)
    assert names(tested) == []
    assert share_decoders(trained, tested, overwrite=False)
    assert (tested.decoder(0) / "config.json").read_text() == "trained"


def test_decoders_that_were_half_copied_are_not_taken_for_trained(two, monkeypatch):
    trained, tested = two
    shutil.rmtree(tested.folder)
    copied = shutil.copy2

    def half(source, target, **options):
        if Path(source).name == "model.safetensors":
            raise Killed
        return copied(source, target, **options)

    def no_links(*_, **__):
        raise OSError("this file system has no links")

    monkeypatch.setattr(os, "symlink", no_links)
    with monkeypatch.context() as patched:
        patched.setattr(shutil.copytree, "__defaults__", (False, None, half, False, False))
        with pytest.raises(Killed):
            share_decoders(trained, tested, overwrite=False)
    assert names(tested) == []
    assert not share_decoders(trained, tested, overwrite=False)
    assert names(tested) == list(FILES)
