"""Files and folders appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def _beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(
        f".{uuid.uuid4().hex[:8]}.tmp.{path.name}"
    )  # the suffix stays: some writers look at it


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it becomes ``path``, on any error it is removed."""
    temporary = _beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):  # what went wrong before is what matters
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path``; on success it replaces ``path``, on any error it is removed.

    An existing ``path`` stays in place until the new folder is whole.
    """
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, path: Path) -> None:
    """Rename the folder ``new`` to ``path``, moving an older ``path`` out of the way first and deleting it last."""
    old = _beside(path)
    if path.exists():
        os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Rename a folder out of the way, then delete it: whenever this is killed, nothing half deleted bears its name.

    One that is not there, or that another process removes, is left to itself; of a link the link alone goes.
    """
    if path.is_symlink():
        path.unlink()
    if not path.exists():
        return
    old = _beside(path)
    with suppress(FileNotFoundError):
        os.rename(path, old)
    shutil.rmtree(old, ignore_errors=True)


def write_zarr(dataset: xr.Dataset, path: Path, *, mode: str = "w") -> None:
    """Write a dataset as a zarr 3 group, text as variable-length strings (the kind that zarr 3 specifies).

    Parameters
    ----------
    mode : str
        ``"w"`` replaces, ``"a"`` adds to an existing group.
    """
    text = {
        name: variable.astype(object)
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "UT"
    }
    dataset.assign({k: v for k, v in text.items() if k in dataset.data_vars}).assign_coords(
        {k: v for k, v in text.items() if k in dataset.coords}
    ).to_zarr(path, mode=mode, consolidated=False)  # type: ignore[call-overload]
