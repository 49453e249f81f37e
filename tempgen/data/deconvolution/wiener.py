"""Wiener deconvolution: the neural activity that a voxel's BOLD tells of, given its HRF.

On the volume grid, with activity ``a`` that is constant within each TR and 0 before the run,

    y = P (K a + e),    a ~ N(0, s^2 I),    e ~ N(0, lambda s^2 I)

K is the voxel's HRF as a causal Toeplitz matrix, P takes out mean and drift as the store's preparation did. The estimate is the ridge
solution ``a = (K'PK + lambda I)^-1 K'P y``, the Wiener filter of a run of finite length: nothing wraps around, and frequencies that are not in
the data are not invented. ``lambda`` is the ratio of noise to activity, chosen for each voxel by marginal likelihood on training runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen.data.deconvolution.choice import without
from tempgen.data.deconvolution.voxel_hrf import VoxelHrf
from tempgen.data.store_drift import USUAL_DRIFT, StoreDrift

NOISE_RATIOS = np.logspace(-2, 3, 21)
"""Ratios of noise to activity variance that are compared. Source: house choice; from BOLD without noise to BOLD that is nothing else, four a
decade: the filter hardly differs from one to the next."""

_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Deconvolution:
    """How to deconvolve the runs of a store.

    Attributes
    ----------
    hrf : VoxelHrf
    noise_ratio : array, shape (n_voxels,)
        lambda of each voxel.
    noise_share : array, shape (n_voxels,)
        Part of the BOLD's variance that is noise under the model, 0 to 1.
    tr_s : float
    drift : StoreDrift
        That the store's BOLD is without.
    """

    hrf: VoxelHrf
    noise_ratio: NDArray[np.float64]
    noise_share: NDArray[np.float64]
    tr_s: float
    drift: StoreDrift = USUAL_DRIFT
    _filters: dict[tuple[int, int, float], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def apply(self, bold: NDArray[np.floating]) -> NDArray[np.float32]:
        """Activity of one run.

        Parameters
        ----------
        bold : array, shape (n_volumes, n_voxels)

        Returns
        -------
        array of float32, shape (n_volumes, n_voxels)
            ``activity[i]`` is that between volume i and the next.
        """
        activity = np.empty(bold.shape, dtype=np.float32)
        kinds, kind_of_voxel = np.unique(
            np.stack([self.hrf.index, self.noise_ratio]), axis=1, return_inverse=True
        )
        kind_of_voxel = kind_of_voxel.ravel()
        for kind, (member, ratio) in enumerate(kinds.T):
            voxels = np.flatnonzero(kind_of_voxel == kind)
            activity[:, voxels] = self._filter(len(bold), int(member), float(ratio)) @ bold[:, voxels].astype(
                np.float32
            )
        return activity

    def _filter(self, n_volumes: int, member: int, ratio: float) -> NDArray[np.float32]:
        key = (n_volumes, member, ratio)
        if key not in self._filters:
            kernel = self.hrf.library.kernel(self.tr_s)[member]
            self._filters[key] = wiener_filter(
                kernel, noise_ratio=ratio, n_volumes=n_volumes, tr_s=self.tr_s, drift=self.drift
            )
        return self._filters[key]


def wiener_filter(
    kernel: NDArray[np.float64],
    *,
    noise_ratio: float,
    n_volumes: int,
    tr_s: float,
    drift: StoreDrift = USUAL_DRIFT,
) -> NDArray[np.float32]:
    """The matrix that turns a run of BOLD into activity, shape (n_volumes, n_volumes).

    Parameters
    ----------
    kernel : array, shape (n_lags,)
        BOLD at each volume since activity of 1 that fills one TR (:meth:`HrfLibrary.kernel`).
    noise_ratio : float
        lambda, of noise to activity variance.
    drift : StoreDrift
        That the BOLD is without.
    """
    left, singular, right = _decomposition(kernel.tobytes(), n_volumes, tr_s, drift)
    shrunk = singular / (singular**2 + noise_ratio)
    return np.asarray((right.T * shrunk) @ left.T, dtype=np.float32)


def fit_deconvolution(store: xr.Dataset, runs: Sequence[int], hrf: VoxelHrf) -> Deconvolution:
    """Choose each voxel's ratio of noise to activity on training runs, which are read once.

    Parameters
    ----------
    store : xarray.Dataset
        See :mod:`tempgen.data.store`.
    runs : sequence of int
        Runs without any test trial.
    hrf : VoxelHrf
        Of the store's voxels.
    """
    tr_s, drift = float(store.attrs["tr_s"]), StoreDrift.of(store)
    kernels = hrf.library.kernel(tr_s)
    n_voxels = store.sizes["voxel"]
    misfit = np.zeros((len(NOISE_RATIOS), n_voxels))
    log_determinant = np.zeros((len(NOISE_RATIOS), n_voxels))
    eigenvalue = np.zeros(n_voxels)
    n_values = 0
    members = [(member, np.flatnonzero(hrf.index == member)) for member in np.unique(hrf.index)]
    for run in tqdm(list(runs), desc="noise", unit="run", disable=None):
        length = int(store["run_length"].values[run])
        bold = store["bold"][run, :length].values.astype(np.float64)
        n_components = length - drift.basis(length, tr_s=tr_s).shape[1]
        for member, voxels in members:
            left, singular, _ = _decomposition(kernels[member].tobytes(), length, tr_s, drift)
            variance = singular[:n_components] ** 2 + NOISE_RATIOS[:, None]  # (n_ratios, n_components)
            component = left[:, :n_components].T @ bold[:, voxels]
            misfit[:, voxels] += (1 / variance) @ component**2
            log_determinant[:, voxels] += np.log(variance).sum(axis=1, keepdims=True)
            eigenvalue[voxels] += (singular**2).sum()
        n_values += n_components
    # the scale s^2 of the activity at its best for each ratio
    deviance = log_determinant + n_values * np.log(np.maximum(misfit, np.finfo(np.float64).tiny) / n_values)
    ratio = NOISE_RATIOS[deviance.argmin(axis=0)]
    return Deconvolution(hrf, ratio, ratio / (ratio + eigenvalue / n_values), tr_s, drift)


@lru_cache(maxsize=512)
def _decomposition(
    kernel: bytes, n_volumes: int, tr_s: float, drift: StoreDrift
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Singular vectors and values of PK; those of mean and drift are 0 and last."""
    from scipy.linalg import toeplitz

    column = np.zeros(n_volumes)
    values = np.frombuffer(kernel)[:n_volumes]
    column[: len(values)] = values
    response = without(drift.basis(n_volumes, tr_s=tr_s), toeplitz(column, np.zeros(n_volumes)))
    left, singular, right = np.linalg.svd(response)
    return left, np.where(singular > _SMALLEST * singular[0], singular, 0.0), right
