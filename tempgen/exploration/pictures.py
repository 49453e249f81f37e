"""What was on the screen around a trial, and what a decoder made of it: read from what lies beside a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.store import has_images, label_names_of, open_store, trials_of
from tempgen.errors import ResultsError
from tempgen.reconstructions import open_reconstructions

__all__ = ["Pictures", "ShownImages"]

KEYS = ["run", "onset_tr"]
"""What tells the trials of a subject apart."""
COLUMN_OF = {"previous": "previous_image", "current": "image_id", "next": "next_image"}
"""Column of the trials table that names the image of a target."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """Images of one trial.

    Attributes
    ----------
    seen : mapping of {"previous", "current", "next"} to array of uint8, shape (row, column, 3), or None
        None where there is no such image, or nothing that holds it.
    names : mapping of the same keys to str
        ``"image 33096"``, the name of a label (``"label 3"`` where it is not known), or ``"none"`` where none came before or
        after.
    reconstruction : array of uint8, shape (row, column, 3), or None
        None where it was not kept.
    """

    seen: dict[str, Image | None]
    names: dict[str, str]
    reconstruction: Image | None


@dataclass(frozen=True)
class ShownImages:
    """Seen images of a subject's trials, and the reconstructions that were kept.

    Attributes
    ----------
    store : Dataset or None
        Time-series store, whose trials and images are those of all trials.
    reconstructions : Dataset or None
        Store of reconstructions; without a time-series store it gives the seen images of the trials that it holds.
    """

    store: xr.Dataset | None = None
    reconstructions: xr.Dataset | None = None

    @classmethod
    def beside(cls, folder: Path) -> ShownImages:
        """What lies in the folder of an analysis; nothing where nothing does."""
        store, kept = folder / "store.zarr", folder / "reconstructions.zarr"
        return cls(
            open_store(store) if store.exists() else None,
            open_reconstructions(kept) if kept.exists() else None,
        )

    def has_kept(self, cell: tuple[int, int]) -> bool:
        """Whether reconstructions of a cell (train_delta, test_delta) were kept."""
        return self._row_and_column(cell) is not None

    def is_kept(self, trials: pd.DataFrame, cell: tuple[int, int]) -> NDArray[np.bool_]:
        """Which trials have a kept reconstruction in a cell, array of bool (n_trials,)."""
        if self.reconstructions is None or not self.has_kept(cell):
            return np.zeros(len(trials), dtype=bool)
        return _positions(_index_of(self.reconstructions), trials) >= 0

    def with_neighbours(self, trials: pd.DataFrame) -> pd.DataFrame:
        """Add ``previous_image`` and ``next_image``: image_ids on the screen before and after, -1 where none is known."""
        known = self._table()
        if known is None:
            return trials.assign(previous_image=-1, next_image=-1)
        place = _positions(known.index, trials)
        columns = {
            name: np.where(place >= 0, known[name].to_numpy()[place], -1)
            for name in ("previous_image", "next_image")
        }
        return trials.assign(**columns)

    def pictures(self, trials: pd.DataFrame, cell: tuple[int, int], *, what: str = "image") -> list[Pictures]:
        """Read the images of some trials.

        Parameters
        ----------
        trials : DataFrame
            With the columns ``run``, ``onset_tr``, ``image_id`` and those of `with_neighbours`.
        cell : (train_delta, test_delta)
            Of the reconstructions.
        what : str
            What trials show, ``"image"`` or ``"label"``.
        """
        ids = np.unique(trials[list(COLUMN_OF.values())].to_numpy())
        images = self._seen(ids[ids >= 0])
        names = self._names()
        reconstructed = self._reconstructed(trials, cell)
        return [
            Pictures(
                seen={target: images.get(int(row[column])) for target, column in COLUMN_OF.items()},
                names={target: _name(int(row[column]), names, what) for target, column in COLUMN_OF.items()},
                reconstruction=image,
            )
            for (_, row), image in zip(trials.iterrows(), reconstructed, strict=True)
        ]

    def _table(self) -> pd.DataFrame | None:
        if self.store is not None:
            return trials_of(self.store).set_index(KEYS)
        if self.reconstructions is not None:
            names = ["previous_image", "next_image"]
            table = {name: self.reconstructions[name].to_numpy() for name in names}
            return pd.DataFrame(table, index=_index_of(self.reconstructions))
        return None

    def _names(self) -> tuple[str, ...]:
        return () if self.store is None else label_names_of(self.store)

    def _seen(self, ids: NDArray[np.int64]) -> dict[int, Image]:
        source: tuple[Any, Any] | None = None
        if self.store is not None and has_images(self.store):
            source = self.store["image_of"].to_numpy(), self.store["image"]
        elif self.reconstructions is not None:
            source = self.reconstructions["image_of"].to_numpy(), self.reconstructions["seen"]
        if source is None:
            return {}
        known, images = source
        there = ids[np.isin(ids, known)]
        pixels = images[np.searchsorted(known, there)].to_numpy()
        return dict(zip(there.tolist(), pixels, strict=True))

    def _row_and_column(self, cell: tuple[int, int]) -> tuple[int, int] | None:
        if self.reconstructions is None:
            return None
        kept = self.reconstructions
        row = np.flatnonzero(kept["train_delta"].to_numpy() == cell[0])
        column = np.flatnonzero(kept["test_delta"].to_numpy() == cell[1])
        if not (row.size and column.size and kept["computed"].to_numpy()[row[0], column[0]]):
            return None
        return int(row[0]), int(column[0])

    def _reconstructed(self, trials: pd.DataFrame, cell: tuple[int, int]) -> list[Image | None]:
        at = self._row_and_column(cell)
        if self.reconstructions is None or at is None:
            return [None] * len(trials)
        place = _positions(_index_of(self.reconstructions), trials)
        there = np.unique(place[place >= 0])
        read = self.reconstructions["reconstruction"][at[0], at[1], there].to_numpy()
        images = dict(zip(there.tolist(), read, strict=True))
        return [images.get(int(k)) for k in place]


def _index_of(reconstructions: xr.Dataset) -> pd.MultiIndex:
    missing = [name for name in KEYS if name not in reconstructions]
    if missing:
        raise ResultsError(
            f"The reconstructions do not say which trials they are of ({', '.join(missing)} is missing). Make them again with "
            "'tempgen reconstruct --overwrite'."
        )
    return pd.MultiIndex.from_arrays([reconstructions[name].to_numpy() for name in KEYS], names=KEYS)


def _positions(index: pd.Index, trials: pd.DataFrame) -> NDArray[np.intp]:
    """Where trials are in an index of run and onset; -1 where they are not."""
    return index.get_indexer(pd.MultiIndex.from_frame(trials[KEYS]))


def _name(image_id: int, names: tuple[str, ...], what: str) -> str:
    if image_id < 0:
        return "none"
    return names[image_id] if image_id < len(names) else f"{what} {image_id}"
