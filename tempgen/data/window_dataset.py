"""Windows as slices of a store: a lag is an integer shift, nothing is extracted twice."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.betas.volumes import refuse_volumes_without_betas
from tempgen.data.decoder_inputs import DecoderInputs
from tempgen.data.store import trials_of
from tempgen.errors import WindowOutsideRunError
from tempgen.windows import Window

IN_MEMORY_BYTES = 8 * 2**30
"""Time series of the trials' runs up to this size are read once and kept (one NSD subject: 6.8 GB)."""
ALL_VOXELS = DecoderInputs()


class WindowDataset:
    """Windows of chosen trials at any lag.

    A trial is keyed by its row of the trials table, that is by (subject, session, run, onset).

    Parameters
    ----------
    store : xarray.Dataset
        From :func:`tempgen.data.store.open_store`.
    trials : array of bool, shape (n_trials_of_store,)
        Which trials.
    window : Window
        The unshifted window.
    inputs : DecoderInputs
        What is seen at each volume: all voxels unless given. Below, "voxels" are its columns, whatever they are.

    Attributes
    ----------
    table : DataFrame
        The chosen rows of the trials table.
    """

    def __init__(
        self,
        store: xr.Dataset,
        trials: NDArray[np.bool_],
        window: Window,
        inputs: DecoderInputs = ALL_VOXELS,
    ) -> None:
        self.window = window
        self._store = store
        self.table = trials_of(store)[trials]
        self._series, self._columns = store[inputs.series], inputs.columns
        self._runs, self._run_of_trial = np.unique(self.table["run"].to_numpy(), return_inverse=True)
        self._onset_tr = self.table["onset_tr"].to_numpy()
        self._run_length = self.table["run_length"].to_numpy()
        n_bytes = len(self._runs) * self._series.sizes["volume"] * self.n_voxels * self._series.dtype.itemsize
        self._in_memory = self._read_runs() if n_bytes <= IN_MEMORY_BYTES else None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def n_voxels(self) -> int:
        """Voxels (or other columns) of each volume."""
        return int(self._series.shape[2] if self._columns is None else self._columns.sum())

    def _read_runs(self) -> NDArray[np.float32]:
        """All runs of the trials, shape (n_runs, n_volumes, n_voxels)."""
        if self._columns is None:
            return np.asarray(self._series[self._runs].values)
        runs = np.empty((len(self._runs), self._series.sizes["volume"], self.n_voxels), np.float32)
        for position, run in enumerate(self._runs):  # one by one, so that the voxels left out take no memory
            runs[position] = self._read(int(run))
        return runs

    def _read(self, run: int, volumes: slice = slice(None)) -> NDArray[np.float32]:
        """Volumes of one run of the store, shape (n_volumes, n_voxels)."""
        values = np.asarray(self._series[run, volumes].values)
        return values if self._columns is None else values[:, self._columns]

    def _check_offsets(self, offsets: tuple[int, ...]) -> None:
        if self._series.name == "bold":
            refuse_volumes_without_betas(self._store, offsets)

    def volume(self, offset_tr: int) -> NDArray[np.float32]:
        """The volume ``offset_tr`` TRs after each trial's onset.

        Returns
        -------
        array of float32, shape (n_trials, n_voxels)

        Raises
        ------
        WindowOutsideRunError
            If a trial's run does not have that volume.
        ConfigError
            If the store holds betas, and none at that volume.
        """
        self._check_offsets((offset_tr,))
        rows = self.table["onset_tr"].to_numpy() + offset_tr
        outside = (rows < 0) | (rows >= self.table["run_length"].to_numpy())
        if outside.any():
            raise WindowOutsideRunError(
                f"{int(outside.sum())} of {len(rows)} trials have no volume {offset_tr} TRs after their onset in their run. "
                "Choose trials with usable_trials or split_trials."
            )
        if self._in_memory is not None:
            return self._in_memory[self._run_of_trial, rows]
        volumes = np.empty((len(rows), self.n_voxels), dtype=np.float32)
        for position, run in enumerate(self._runs):
            chosen = self._run_of_trial == position
            volumes[chosen] = self._read(int(run))[rows[chosen]]
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
        ConfigError
            If the store holds betas, and none at a volume of the window.
        """
        self._check_offsets(self.window.offsets([delta]))
        first = self._onset_tr[rows] + self.window.start_tr + delta
        outside = (first < 0) | (first + self.window.n_tr > self._run_length[rows])
        if outside.any():
            raise WindowOutsideRunError(
                f"{int(outside.sum())} of {len(rows)} windows at delta {delta} leave their run. "
                "Choose trials with usable_trials or split_trials."
            )
        if self._in_memory is not None:
            volumes = first[:, np.newaxis] + np.arange(self.window.n_tr)
            return self._in_memory[self._run_of_trial[rows][:, np.newaxis], volumes]
        windows = np.empty((len(rows), self.window.n_tr, self.n_voxels), dtype=np.float32)
        for position, (row, start) in enumerate(zip(rows, first, strict=True)):
            run = int(self._runs[self._run_of_trial[row]])
            windows[position] = self._read(run, slice(start, start + self.window.n_tr))
        return windows
