"""The store of reconstructions: cell by cell, whole or unfinished, bounded in size."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import lag_images
from tempgen.reconstructions import (
    ReconstructionWriter,
    as_bytes,
    check_room,
    open_reconstructions,
    reconstructions_bytes,
)

CELLS = {(0, -1), (0, 0), (0, 1), (1, 1)}
SIZE = 8


def layout(n_trials=3):
    return xr.Dataset(
        {"seen": (("image", "row", "column", "rgb"), np.full((4, SIZE, SIZE, 3), 7, dtype=np.uint8))},
        coords={
            "train_delta": [0, 1],
            "test_delta": [-1, 0, 1],
            "lag_s": ("test_delta", [9.3, 10.7, 12.0]),
            "image_of": ("image", [10, 20, 30, 40]),
            "image_id": ("trial", np.array([20, 30, 40])[:n_trials]),
            "previous_image": ("trial", np.array([10, 20, -1])[:n_trials]),
            "next_image": ("trial", np.array([30, -1, 30])[:n_trials]),
        },
        attrs={"general_delta": 0},
    )


def begin(path, *, cells=CELLS, recipe=None, **options):
    return ReconstructionWriter.begin(
        path, layout(**options), cells=cells, image_size=SIZE, recipe=recipe or {"seed": 0}
    )


def images_of(cell):
    """Images of one colour that says the cell."""
    return np.full((3, SIZE, SIZE, 3), (40 * (cell[0] + 1) + 10 * (cell[1] + 1)) / 255, dtype=np.float32)


def write_all(writer):
    for cell in sorted(writer.missing):
        writer.write(cell, images_of(cell))


@pytest.fixture
def finished(tmp_path):
    writer = begin(tmp_path / "reconstructions.zarr")
    write_all(writer)
    return open_reconstructions(writer.finish())


def test_each_cell_holds_what_was_written_and_others_are_black(finished):
    assert finished["reconstruction"].dtype == np.uint8
    for train in (0, 1):
        for test in (-1, 0, 1):
            pixels = finished["reconstruction"].sel(train_delta=train, test_delta=test).values
            expected = 40 * (train + 1) + 10 * (test + 1) if (train, test) in CELLS else 0
            assert (pixels == expected).all()
            assert bool(finished["computed"].sel(train_delta=train, test_delta=test)) == (
                (train, test) in CELLS
            )


def test_stopped_writing_goes_on_with_the_cells_that_are_missing(tmp_path):
    path = tmp_path / "reconstructions.zarr"
    writer = begin(path)
    writer.write((0, 0), images_of((0, 0)))
    with pytest.raises(ResultsError, match="unfinished"):
        open_reconstructions(path)
    with pytest.raises(ResultsError, match="3 cells"):
        writer.finish()
    again = begin(path)
    assert again.missing == CELLS - {(0, 0)}
    write_all(again)
    again.finish()
    assert (open_reconstructions(path)["reconstruction"].sel(train_delta=0, test_delta=0) == 50).all()
    assert not again.partial.exists()


class Killed(BaseException):
    """Nothing on the way may swallow it."""


def killed(_):
    raise Killed


def test_killed_while_making_room_nothing_half_removed_is_taken_for_done(tmp_path, monkeypatch):
    path = tmp_path / "reconstructions.zarr"
    begin(path).write((0, 0), images_of((0, 0)))
    removed = shutil.rmtree

    def half(folder, **_):
        removed(folder / "store" / "reconstruction" / "c")
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", half)
        with pytest.raises(Killed):
            begin(path, recipe={"seed": 1})

    again = begin(path)
    write_all(again)
    again.finish()
    assert (open_reconstructions(path)["reconstruction"].sel(train_delta=0, test_delta=0) == 50).all()


def test_finishing_that_was_killed_can_be_repeated(tmp_path, monkeypatch):
    path = tmp_path / "reconstructions.zarr"
    writer = begin(path)
    write_all(writer)
    with monkeypatch.context() as patched:
        patched.setattr("tempgen.reconstructions.remove_folder", killed)
        with pytest.raises(Killed):
            writer.finish()
    shutil.rmtree(path)  # the user wants them anew

    again = begin(path)
    write_all(again)
    again.finish()
    assert (open_reconstructions(path)["reconstruction"].sel(train_delta=0, test_delta=0) == 50).all()


@pytest.mark.parametrize("change", [{"recipe": {"seed": 1}}, {"cells": {(0, 0)}}])
def test_writing_of_other_images_starts_anew(tmp_path, change):
    path = tmp_path / "reconstructions.zarr"
    begin(path).write((0, 0), images_of((0, 0)))
    assert (0, 0) in begin(path, **change).missing


def test_finished_store_stays_until_the_new_one_is_whole(finished, tmp_path):
    path = tmp_path / "reconstructions.zarr"
    writer = begin(path, recipe={"seed": 1})
    assert json.loads(open_reconstructions(path).attrs["recipe"]) == {"seed": 0}
    write_all(writer)
    writer.finish()
    assert json.loads(open_reconstructions(path).attrs["recipe"]) == {"seed": 1}


def test_cell_or_shape_that_was_not_planned_is_refused(tmp_path):
    writer = begin(tmp_path / "r.zarr")
    with pytest.raises(ResultsError, match=r"cell \(1, 0\)"):
        writer.write((1, 0), images_of((1, 0)))
    with pytest.raises(ResultsError, match=r"shape \(2, 8, 8, 3\)"):
        writer.write((0, 0), images_of((0, 0))[:2])


def test_bytes_are_rounded_to_the_nearest_level():
    np.testing.assert_array_equal(as_bytes(np.float32([0, 0.5, 1, 1.2, -1])), [0, 128, 255, 255, 0])
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_bytes(levels / np.float32(255)), levels)


def test_size_told_is_the_size_of_the_images(finished):
    assert reconstructions_bytes(n_cells=4, n_trials=3, image_size=SIZE) == (
        finished["reconstruction"].isel(train_delta=0, test_delta=0).nbytes * 4
    )


def test_bound_is_exact_and_its_message_says_what_fits():
    options = {"n_cells": 4, "image_size": SIZE, "keys": ("KEEP", "BOUND")}
    limit_gb = 4 * 10 * SIZE * SIZE * 3 / 1e9
    assert "10 trials" in check_room(n_trials=10, limit_gb=limit_gb, **options)
    with pytest.raises(ResultsError, match=r"KEEP: at most 10.*raise BOUND"):
        check_room(n_trials=11, limit_gb=limit_gb, **options)


def test_what_is_no_store_of_reconstructions_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="tempgen reconstruct"):
        open_reconstructions(tmp_path)
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "other.zarr", consolidated=False)
    with pytest.raises(ResultsError, match="format None"):
        open_reconstructions(tmp_path / "other.zarr")


def test_lag_images_are_a_row_or_the_diagonal_beside_what_was_seen(finished):
    general = lag_images(finished, decoder="general")
    assert general["test_delta"].values.tolist() == [-1, 0, 1]
    assert general["reconstruction"].values[:, 0, 0, 0, 0].tolist() == [40, 50, 60]
    specialized = lag_images(finished, decoder="specialized")
    assert specialized["test_delta"].values.tolist() == [0, 1]
    assert specialized["reconstruction"].values[:, 0, 0, 0, 0].tolist() == [50, 100]
    np.testing.assert_array_equal(general["shown"].sel(target="previous"), [True, True, False])
    assert not general["seen"].sel(target="next").values[1].any()


def test_trials_with_both_neighbours_are_chosen_first(finished):
    assert lag_images(finished, n_trials=1)["image_id"].values.tolist() == [20]
    assert lag_images(finished, n_trials=2)["image_id"].values.tolist() == [20, 30]
    with pytest.raises(ResultsError, match="no reconstructions at test lags"):
        lag_images(finished, deltas=[7])
