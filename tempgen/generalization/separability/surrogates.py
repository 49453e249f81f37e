"""The null: BOLD of a subject whose code is separable, with the noise of the real one, as sums of products.

A surrogate run is ``X b + s e``: the prediction of the separable (rank-1) model, fitted to all runs, plus the run's own
residuals times a sign ``s`` of +1 or -1, the same for all voxels and volumes of the run (wild bootstrap by run; Liu 1988,
Annals of Statistics 16:1696). Noise keeps its size, spectrum and correlations between voxels. What a code that is not
separable leaves in the residuals loses its sign and no longer repeats from run to run: it makes the null wider, not
shifted, so that the test loses some power and no validity. Signs need no more than ``X'e`` of each run, which follows from
``X'y`` and ``X'X``; to permute the residuals among runs would need a pass over the time series for each surrogate.

Two things matter for the rate of false alarms. The ridge model must be scaled back to its size before
it serves as truth: with the penalty's shrinkage left in, signals of surrogates are weaker than the real one, rank 1 is
fitted worse, and static codes are rejected far too often; fitted without a penalty, they hold the noise that was
fitted and are stronger, which rejects too seldom. And few runs have few signs: with 8 runs there are 128 up to
the overall one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tempgen.generalization.separability.run_statistics import RunStatistics

__all__ = ["SeparableNull", "draw_signs"]


class SeparableNull:
    """Surrogates of a block of voxels.

    Parameters
    ----------
    statistics : RunStatistics
        Of these voxels.
    columns : array of float32, shape (n_columns, n_voxels)
        The separable model.
    folds : list of array
        Units of each fold.
    """

    def __init__(
        self, statistics: RunStatistics, columns: NDArray[np.float32], folds: list[NDArray[np.int64]]
    ) -> None:
        self._folds = folds
        predicted = np.stack([unit.astype(np.float32) @ columns for unit in statistics.gram])  # X'X b
        self._residual = statistics.products - predicted  # X'e
        self._cross = (self._residual * columns).sum(axis=1, dtype=np.float64)  # b'X'e
        self._squares = statistics.squares  # |X b + s e|^2 = |X b + e|^2 + 2 (s - 1) b'X'e, as s^2 = 1
        self._predicted = np.stack([predicted[fold].sum(axis=0) for fold in folds])

    def draw(self, signs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """A surrogate's sums by fold: products (n_folds, n_columns, n_voxels) and squares (n_folds, n_voxels).

        Parameters
        ----------
        signs : array, shape (n_units,)
        """
        n_columns, n_voxels = self._residual.shape[1:]
        products, squares = self._predicted.copy(), []
        for k, fold in enumerate(self._folds):
            flipped = signs[fold] @ self._residual[fold].reshape(len(fold), -1)
            products[k] += flipped.reshape(n_columns, n_voxels)
            squares.append(
                (self._squares[fold] + 2 * (signs[fold, None] - 1) * self._cross[fold]).sum(axis=0)
            )
        return products, np.stack(squares)


def draw_signs(n_draws: int, n_units: int, *, seed: int | Sequence[int]) -> NDArray[np.float32]:
    """Signs of units, +1 or -1 at random, shape (n_draws, n_units)."""
    return np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.float32), (n_draws, n_units))
