"""What a regression needs of each run: products of design and BOLD. The time series are read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from tempgen.generalization.separability.design import LaggedDesign

__all__ = ["RunStatistics", "Sums", "gather_statistics", "units_of_runs"]

LARGEST_BYTES = 2 * 2**30
"""Of the products of design and BOLD; beyond it successive runs share a unit. Source: house choice, a quarter of 8 GB."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Products of some runs, all that a regression and its error need of them.

    Attributes
    ----------
    gram : array of float32, shape (n_columns, n_columns)
    products : array of float32, shape (n_columns, n_voxels)
    squares : array of float64, shape (n_voxels,)
    """

    gram: NDArray[np.float32]
    products: NDArray[np.float32]
    squares: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunStatistics:
    """Sums over the volumes of each unit, which is a run or several successive ones.

    Attributes
    ----------
    gram : array of float64, shape (n_units, n_columns, n_columns)
        ``X'X``.
    products : array of float32, shape (n_units, n_columns, n_voxels)
        ``X'Y``.
    squares : array of float64, shape (n_units, n_voxels)
        ``Y'Y`` of each voxel.
    n_volumes : array of int, shape (n_units,)
    """

    gram: NDArray[np.float64]
    products: NDArray[np.float32]
    squares: NDArray[np.float64]
    n_volumes: NDArray[np.int64]

    def of(self, units: NDArray[np.int64]) -> Sums:
        """Sums over some units."""
        products = self.products[units[0]].copy()
        for unit in units[1:]:
            products += self.products[unit]
        return Sums(
            self.gram[units].sum(axis=0).astype(np.float32), products, self.squares[units].sum(axis=0)
        )

    def block(self, voxels: slice) -> RunStatistics:
        """The same of some voxels."""
        return replace(self, products=self.products[:, :, voxels], squares=self.squares[:, voxels])


def units_of_runs(n_runs: int, *, n_columns: int, n_voxels: int) -> NDArray[np.int64]:
    """Unit of each run: its own, or shared by as many successive runs as keep the products below ``LARGEST_BYTES``."""
    fit = max(1, LARGEST_BYTES // (4 * n_columns * n_voxels))
    return np.arange(n_runs) * min(n_runs, fit) // n_runs


def gather_statistics(
    store: xr.Dataset, design: LaggedDesign, *, runs: Sequence[int], progress: bool = False
) -> RunStatistics:
    """Read the runs of a store one by one and keep their products with the design.

    Parameters
    ----------
    store : Dataset
        ``bold`` (run, volume, voxel), on disk or in memory.
    runs : sequence of int
    progress : bool
        Show a bar over runs.
    """
    n_voxels = store.sizes["voxel"]
    units = units_of_runs(len(runs), n_columns=design.n_columns, n_voxels=n_voxels)
    n_units = int(units[-1]) + 1
    gram = np.zeros((n_units, design.n_columns, design.n_columns))
    products = np.zeros((n_units, design.n_columns, n_voxels), dtype=np.float32)
    squares = np.zeros((n_units, n_voxels))
    n_volumes = np.zeros(n_units, dtype=np.int64)
    bar = tqdm(runs, desc="encoding", unit="run", disable=None if progress else True)
    for unit, run in zip(units, bar, strict=True):
        columns, bold = design.of_run(run), read_run(store, design, run)
        gram[unit] += columns.T @ columns
        products[unit] += columns.T.astype(np.float32) @ bold
        squares[unit] += (bold * bold).sum(axis=0, dtype=np.float64)
        n_volumes[unit] += len(bold)
    return RunStatistics(gram, products, squares, n_volumes)


def read_run(store: xr.Dataset, design: LaggedDesign, run: int) -> NDArray[np.float32]:
    """BOLD of a run without its padding, mean or drift, shape (n_volumes, n_voxels)."""
    bold = store["bold"][run].values[: int(design.run_length[run])]
    return design.cleaned(bold.astype(np.float32, copy=False))
