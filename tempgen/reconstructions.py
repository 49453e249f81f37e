"""Reconstructions beside their seen images: one labelled array of images per analysis, in a zarr folder.

Dimensions and variables
------------------------
- ``reconstruction`` (train_delta, test_delta, trial, row, column, rgb), uint8: what a decoder trained at one lag made of
  the window at another; all zeros in cells that were not computed.
- ``computed`` (train_delta, test_delta), bool: which cells were. **General** is the row ``general_delta``, **Specialized** the diagonal.
- ``seen`` (image, row, column, rgb), uint8, with ``image_of`` (image) = image_id, ascending: the seen images of the trials
  and of their neighbours, each once, at the size of the reconstructions.
- Coordinates of the trials: ``image_id``, ``previous_image`` and ``next_image`` (-1 for none), ``repetition``, ``run``, ...
- Attributes say how they were made (numbers and text).

An unfinished store is ``NAME.partial``: its cells are marked done one by one, so a killed reconstruction goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen._version import __version__
from tempgen.errors import ResultsError
from tempgen.files import remove_folder, replace_folder, whole_file, write_zarr

if TYPE_CHECKING:
    import xarray as xr

RECONSTRUCTIONS_FORMAT = 1
"""Changes when an older store of reconstructions can no longer be read."""
DIMS = ("train_delta", "test_delta", "trial", "row", "column", "rgb")
_CHUNK_BYTES = 16 * 2**20  # trials of one cell that are read and written together
Cell = tuple[int, int]


def reconstructions_bytes(*, n_cells: int, n_trials: int, image_size: int) -> int:
    """Bytes of kept reconstructions: three for each pixel (they hardly compress).

    Examples
    --------
    The General row and the diagonal of an NSD subject's 2,800 test trials at 224 pixels a side:

    >>> round(reconstructions_bytes(n_cells=31, n_trials=2800, image_size=224) / 1e9, 1)
    13.1
    """
    return n_cells * n_trials * image_size * image_size * 3


def check_room(
    *, n_cells: int, n_trials: int, image_size: int, limit_gb: float, keys: tuple[str, str]
) -> str:
    """What keeping reconstructions will take, in a line for the terminal.

    Parameters
    ----------
    limit_gb : float
        Bound in gigabytes (1e9 bytes).
    keys : (str, str)
        Names of the settings that hold the number of trials kept and the bound, for the message.

    Raises
    ------
    ResultsError
        If it is more than the bound; the message says how many trials would fit.
    """
    n_bytes = reconstructions_bytes(n_cells=n_cells, n_trials=n_trials, image_size=image_size)
    size = (
        f"{n_cells} cells x {n_trials} trials x {image_size} x {image_size} x 3 bytes = {_in_words(n_bytes)}"
    )
    limit = round(limit_gb * 1e9)
    if n_bytes > limit:
        fitting = limit // (n_bytes // n_trials)
        raise ResultsError(
            f"Keeping the reconstructions would take {size}, more than {keys[1]} ({limit_gb:g} GB). Keep fewer trials "
            f"({keys[0]}: at most {fitting}), ask for fewer lags or smaller images (evaluation.image_size), or raise {keys[1]}."
        )
    return f"reconstructions to keep: {size}"


def _in_words(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images in [0, 1] as bytes, rounded to the nearest level; bytes come back as they are."""
    if images.dtype == np.uint8:
        return images
    return np.asarray((np.asarray(images, dtype=np.float32) * 255 + np.float32(0.5)).clip(0, 255), np.uint8)


@dataclass(frozen=True)
class ReconstructionWriter:
    """A store of reconstructions that grows by cells; `begin` makes or resumes one, `finish` puts it into its place.

    Attributes
    ----------
    path : Path
        Where the finished store will be.
    cells : collection of (train_delta, test_delta)
        What it will hold.
    """

    path: Path
    cells: frozenset[Cell]

    @classmethod
    def begin(
        cls,
        path: Path,
        layout: xr.Dataset,
        *,
        cells: Collection[Cell],
        image_size: int,
        recipe: Mapping[str, Any],
    ) -> ReconstructionWriter:
        """Make an unfinished store, or go on with one that was begun in the same way.

        Parameters
        ----------
        path : Path
            Of the finished store.
        layout : Dataset
            Everything but the reconstructions: coordinates of lags and trials, ``seen`` and ``image_of``, attributes.
        cells : collection of (train_delta, test_delta)
            Which will be written.
        image_size : int
            Height and width of the reconstructions (pixels).
        recipe : mapping
            What determines the images, as plain values; an unfinished store of another recipe starts anew.
        """
        import zarr

        writer = cls(path, frozenset(cells))
        plan = writer.partial / "plan.json"
        text = json.dumps({"recipe": recipe, "cells": sorted(map(list, cells))}, sort_keys=True)
        whole = plan.is_file() and (writer.partial / "store").is_dir()  # a killed `finish` leaves no store
        if whole and plan.read_text(encoding="utf-8") == text:
            return writer
        remove_folder(writer.partial)
        (writer.partial / "done").mkdir(parents=True)
        n_trials = layout.sizes["trial"]
        shape = (
            layout.sizes["train_delta"],
            layout.sizes["test_delta"],
            n_trials,
            image_size,
            image_size,
            3,
        )
        marks = layout.assign_attrs(
            recipe=json.dumps(recipe, sort_keys=True),
            reconstructions_format=RECONSTRUCTIONS_FORMAT,
            tempgen_version=__version__,
        )
        wanted = np.array(
            [
                [(int(train), int(test)) in writer.cells for test in layout["test_delta"]]
                for train in layout["train_delta"]
            ]
        )
        write_zarr(marks.assign(computed=(DIMS[:2], wanted)), writer.partial / "store")
        zarr.open_group(writer.partial / "store", mode="a").create_array(
            "reconstruction",
            shape=shape,
            chunks=(1, 1, max(1, min(n_trials, _CHUNK_BYTES // (image_size**2 * 3))), *shape[3:]),
            dtype="uint8",
            fill_value=0,
            dimension_names=DIMS,
            attributes={"long_name": "reconstruction", "units": "1"},
        )
        with whole_file(plan) as temporary:  # last: without it all starts anew
            temporary.write_text(text, encoding="utf-8")
        return writer

    @property
    def partial(self) -> Path:
        """Where the unfinished store waits."""
        return self.path.with_name(self.path.name + ".partial")

    def _marker(self, cell: Cell) -> Path:
        return self.partial / "done" / f"{cell[0]:+d},{cell[1]:+d}"

    @property
    def missing(self) -> set[Cell]:
        """Cells that are not written yet."""
        return {cell for cell in self.cells if not self._marker(cell).exists()}

    def write(self, cell: Cell, images: NDArray[Any]) -> None:
        """Write the reconstructions of one cell: (n_trials, height, width, 3), floats in [0, 1] or bytes.

        Raises
        ------
        ResultsError
            If the cell was not planned, or the images have another shape.
        """
        import zarr

        if cell not in self.cells:
            raise ResultsError(f"Reconstructions came for cell {cell}, which the store was not begun for.")
        group = zarr.open_group(self.partial / "store", mode="a")
        array: Any = group["reconstruction"]
        if images.shape != array.shape[2:]:
            raise ResultsError(
                f"Reconstructions of cell {cell} have shape {images.shape}, the store was begun for {array.shape[2:]}."
            )
        row, column = (
            int(np.flatnonzero(np.asarray(group[name]) == delta)[0])
            for name, delta in zip(DIMS[:2], cell, strict=True)
        )
        array[row, column] = as_bytes(images)
        self._marker(cell).touch()

    def finish(self) -> Path:
        """Put the store into its place, where it replaces an older one.

        Raises
        ------
        ResultsError
            If a cell is missing.
        """
        if missing := self.missing:
            raise ResultsError(f"{len(missing)} cells of {self.path} are not written, e.g. {min(missing)}.")
        replace_folder(self.partial / "store", self.path)
        remove_folder(self.partial)
        return self.path


def open_reconstructions(path: Path | str) -> xr.Dataset:
    """Open a store of reconstructions lazily.

    Parameters
    ----------
    path : Path or str
        A zarr folder of ``tempgen reconstruct``, or the folder of an analysis.

    Returns
    -------
    xarray.Dataset
        See the module's docstring; images are read when indexed.

    Raises
    ------
    ResultsError
        If there is none, it is unfinished, no store of reconstructions, or of another format.
    """
    import xarray as xr

    path = Path(path)
    if path.name != "reconstructions.zarr" and not (path / "zarr.json").exists():
        path = path / "reconstructions.zarr"
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        hint = f" It is unfinished ({partial} is there)." if partial.exists() else ""
        raise ResultsError(
            f"There are no reconstructions {path}.{hint} Make them with 'tempgen reconstruct', which goes on where it was."
        )
    try:
        reconstructions = xr.open_zarr(path, consolidated=False, chunks=None)
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(
            f"{path} is no store of reconstructions ({error}). Make one with 'tempgen reconstruct'."
        ) from error
    found = reconstructions.attrs.get("reconstructions_format")
    if found != RECONSTRUCTIONS_FORMAT:
        raise ResultsError(
            f"{path} has reconstructions format {found} (tempgen {reconstructions.attrs.get('tempgen_version', 'unknown')}), "
            f"this version reads {RECONSTRUCTIONS_FORMAT}. Make it again with 'tempgen reconstruct --overwrite'."
        )
    return reconstructions
