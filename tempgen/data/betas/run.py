"""Betas of one run: every voxel with the operator, or the ridge, of the HRF that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from tempgen.data.betas.designs import COMPONENTS, Basis, trial_design
from tempgen.data.betas.least_squares import apply_operator, lsa_operator, lss_operator
from tempgen.data.betas.ridge import RidgeRun
from tempgen.data.deconvolution import VoxelHrf
from tempgen.data.deconvolution.choice import onsets_in_run_s
from tempgen.data.store_drift import StoreDrift
from tempgen.errors import ConfigError, StoreError

Method = Literal["lsa", "lss", "ridge"]
METHODS = ("lsa", "lss", "ridge")


@dataclass(frozen=True, eq=False)
class RunDesign:
    """A run's volumes and the regressors of its trials.

    Attributes
    ----------
    series : array of float32, shape (n_volumes, n_voxels)
    regressors : array, shape (n_hrf, n_volumes, n_trials, n_components)
    nuisance : array, shape (n_volumes, n_nuisance)
    """

    series: NDArray[np.float32]
    regressors: NDArray[np.float64]
    nuisance: NDArray[np.float64]

    @classmethod
    def of(
        cls, store: xr.Dataset, trials: pd.DataFrame, run: int, hrf: VoxelHrf, *, basis: Basis
    ) -> RunDesign:
        """Read a run; ``trials`` are all that its regression is to hold."""
        n_volumes, tr_s = int(store["run_length"][run]), float(store.attrs["tr_s"])
        of_run = trials[trials["run"] == run]
        regressors = trial_design(
            hrf.library,
            onsets_in_run_s(of_run, tr_s=tr_s),
            duration_s=hrf.durations_s(of_run),
            basis=basis,
            n_volumes=n_volumes,
            tr_s=tr_s,
        )
        nuisance = StoreDrift.of(store).basis(n_volumes, tr_s=tr_s)
        return cls(np.asarray(store["bold"][run, :n_volumes].values), regressors, nuisance)

    def ridge(self, hrf: int) -> RidgeRun:
        """Ridge that shrinks betas towards the run's mean response, not towards 0, for one HRF of the library.

        The sum of all trials (for each component) is a regressor without penalty. Fraction 1 thus gives the betas of least
        squares all less their mean over trials, which z-scores remove in any case.
        """
        design = self.regressors[hrf]
        return RidgeRun.of(design, np.hstack([self.nuisance, design.sum(axis=1)]))


def check_method(method: str, basis: str, ridge_fraction: ArrayLike | None, *, n_voxels: int) -> None:
    """Refuse names and fractions that do not go together.

    Raises
    ------
    ConfigError
        If the method or basis is unknown, or a fraction is missing, unused, or not one for each voxel.
    """
    if method not in METHODS or basis not in COMPONENTS:
        raise ConfigError(
            f"Method {method!r} and basis {basis!r} came; the method is one of {', '.join(METHODS)}, the basis one of "
            f"{', '.join(COMPONENTS)}."
        )
    if (method == "ridge") != (ridge_fraction is not None):
        raise ConfigError(
            "Method ridge needs a ridge_fraction (a number, or choose_ridge_fractions), the other methods have no use for one."
        )
    if ridge_fraction is not None and np.shape(ridge_fraction) not in {(), (n_voxels,)}:
        raise ConfigError(
            f"Ridge fractions of shape {np.shape(ridge_fraction)} came; one number, or one for each of {n_voxels} voxels is needed."
        )


def betas_of_run(
    run: RunDesign, index: NDArray[np.int64], *, method: Method, ridge_fraction: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Betas of every trial and voxel of a run.

    Parameters
    ----------
    run : RunDesign
    index : array of int, shape (n_voxels,)
        Each voxel's HRF.
    method : {"lsa", "lss", "ridge"}
    ridge_fraction : float or array, shape (n_voxels,)
        For ridge.

    Returns
    -------
    array of float32, shape (n_trials, n_components, n_voxels)
        In units of the series, for a response of peak 1; those of ridge less their mean over trials.

    Raises
    ------
    StoreError
        If least squares all has no single answer.
    """
    betas = np.empty((*run.regressors.shape[2:], len(index)), dtype=np.float32)
    fraction = np.broadcast_to(np.asarray(1.0 if ridge_fraction is None else ridge_fraction), index.shape)
    for hrf in np.unique(index):
        voxels = np.flatnonzero(index == hrf)
        series = run.series[:, voxels]
        if method == "ridge":
            ridge = run.ridge(hrf)
            betas[..., voxels] = ridge.betas(ridge.coordinates(series), fraction[voxels])
        else:
            operator_of = lsa_operator if method == "lsa" else lss_operator
            betas[..., voxels] = apply_operator(operator_of(run.regressors[hrf], run.nuisance), series)
    return betas


def zscored_over_trials(betas: NDArray[np.float32], *, run_name: str) -> NDArray[np.float32]:
    """Mean 0 and standard deviation 1 (n - 1) over a run's trials, for each component and voxel; 0 where all are equal.

    Parameters
    ----------
    betas : array, shape (n_trials, n_components, n_voxels)

    Raises
    ------
    StoreError
        If the run has fewer than two trials.
    """
    if len(betas) < 2:
        raise StoreError(
            f"Run {run_name} has {len(betas)} trial with a beta; z-scores over the trials of a run need two. Leave it out."
        )
    centred = betas - betas.mean(axis=0, dtype=np.float64).astype(np.float32)
    sd = centred.std(axis=0, ddof=1, dtype=np.float64).astype(np.float32)
    return centred / np.where(sd > 0, sd, np.inf)
