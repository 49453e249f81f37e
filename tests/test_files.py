import shutil

import numpy as np
import pytest
import xarray as xr

from tempgen.files import remove_folder, whole_file, whole_folder, write_zarr


def fail_halfway(whole, place):
    """Write half of a file, then run out of disk."""
    with whole as temporary:
        place(temporary).write_text("half")
        raise OSError("disk full")


def test_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "result.txt"
    with whole_file(path) as temporary:
        temporary.write_text("done")
        assert not path.exists()
        assert temporary.suffix == path.suffix
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def test_failed_file_leaves_the_old_one_and_no_litter(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        fail_halfway(whole_file(path), lambda temporary: temporary)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_folder_leaves_the_old_one_and_no_litter(tmp_path):
    path = tmp_path / "decoder"
    with whole_folder(path) as temporary:
        (temporary / "weights").write_text("old")
    with pytest.raises(OSError, match="disk full"):
        fail_halfway(whole_folder(path), lambda temporary: temporary / "weights")
    assert (path / "weights").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "decoder"
    for names in (("a", "b"), ("c",)):
        with whole_folder(path) as temporary:
            for name in names:
                (temporary / name).write_text(name)
    assert [item.name for item in path.iterdir()] == ["c"]
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_is_being_removed_does_not_bear_its_name(tmp_path, monkeypatch):
    path = tmp_path / "decoder"
    path.mkdir()
    there = []
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_, **__: there.append(path.exists()))
        remove_folder(path)
    assert there == [False]


def test_of_a_link_the_link_alone_is_removed(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").symlink_to("theirs")
    remove_folder(tmp_path / "ours")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_folder_that_is_not_there_is_removed_without_a_trace(tmp_path):
    remove_folder(tmp_path / "parent" / "decoder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [np.array(["a", "bcd"]), np.array(["a", "bcd"], dtype=object)])
def test_text_and_numbers_survive_zarr(tmp_path, text, recwarn):
    dataset = xr.Dataset({"score": ("trial", [1.0, np.nan])}, coords={"subject": ("trial", text)})
    write_zarr(dataset, tmp_path / "d.zarr")
    read = xr.open_zarr(tmp_path / "d.zarr", consolidated=False, chunks=None).load()
    assert read["subject"].values.tolist() == ["a", "bcd"]
    np.testing.assert_array_equal(read["score"], dataset["score"])
    assert not [warning for warning in recwarn if "specification" in str(warning.message)]
