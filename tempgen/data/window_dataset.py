"""Windows as slices of a store: a lag is an integer shift, nothing is extracted twice."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.store import trials_of
from tempgen.errors import WindowOutsideRunError
from tempgen.windows import Window

IN_MEMORY_BYTES = 8 * 2**30
"""BOLD of the trials' runs up to this size is read once and kept (one NSD subject: 6.8 GB)."""


class WindowDataset:
    """BOLD windows of chosen trials at any lag.

    A trial is keyed by its row of the trials table, that is by (subject, session, run, onset).

    Parameters
    ----------
    store : xarray.Dataset
        From :func:`tempgen.data.store.open_store`.
    trials : array of bool, shape (n_trials_of_store,)
        Which trials.
    window : Window
        The unshifted window.

    Attributes
    ----------
    table : DataFrame
        The chosen rows of the trials table.
    """

    def __init__(self, store: xr.Dataset, trials: NDArray[np.bool_], window: Window) -> None:
        self.window = window
        self.table = trials_of(store)[trials]
        self._store = store
        self._runs, self._run_of_trial = np.unique(self.table["run"].to_numpy(), return_inverse=True)
        self._onset_tr = self.table["onset_tr"].to_numpy()
        self._run_length = self.table["run_length"].to_numpy()
        n_bytes = len(self._runs) * store["bold"][0].nbytes
        self._bold = store["bold"][self._runs].values if n_bytes <= IN_MEMORY_BYTES else None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def n_voxels(self) -> int:
        """Voxels of each volume."""
        return int(self._store.sizes["voxel"])

    def volume(self, offset_tr: int) -> NDArray[np.float32]:
        """The volume ``offset_tr`` TRs after each trial's onset.

        Returns
        -------
        array of float32, shape (n_trials, n_voxels)

        Raises
        ------
        WindowOutsideRunError
            If a trial's run does not have that volume.
        """
        rows = self.table["onset_tr"].to_numpy() + offset_tr
        outside = (rows < 0) | (rows >= self.table["run_length"].to_numpy())
        if outside.any():
            raise WindowOutsideRunError(
                f"{int(outside.sum())} of {len(rows)} trials have no volume {offset_tr} TRs after their onset in their run. "
                "Choose trials with usable_trials or split_trials."
            )
        if self._bold is not None:
            return self._bold[self._run_of_trial, rows]
        volumes = np.empty((len(rows), self.n_voxels), dtype=np.float32)
        for position, run in enumerate(self._runs):
            chosen = self._run_of_trial == position
            volumes[chosen] = self._store["bold"][int(run)].values[rows[chosen]]
        return volumes

    def windows(self, delta: int = 0) -> NDArray[np.float32]:
        """Windows shifted by ``delta`` TRs.

        Returns
        -------
        array of float32, shape (n_trials, n_tr, n_voxels)
        """
        return np.stack([self.volume(offset) for offset in self.window.offsets([delta])], axis=1)

    def windows_of(self, rows: NDArray[np.int64], delta: int = 0) -> NDArray[np.float32]:
        """Windows of some of the trials, shifted by ``delta`` TRs: slices of the store, nothing else is read.

        Parameters
        ----------
        rows : array of int, shape (n,)
            Positions in ``table``.

        Returns
        -------
        array of float32, shape (n, n_tr, n_voxels)

        Raises
        ------
        WindowOutsideRunError
            If a window leaves its run.
        """
        first = self._onset_tr[rows] + self.window.start_tr + delta
        outside = (first < 0) | (first + self.window.n_tr > self._run_length[rows])
        if outside.any():
            raise WindowOutsideRunError(
                f"{int(outside.sum())} of {len(rows)} windows at delta {delta} leave their run. "
                "Choose trials with usable_trials or split_trials."
            )
        if self._bold is not None:
            volumes = first[:, np.newaxis] + np.arange(self.window.n_tr)
            return self._bold[self._run_of_trial[rows][:, np.newaxis], volumes]
        windows = np.empty((len(rows), self.window.n_tr, self.n_voxels), dtype=np.float32)
        for position, (row, start) in enumerate(zip(rows, first, strict=True)):
            run = int(self._runs[self._run_of_trial[row]])
            windows[position] = self._store["bold"][run, start : start + self.window.n_tr].values
        return windows
