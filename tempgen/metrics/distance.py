"""Distances between feature vectors of a seen image and of its reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import check_features
from tempgen.metrics.correlation import standardize_rows

__all__ = ["correlation_distance", "cosine_distance"]


def correlation_distance(
    *, seen_features: NDArray[Any], reconstructed_features: NDArray[Any]
) -> NDArray[np.float32]:
    """One minus Pearson's correlation of each pair of rows, 1 - r.

    Parameters
    ----------
    seen_features, reconstructed_features : array of float, shape (n, n_features)

    Returns
    -------
    array of float32, shape (n,)
        From 0 to 2, lower is better; 1 if a row is constant (``scipy.spatial.distance.correlation`` gives NaN). Chance
        is below 1: features of different images have much in common, see `shuffled_chance`.

    Raises
    ------
    MetricError
        If shapes differ or values are not finite floats.

    Source
    ------
    Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8, for EfficientNet and SwAV.

    Examples
    --------
    >>> rows = np.array([[1.0, 2.0, 3.0]])
    >>> correlation_distance(seen_features=rows, reconstructed_features=-rows)
    array([2.], dtype=float32)
    """
    _check_pair(seen_features, reconstructed_features)
    seen, reconstructed = standardize_rows(seen_features), standardize_rows(reconstructed_features)
    distances: NDArray[np.float32] = 1 - np.einsum("ij,ij->i", seen, reconstructed)
    return distances


def cosine_distance(
    *, seen_features: NDArray[Any], reconstructed_features: NDArray[Any]
) -> NDArray[np.float32]:
    """One minus the cosine of the angle between each pair of rows.

    Parameters
    ----------
    seen_features, reconstructed_features : array of float, shape (n, n_features)

    Returns
    -------
    array of float32, shape (n,)
        From 0 to 2, lower is better; 1 if a row is 0 throughout. Chance is measured, see `shuffled_chance`.

    Raises
    ------
    MetricError
        If shapes differ or values are not finite floats.

    Source
    ------
    Fu et al. 2023 (DreamSim), arXiv:2306.09344: its distance, on its embeddings.

    Examples
    --------
    >>> cosine_distance(seen_features=np.array([[1.0, 0.0]]), reconstructed_features=np.array([[0.0, 2.0]]))
    array([1.], dtype=float32)
    """
    _check_pair(seen_features, reconstructed_features)
    seen = check_features(seen_features, name="seen_features").astype(np.float64)
    reconstructed = check_features(reconstructed_features, name="reconstructed_features").astype(np.float64)
    lengths = np.linalg.norm(seen, axis=1) * np.linalg.norm(reconstructed, axis=1)
    products = np.einsum("ij,ij->i", seen, reconstructed)
    return (1 - products / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _check_pair(seen_features: NDArray[Any], reconstructed_features: NDArray[Any]) -> None:
    if np.shape(seen_features) != np.shape(reconstructed_features):
        raise MetricError(
            f"Seen features have shape {np.shape(seen_features)}, reconstructed ones {np.shape(reconstructed_features)}; "
            "needed is one seen row for each reconstructed one, from one network."
        )
