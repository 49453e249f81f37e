"""Ridge from sums of products: features penalized, the mean response not; errors on other runs from their sums alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from tempgen.generalization.separability.run_statistics import Sums

__all__ = ["RidgeSolver", "squared_error"]

_SMALLEST_SHARE = 1e-10
"""Added to the mean response's Gram matrix, as a share of its mean diagonal: a lag at which no volume lies stays 0."""


class RidgeSolver:
    """One training set's regression, solved at any penalty.

    The mean response is regressed out of the features first (Frisch, Waugh and Lovell), and what is left is
    diagonalized once.

    Parameters
    ----------
    gram : array, shape (n_columns, n_columns)
        ``X'X`` summed over the training runs.
    penalized : array of bool, shape (n_columns,)
        Which columns are features'; the rest are the mean response's.
    """

    def __init__(self, gram: NDArray[np.floating], penalized: NDArray[np.bool_]) -> None:
        gram = gram.astype(np.float64)
        self.features, self.mean = np.flatnonzero(penalized), np.flatnonzero(~penalized)
        mean_gram = gram[np.ix_(self.mean, self.mean)]
        mean_gram = mean_gram + _SMALLEST_SHARE * np.trace(mean_gram) / len(mean_gram) * np.eye(
            len(mean_gram)
        )
        factor = cho_factor(mean_gram)
        cross = gram[np.ix_(self.mean, self.features)]
        self._mean_inverse: NDArray[np.float32] = cho_solve(factor, np.eye(len(mean_gram))).astype(np.float32)
        self._mean_of_features: NDArray[np.float32] = cho_solve(factor, cross).astype(np.float32)
        own = gram[np.ix_(self.features, self.features)]
        self.scale = float(np.trace(own)) / len(own)
        values, axes = np.linalg.eigh(own - cross.T @ cho_solve(factor, cross))
        self._values: NDArray[np.float32] = values.clip(min=0).astype(np.float32)
        self._axes: NDArray[np.float32] = axes.astype(np.float32)

    def rotated(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Products of features and BOLD, mean response regressed out, along the axes, shape (n_axes, n_voxels)."""
        own = products[self.features] - self._mean_of_features.T @ products[self.mean]
        rotated: NDArray[np.float32] = self._axes.T @ own
        return rotated

    def shrunk(self, rotated: NDArray[np.float32], alpha: NDArray[np.float64] | float) -> NDArray[np.float32]:
        """Coefficients of the features, shape (n_features x n_lags, n_voxels).

        Parameters
        ----------
        rotated : array, shape (n_axes, n_voxels)
        alpha : float or array, shape (n_voxels,)
            Penalty in units of the mean diagonal of the features' Gram matrix.
        """
        penalty = np.float32(self.scale) * np.asarray(alpha, dtype=np.float32)
        shrunk = np.divide(rotated, self._values[:, None] + penalty)
        coefficients: NDArray[np.float32] = self._axes @ shrunk
        return coefficients

    def rescaled(
        self,
        coefficients: NDArray[np.float32],
        rotated: NDArray[np.float32],
        *,
        squares: NDArray[np.float64],
        n_volumes: int,
        n_free: int,
    ) -> NDArray[np.float32]:
        """The same coefficients in the size of the signal: the penalty's shrinkage undone, what noise adds taken off.

        Scaled to fit the training runs best, coefficients predict the variance of the signal and, in expectation, the noise's in as
        many dimensions as they were free to choose. The factor leaves the signal's.

        Parameters
        ----------
        coefficients, rotated : array, shape (n_features x n_lags, n_voxels) and (n_axes, n_voxels)
        squares : array, shape (n_voxels,)
            Sum of squares of the training runs that the mean response leaves.
        n_volumes : int
            Of the training runs.
        n_free : int
            Dimensions: n_lags + n_features - 1 of a separable response.
        """
        along = self._axes.T @ coefficients
        size = (along * along * self._values[:, None]).sum(axis=0)
        fitted = (along * rotated).sum(axis=0)
        factor = np.divide(fitted, size, out=np.zeros_like(size), where=size > 0)
        predicted = factor * fitted
        of_noise = n_free * (squares - predicted).clip(min=0) / n_volumes
        kept = 1 - np.divide(of_noise, predicted, out=np.ones_like(of_noise), where=predicted > 0)
        return coefficients * (factor * np.sqrt(kept.clip(min=0))).astype(np.float32)

    def with_mean(
        self, coefficients: NDArray[np.float32], products: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Coefficients of all columns: those of the features as they are, the mean response fitted beside them."""
        whole = np.empty((len(self.features) + len(self.mean), coefficients.shape[1]), dtype=np.float32)
        whole[self.features] = coefficients
        whole[self.mean] = self._mean_inverse @ products[self.mean] - self._mean_of_features @ coefficients
        return whole


def squared_error(columns: NDArray[np.float32], tested: Sums) -> NDArray[np.float64]:
    """Sum of squared errors of each voxel, ``y'y - 2 b'X'y + b'X'X b``, shape (n_voxels,).

    Parameters
    ----------
    columns : array, shape (n_columns, n_voxels)
    tested : Sums
        Of the runs that are predicted.
    """
    rest = tested.gram @ columns
    rest -= 2 * tested.products
    rest *= columns
    return tested.squares + rest.sum(axis=0, dtype=np.float64)
