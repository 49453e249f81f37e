"""Pearson correlations between rows: the kernel of PixCorr and of two-way identification."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import check_features

__all__ = ["correlate_rows", "correlation_matrix", "standardize_rows"]

_CONSTANT_ULPS = 4  # spread of a row, in roundings of its largest value, below which it counts as constant


def standardize_rows(features: NDArray[Any]) -> NDArray[np.float32]:
    """Rows of mean 0 and length 1, so that their products are correlations.

    Parameters
    ----------
    features : array of float, shape (n, n_features)

    Returns
    -------
    array of float32, shape (n, n_features)
        A row that is constant to float32's precision becomes 0. It has no linear relation to anything, so that every
        correlation with it is 0 (``numpy.corrcoef`` gives NaN).

    Raises
    ------
    MetricError
        If the features are no floats, not finite or not two-dimensional.

    Examples
    --------
    >>> standardize_rows(np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])).round(3) + 0.0
    array([[-0.707,  0.   ,  0.707],
           [ 0.   ,  0.   ,  0.   ]], dtype=float32)
    """
    features = check_features(features, name="features")
    largest = np.maximum(features.max(axis=1), -features.min(axis=1))
    centred: NDArray[np.float32] = features - features.mean(axis=1, dtype=np.float64, keepdims=True).astype(
        np.float32
    )
    length = np.sqrt(np.square(centred).sum(axis=1, keepdims=True))
    rounding = _CONSTANT_ULPS * np.finfo(np.float32).eps * largest[:, np.newaxis] * np.sqrt(features.shape[1])
    constant = length <= rounding
    centred /= np.where(constant, np.float32(1), length)
    centred[constant[:, 0]] = 0
    return centred


def correlation_matrix(
    *, reconstructed_features: NDArray[Any], pool_features: NDArray[Any]
) -> NDArray[np.float32]:
    """Correlation of every reconstruction with every seen image of the pool.

    Parameters
    ----------
    reconstructed_features : array of float, shape (n_trials, n_features)
    pool_features : array of float, shape (n_images, n_features)
        Each distinct seen image once.

    Returns
    -------
    array of float32, shape (n_trials, n_images)
        Correlation 0 with a constant row.

    Raises
    ------
    MetricError
        If the two differ in their number of features, or one of them is not a matrix of finite floats.
    """
    pool, reconstructed = standardize_rows(pool_features), standardize_rows(reconstructed_features)
    return correlate_rows(reconstructed, pool)


def correlate_rows(reconstructed: NDArray[np.float32], pool: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlations between rows that `standardize_rows` made, for a pool that serves many reconstructions.

    Parameters
    ----------
    reconstructed : array of float32, shape (n_trials, n_features)
    pool : array of float32, shape (n_images, n_features)

    Returns
    -------
    array of float32, shape (n_trials, n_images)

    Raises
    ------
    MetricError
        If the two differ in their number of features.
    """
    if reconstructed.shape[1] != pool.shape[1]:
        raise MetricError(
            f"Reconstructions have {reconstructed.shape[1]} features, seen images {pool.shape[1]}; "
            "compute both from images of one size with one network."
        )
    correlation: NDArray[np.float32] = reconstructed @ pool.T
    return correlation
