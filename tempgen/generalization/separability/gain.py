"""Cross-validated errors of the ranks, from sums of products alone: of the data, and of anything with the same designs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempgen.generalization.separability.design import LaggedDesign
from tempgen.generalization.separability.ranks import low_rank
from tempgen.generalization.separability.run_statistics import Sums
from tempgen.generalization.separability.solver import RidgeSolver, squared_error

__all__ = ["FREE", "MEAN_ONLY", "RANK_1", "RANK_2", "CrossValidation", "gain_of"]

MEAN_ONLY, RANK_1, RANK_2, FREE = range(4)
"""Order of the models whose errors are computed; the first predicts the mean response and nothing of the image."""


class CrossValidation:
    """The factorized designs of all folds, for any BOLD.

    Parameters
    ----------
    gram : array, shape (n_units, n_columns, n_columns)
    design : LaggedDesign
    folds : list of array
        Units; each fold is tested once, by models of all others.
    alpha : array, shape (n_folds, n_voxels)
        Penalty of each voxel, chosen outside each fold.
    """

    def __init__(
        self,
        gram: NDArray[np.float64],
        design: LaggedDesign,
        folds: list[NDArray[np.int64]],
        alpha: NDArray[np.float64],
    ) -> None:
        self.folds, self.alpha, self.n_lags = folds, alpha, len(design.lags)
        by_fold = [gram[fold].sum(axis=0) for fold in folds]
        total = np.sum(by_fold, axis=0)
        self._tested = [one.astype(np.float32) for one in by_fold]
        self._solvers = [RidgeSolver(total - one, design.is_penalized) for one in by_fold]

    def errors(
        self,
        products: NDArray[np.float32],
        squares: NDArray[np.float64],
        *,
        voxels: slice,
        with_free: bool = False,
    ) -> NDArray[np.float64]:
        """Squared errors on each fold of the models in the order of ``MEAN_ONLY``, ``RANK_1``, ``RANK_2``, ``FREE``.

        Parameters
        ----------
        products : array, shape (n_folds, n_columns, n_voxels_of_block)
        squares : array, shape (n_folds, n_voxels_of_block)
        voxels : slice
            Which of all voxels the block holds.
        with_free : bool
            Whether the last model is wanted.

        Returns
        -------
        array of float64, shape (n_folds, 3 or 4, n_voxels_of_block)
        """
        total = products.sum(axis=0)
        found = np.empty((len(self.folds), 4 if with_free else 3, products.shape[2]))
        for k, solver in enumerate(self._solvers):
            training = total - products[k]
            tested = Sums(self._tested[k], products[k], squares[k])
            free = solver.shrunk(solver.rotated(training), self.alpha[k, voxels])
            models = [np.zeros_like(free), *low_rank(free, (1, 2), n_lags=self.n_lags), free]
            for row in range(found.shape[1]):
                found[k, row] = squared_error(solver.with_mean(models[row], training), tested)
        return found


def gain_of(errors: NDArray[np.float64], counted: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """R2 of rank 2 minus R2 of rank 1, on the folds that count, shape (n_voxels,).

    Parameters
    ----------
    errors : array, shape (n_folds, 3 or 4, n_voxels)
        From `CrossValidation.errors`.
    counted : array of bool, shape (n_folds, n_voxels), optional
        Which folds count for which voxel; all unless given. A voxel without any is NaN.
    """
    weights = np.ones_like(errors[:, 0]) if counted is None else counted.astype(np.float64)
    better = (weights * (errors[:, RANK_1] - errors[:, RANK_2])).sum(axis=0)
    nothing = (weights * errors[:, MEAN_ONLY]).sum(axis=0)
    return np.divide(better, nothing, out=np.full_like(better, np.nan), where=nothing > 0)
