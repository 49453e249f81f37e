"""Single-trial betas by ridge regression with a fraction in the place of a penalty.

The fraction is the length of a voxel's vector of betas (all trials of a run) over that of ordinary least squares; the
penalty that gives it is found for each voxel and run. Source: Rokem & Kay 2020, GigaScience 9:giaa133; used for
single-trial betas by GLMsingle (Prince et al. 2022, eLife 11:e77599).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.data.betas.least_squares import RANK_TOLERANCE, without_nuisance
from tempgen.errors import ConfigError

N_NEWTON_STEPS = 25
"""At most; a relative error of the fraction below ``FRACTION_TOLERANCE`` takes about five."""
FRACTION_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class RidgeRun:
    """A run's design in the coordinates in which ridge is a shrinkage.

    Attributes
    ----------
    left : array, shape (n_volumes, rank)
    singular : array, shape (rank,)
    right : array, shape (n_trials * n_components, rank)
        Singular value decomposition of the regressors without nuisance.
    n_trials, n_components : int
    """

    left: NDArray[np.float64]
    singular: NDArray[np.float64]
    right: NDArray[np.float64]
    n_trials: int
    n_components: int

    @classmethod
    def of(cls, design: NDArray[np.floating], nuisance: NDArray[np.floating]) -> RidgeRun:
        """Decompose a design, shape (n_volumes, n_trials, n_components); nuisance (n_volumes, n_nuisance)."""
        n_volumes, n_trials, n_components = design.shape
        regressors = without_nuisance(design, nuisance).reshape(n_volumes, -1)
        left, singular, right = np.linalg.svd(regressors, full_matrices=False)
        kept = singular > RANK_TOLERANCE * singular.max(initial=0.0)
        return cls(left[:, kept], singular[kept], right[kept].T, n_trials, n_components)

    def coordinates(self, series: NDArray[np.floating]) -> NDArray[np.float64]:
        """Least-squares betas along the right singular vectors, (rank, n_voxels), of series (n_volumes, n_voxels)."""
        return (self.left.T @ np.asarray(series, dtype=np.float64)) / self.singular[:, None]

    def betas(self, coordinates: NDArray[np.float64], fraction: ArrayLike) -> NDArray[np.float32]:
        """Betas of a fraction of their least-squares length.

        Parameters
        ----------
        coordinates : array, shape (rank, n_voxels)
        fraction : float or array, shape (n_voxels,)
            Above 0, up to 1 (ordinary least squares).

        Returns
        -------
        array of float32, shape (n_trials, n_components, n_voxels)
            The minimizer of ``|y - X b|^2 + penalty |b|^2``, with the penalty at which ``|b| = fraction |b_ols|``.

        Raises
        ------
        ConfigError
            If a fraction is not above 0 and at most 1.
        """
        penalty = penalties_of(coordinates, self.singular, fraction)
        shrunk = _shrinkage(self.singular, penalty) * coordinates
        return (self.right @ shrunk).reshape(self.n_trials, self.n_components, -1).astype(np.float32)


def penalties_of(
    coordinates: NDArray[np.float64], singular: NDArray[np.float64], fraction: ArrayLike
) -> NDArray[np.float64]:
    """Ridge penalty of each voxel at which its betas have a fraction of their least-squares length.

    With ``c`` the least-squares betas along the right singular vectors, ``sum (s^2 c / (s^2 + penalty))^2`` falls steadily
    from ``|c|^2`` to 0; Newton's steps for its inverse square root, which is concave in the penalty, never overshoot.

    Parameters
    ----------
    coordinates : array, shape (rank, n_voxels)
        Least-squares betas along the right singular vectors.
    singular : array, shape (rank,)
    fraction : float or array, shape (n_voxels,)

    Returns
    -------
    array, shape (n_voxels,)
        0 for fraction 1 and for voxels without any signal.

    Raises
    ------
    ConfigError
        If a fraction is not above 0 and at most 1.
    """
    fractions = np.broadcast_to(np.asarray(fraction, dtype=np.float64), coordinates.shape[1:])
    if not ((fractions > 0) & (fractions <= 1)).all():
        raise ConfigError(
            f"Ridge fractions must be above 0 and at most 1; those given run from {fractions.min():g} to {fractions.max():g}."
        )
    squared, power = singular**2, coordinates**2  # lengths below are squared ones, too
    wanted = fractions**2 * power.sum(axis=0)
    penalty = np.zeros(coordinates.shape[1])
    active = (fractions < 1) & (wanted > 0)
    for _ in range(N_NEWTON_STEPS):
        if not active.any():
            break
        shrinkage = squared[:, None] / (squared[:, None] + penalty[active])
        shrunk = shrinkage**2 * power[:, active]
        reached = shrunk.sum(axis=0)
        slope = -2 * (shrunk / (squared[:, None] + penalty[active])).sum(axis=0)
        # for g = reached^(-1/2): step = (wanted^(-1/2) - g) / g', with g' = -slope reached^(-3/2) / 2
        penalty[active] += 2 * reached / -slope * (np.sqrt(reached / wanted[active]) - 1)
        unfinished = np.abs(reached / wanted[active] - 1) > 2 * FRACTION_TOLERANCE
        active[np.flatnonzero(active)[~unfinished]] = False
    return penalty


def _shrinkage(singular: NDArray[np.float64], penalty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factor by which each coordinate is shrunk, shape (rank, n_voxels)."""
    squared = (singular**2)[:, None]
    return squared / (squared + penalty)
