"""Single-trial betas by ordinary least squares: linear operators from a run's volumes to its trials' betas.

An operator depends on the design alone, so that voxels with the same HRF share it, and betas of a run are one matrix
product a group of voxels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import StoreError

RANK_TOLERANCE = 1e-10
"""A direction of the regressors below this fraction of the largest is rounding."""


def without_nuisance(columns: NDArray[np.floating], nuisance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Residual of columns after regression on nuisance regressors.

    Parameters
    ----------
    columns : array, shape (n_volumes, ...)
    nuisance : array, shape (n_volumes, n_nuisance)
        Need not be orthogonal, nor independent.

    Returns
    -------
    array, shape of ``columns``
    """
    left, singular, _ = np.linalg.svd(np.asarray(nuisance, dtype=np.float64), full_matrices=False)
    basis = left[:, singular > RANK_TOLERANCE * singular.max(initial=0.0)]
    flat = np.asarray(columns, dtype=np.float64).reshape(len(columns), -1)
    return (flat - basis @ (basis.T @ flat)).reshape(columns.shape)


def lsa_operator(design: NDArray[np.floating], nuisance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least squares all: one regression with a regressor for every trial (and component).

    Parameters
    ----------
    design : array, shape (n_volumes, n_trials, n_components)
        Response to each trial.
    nuisance : array, shape (n_volumes, n_nuisance)
        Intercept and drift.

    Returns
    -------
    array, shape (n_trials, n_components, n_volumes)
        ``betas = operator @ series``, for series (n_volumes, n_voxels) that may still hold the nuisance.

    Raises
    ------
    StoreError
        If the regressors depend on each other, so that no single betas explain the run best.

    Notes
    -----
    Tested for equality with nilearn's GLM. Source of the name: Mumford et al. 2012, NeuroImage 59:2636-2643.
    """
    n_volumes, n_trials, n_components = design.shape
    regressors = without_nuisance(design, nuisance).reshape(n_volumes, -1)
    left, singular, right = np.linalg.svd(regressors, full_matrices=False)
    rank = int((singular > RANK_TOLERANCE * singular.max(initial=0.0)).sum())
    if rank < n_trials * n_components:
        raise StoreError(
            f"A run of {n_volumes} volumes has {n_trials * n_components} regressors of single trials, of which {rank} are "
            "independent after drift removal: least squares all has no single answer. Use method lss or ridge, or one "
            "component a trial."
        )
    operator = (right.T / singular) @ left.T
    return operator.reshape(n_trials, n_components, n_volumes)


def lss_operator(design: NDArray[np.floating], nuisance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least squares separate: one regression a trial, the trial against the sum of all others.

    All regressions are solved at once: the Gram matrix of (trial, others) is 2 x 2 for one component, and the others are
    the sum of all minus the trial.

    Parameters
    ----------
    design : array, shape (n_volumes, n_trials, n_components)
        Response to each trial. With several components, the others have one sum for each.
    nuisance : array, shape (n_volumes, n_nuisance)
        Intercept and drift.

    Returns
    -------
    array, shape (n_trials, n_components, n_volumes)
        As :func:`lsa_operator` gives it. The only trial of a run is regressed alone.

    Notes
    -----
    Tested for equality with one nilearn GLM for each trial. Source: Mumford et al. 2012, NeuroImage 59:2636-2643 (LS-S).
    """
    n_components = design.shape[2]
    regressors = without_nuisance(design, nuisance)
    own = regressors.transpose(1, 2, 0)  # (n_trials, n_components, n_volumes)
    others = own.sum(axis=0) - own
    both = np.concatenate([own, others], axis=1)  # (n_trials, 2 n_components, n_volumes)
    gram = both @ both.transpose(0, 2, 1)
    inverse = np.linalg.pinv(gram, rcond=RANK_TOLERANCE, hermitian=True)
    return inverse[:, :n_components] @ both


def apply_operator(operator: NDArray[np.floating], series: NDArray[np.floating]) -> NDArray[np.float32]:
    """Betas of a run.

    Parameters
    ----------
    operator : array, shape (n_trials, n_components, n_volumes)
    series : array, shape (n_volumes, n_voxels)

    Returns
    -------
    array of float32, shape (n_trials, n_components, n_voxels)
    """
    n_trials, n_components, n_volumes = operator.shape
    flat = operator.reshape(-1, n_volumes).astype(np.float32) @ np.asarray(series, dtype=np.float32)
    return flat.reshape(n_trials, n_components, -1)
