"""Seen images of a BIDS dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tempgen.data.bids import open_bids
from tempgen.errors import SourceDataError
from tests.data.bids.datasets import Rows, write_run


def write_image(path: Path, size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def stimulus_rows(*names: str) -> Rows:
    return [{"onset": 4.0 * k, "duration": 1, "stim_file": name} for k, name in enumerate(names)]


def test_stimulus_files_become_seen_images_by_rank_of_their_name(tmp_path: Path, mask: Path) -> None:
    write_image(tmp_path / "stimuli" / "b.png", (40, 20), (0, 0, 255))
    write_image(tmp_path / "stimuli" / "set" / "a.png", (40, 20), (255, 0, 0))
    write_run(tmp_path, "task-view", stimulus_rows("set/a.png", "b.png", "set/a.png"))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.trials["image_id"].tolist() == [1, 0, 1]
    assert source.label_names == ()
    assert source.read_images is not None
    images = source.read_images(np.array([1, 0]), 16)
    assert images.shape == (2, 8, 16, 3)  # proportions kept
    assert images.dtype == np.uint8
    assert images[:, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert source.read_images(np.array([0]), 100).shape == (1, 20, 40, 3)  # never enlarged


def test_images_of_different_sizes_become_central_squares_of_the_shortest_side(
    tmp_path: Path, mask: Path
) -> None:
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 200  # the central square
    (tmp_path / "stimuli").mkdir()
    Image.fromarray(wide).save(tmp_path / "stimuli" / "wide.png")
    write_image(tmp_path / "stimuli" / "tall.png", (30, 50), (10, 20, 30))
    write_run(tmp_path, "task-view", stimulus_rows("wide.png", "tall.png"))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.read_images is not None
    images = source.read_images(np.array([0, 1]), 64)
    assert images.shape == (2, 20, 20, 3)
    assert (images[1] == 200).all()
    assert "central squares" in source.notes["stimuli"]


def test_grey_images_and_palettes_become_colour(tmp_path: Path, mask: Path) -> None:
    write_image(tmp_path / "stimuli" / "colour.png", (8, 8), (9, 8, 7))
    Image.new("L", (8, 8), 77).save(tmp_path / "stimuli" / "grey.png")
    write_run(tmp_path, "task-view", stimulus_rows("stimuli/colour.png", "bids::stimuli/grey.png"))
    source = open_bids(tmp_path, "01", mask=mask)
    assert source.read_images is not None
    assert source.read_images(np.array([0, 1]), 8)[:, 0, 0].tolist() == [[77, 77, 77], [9, 8, 7]]


def test_an_image_outside_the_stimuli_is_refused(tmp_path: Path, mask: Path) -> None:
    write_image(tmp_path / "stimuli" / "a.png", (8, 8), (9, 8, 7))
    write_run(tmp_path, "task-view", stimulus_rows("a.png"))
    read_images = open_bids(tmp_path, "01", mask=mask).read_images
    assert read_images is not None
    for image_id in (-1, 1):
        with pytest.raises(SourceDataError, match=rf"Image {image_id} was asked for"):
            read_images(np.array([0, image_id]), 8)


def test_stimulus_files_that_are_missing_or_no_images_are_refused(tmp_path: Path, mask: Path) -> None:
    write_run(tmp_path, "task-view", stimulus_rows("a.png", "b.png"))
    with pytest.raises(SourceDataError, match=r"2 of 2 stimulus files are missing, the first is .*a\.png"):
        open_bids(tmp_path, "01", mask=mask)
    (tmp_path / "stimuli").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "stimuli" / name).write_bytes(b"no image")
    with pytest.raises(SourceDataError, match=r"a\.png cannot be read as an image"):
        open_bids(tmp_path, "01", mask=mask)
