"""Cells of a result on their way: one small file each, written by whoever scores it, and what they make up at any moment.

An unfinished result is the folder ``NAME.partial``::

    plan.json      what determines the scores; cells of another plan never join them
    layout.zarr    coordinates, attributes and the kinds of variables of the result, without scores
    +0,-3.npz      scores of the cell (train_delta 0, test_delta -3), whole or not at all

Any number of processes write there without a lock: a file appears by renaming, and two that score the same cell write the
same. A damaged file counts as none: the checksums of its members tell.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.files import remove_folder, whole_file, write_zarr

if TYPE_CHECKING:
    import xarray as xr

Cell = tuple[int, int]
LAGS = ("train_delta", "test_delta")
_NAME = re.compile(r"([+-]\d+),([+-]\d+)\.npz")


@dataclass(frozen=True)
class CellFiles:
    """The folder of an unfinished result.

    Attributes
    ----------
    folder : Path
        ``NAME.partial`` of the result.
    """

    folder: Path

    @classmethod
    def of(cls, results: Path) -> CellFiles:
        """Those of the result that will be at ``results``."""
        return cls(results.with_name(results.name + ".partial"))

    @property
    def _plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def _layout(self) -> Path:
        return self.folder / "layout.zarr"

    def plan(self) -> dict[str, Any] | None:
        """What determines the scores that are there; None if nothing was begun, or it is not known any more.

        Where ``plan.json`` is damaged or gone, the layout of a result that says its recipe tells it too.
        """
        plan = _mapping(self._plan_text())
        return self._plan_of_layout() if plan is None else plan

    def _plan_text(self) -> str:
        try:
            return self._plan.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _plan_of_layout(self) -> dict[str, Any] | None:
        if not self.has_layout:
            return None
        import xarray as xr

        try:
            with xr.open_zarr(self._layout, consolidated=False, chunks=None) as layout:
                return _mapping(str(layout.attrs.get("recipe", "")))
        except (OSError, KeyError, ValueError):  # damaged too
            return None

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Say what determines the scores, unless it is said; all that begin must have the same plan."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if _mapping(self._plan_text()) is None:
            with whole_file(self._plan) as temporary:
                temporary.write_text(json.dumps(plan, sort_keys=True), encoding="utf-8")

    def there(self) -> list[Cell]:
        """Cells that have a file, ascending."""
        found = [_NAME.fullmatch(path.name) for path in self.folder.glob("*.npz")]
        return sorted((int(match[1]), int(match[2])) for match in found if match)

    def path(self, cell: Cell) -> Path:
        """The file of a cell."""
        return self.folder / f"{cell[0]:+d},{cell[1]:+d}.npz"

    def read(self, cell: Cell) -> dict[str, NDArray[Any]] | None:
        """Arrays of a cell by name; None if it is not there or its file is damaged."""
        try:
            with np.load(self.path(cell)) as file:
                return {name: file[name] for name in file.files}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def write(self, cell: Cell, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep the arrays of a cell, whole or not at all."""
        with whole_file(self.path(cell)) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)

    def remove(self) -> None:
        """Remove the folder."""
        remove_folder(self.folder)

    @property
    def has_layout(self) -> bool:
        """Whether the result can be opened before it is finished."""
        return self._layout.exists()

    def write_layout(self, result: xr.Dataset, cells: Collection[Cell]) -> None:
        """Say what the result will look like; the first who has scored a cell does.

        Parameters
        ----------
        result : Dataset
            With all coordinates, attributes and variables; its scores do not matter.
        cells : collection of (train_delta, test_delta)
            All that it will hold.
        """
        variables = {
            str(name): {"dims": list(variable.dims), "attrs": variable.attrs}
            for name, variable in result.data_vars.items()
        }
        about = {"variables": variables, "n_cells": len(cells)}
        temporary = self.folder / f".{uuid.uuid4().hex[:8]}.tmp.{self._layout.name}"
        try:
            write_zarr(result.drop_vars(list(variables)).assign_attrs(layout=json.dumps(about)), temporary)
            os.rename(temporary, self._layout)
        except OSError:
            if not self.has_layout:  # else another writer was first
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def gather(self) -> xr.Dataset:
        """The result as far as it is there: NaN in cells that are not.

        Returns
        -------
        Dataset
            As a finished one (see :mod:`tempgen.results`), with the attributes ``n_cells_there`` and ``n_cells``.

        Raises
        ------
        ResultsError
            If no cell is there.
        """
        import xarray as xr

        read = {cell: arrays for cell in self.there() if (arrays := self.read(cell)) is not None}
        if not read or not self.has_layout:
            raise ResultsError(
                f"No cell of {self.folder} is scored yet: 'tempgen status' says how far it is."
            )
        layout = xr.open_zarr(self._layout, consolidated=False, chunks=None).load()
        about = json.loads(layout.attrs.pop("layout"))
        places = {lag: {int(delta): place for place, delta in enumerate(layout[lag].values)} for lag in LAGS}
        variables = {}
        for name, described in about["variables"].items():
            dims = described["dims"]
            rest = [dim for dim in dims if dim not in LAGS]
            values: NDArray[np.float32] | None = None
            for (train, test), arrays in read.items():
                part = arrays[name]
                if values is None:
                    shape = (layout.sizes[LAGS[0]], layout.sizes[LAGS[1]], *part.shape)
                    values = np.full(shape, np.nan, dtype=np.float32)
                values[places[LAGS[0]][train], places[LAGS[1]][test]] = part
            variables[name] = xr.Variable((*LAGS, *rest), values, described["attrs"]).transpose(*dims)
        return layout.assign(variables).assign_attrs(n_cells_there=len(read), n_cells=about["n_cells"])


def _mapping(text: str) -> dict[str, Any] | None:
    """A JSON object; None of a text that is none."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
