"""Object categories of simulated scenes, read by a small classifier network from seen and reconstructed images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempgen.metrics.base import Metric

__all__ = ["SCENE_CATEGORY", "category_overlap"]

SCENE_CATEGORY = Metric(
    name="scene_category",
    long_name="Object category",
    chance=None,
    higher_is_better=True,
    description=(
        "share of the seen scene's object categories among the k most likely ones of the reconstruction, both read by the "
        "package's scene classifier at 64 pixels; k: how many it gives the seen scene a probability above 0.5, at least 1"
    ),
    source="house metric of simulated scenes, after the classifier-based scores of Brain-Diffuser",
)
CERTAIN = 0.5
"""Probability above which a category counts as seen. Source: even odds."""


def category_overlap(*, seen_logits: NDArray[np.float32], logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of each seen image's categories among as many most likely ones of the reconstruction.

    Parameters
    ----------
    seen_logits, logits : array of float, shape (n_trials, n_categories)

    Returns
    -------
    array of float32, shape (n_trials,)

    Examples
    --------
    Two categories are seen (0 and 2); of the reconstruction's two likeliest, 0 is one of them:

    >>> category_overlap(seen_logits=np.float32([[3, -3, 1]]), logits=np.float32([[2, 1, 0]]))
    array([0.5], dtype=float32)
    """
    certain = np.log(CERTAIN / (1 - CERTAIN))
    n_seen = np.maximum(1, (seen_logits > certain).sum(axis=1, keepdims=True))
    both = (_ranks(seen_logits) < n_seen) & (_ranks(logits) < n_seen)
    return np.asarray(both.sum(axis=1) / n_seen[:, 0], dtype=np.float32)


def _ranks(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Place of each category, 0 for the likeliest; ties go to the first."""
    order = np.argsort(-logits, axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable")
