"""Pearson correlations between rows: the kernel of PixCorr and of two-way identification."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.blocks import blocks_of, for_each_block
from tempgen.metrics.checks import check_feature_rows, check_features

__all__ = ["correlate_pairs", "correlate_rows", "correlation_matrix", "standardize_rows"]

_STRIP_ROWS = 64  # reconstructions correlated at once, always as many
_CONSTANT_ULPS = 4  # spread of a row, in roundings of its largest value, below which it counts as constant
_CHUNK = (
    4096  # values summed in float32; their sums are added in float64. BLAS takes such products on one thread
)
_ONES = np.ones((_CHUNK, 1), dtype=np.float32)


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
    features = check_feature_rows(features, name="features")
    rows = np.empty_like(features)

    def standardize(block: slice) -> None:
        length = _centre(features[block], into=rows[block])
        rows[block] *= _inverse(length).astype(np.float32)[:, np.newaxis]

    for_each_block(standardize, blocks_of(len(features), values_each=features.shape[1]))
    return rows


def correlate_pairs(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlations of rows that belong together, without keeping what `standardize_rows` would make of them.

    Parameters
    ----------
    one, other : array of float32, shape (n, n_features)
        A few rows, which stay in the cache.

    Returns
    -------
    array of float32, shape (n,)
        0 where one of the two is constant.

    Raises
    ------
    MetricError
        If a value is not finite.
    """
    centred = np.empty_like(one), np.empty_like(other)
    lengths = _centre(one, into=centred[0]) * _centre(other, into=centred[1])
    return (_sums_of_products(*centred) * _inverse(lengths)).astype(np.float32)


def _centre(features: NDArray[np.float32], *, into: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows without their mean; gives their lengths then, 0 for a row that is constant to float32's precision."""
    largest = np.maximum(features.max(axis=1), -features.min(axis=1))
    if not np.isfinite(largest).all():
        check_features(features, name="features")
    mean = _sums(features) / features.shape[1]
    np.subtract(features, mean.astype(np.float32)[:, np.newaxis], out=into)
    length = np.sqrt(_sums_of_products(into, into))
    rounding = _CONSTANT_ULPS * np.finfo(np.float32).eps * largest * np.sqrt(features.shape[1])
    return np.where(length <= rounding, 0.0, length)


def _inverse(length: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / length, and 0 for 0."""
    return np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)


def _sums(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    chunks, rest = _chunks(rows)
    sums: NDArray[np.float64] = rest.sum(axis=1, dtype=np.float64)
    return sums + np.matmul(chunks, _ONES).sum(axis=(1, 2, 3), dtype=np.float64)


def _sums_of_products(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    (chunks, rest), (other_chunks, other_rest) = _chunks(one), _chunks(other)
    sums: NDArray[np.float64] = (rest * other_rest).sum(axis=1, dtype=np.float64)
    products = np.matmul(chunks, other_chunks.swapaxes(2, 3))  # (n, n_chunks, 1, 1)
    return sums + products.sum(axis=(1, 2, 3), dtype=np.float64)


def _chunks(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows as (n, n_chunks, 1, 4096), and what is left of each, shape (n, fewer)."""
    n_chunks = rows.shape[1] // _CHUNK
    whole = n_chunks * _CHUNK
    return rows[:, :whole].reshape(len(rows), n_chunks, 1, _CHUNK), rows[:, whole:]


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
    correlation = np.empty((len(reconstructed), len(pool)), dtype=np.float32)
    for first in range(0, len(reconstructed), _STRIP_ROWS):
        rows = reconstructed[first : first + _STRIP_ROWS]
        n_missing = _STRIP_ROWS - len(rows)
        # products of another shape round differently, and equal reconstructions would no longer tie
        strip = np.pad(rows, ((0, n_missing), (0, 0))) if n_missing else rows
        correlation[first : first + len(rows)] = (strip @ pool.T)[: len(rows)]
    return correlation
