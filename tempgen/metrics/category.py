"""Object categories of simulated scenes, read by a small classifier network from seen and reconstructed images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.metrics.base import Metric
from tempgen.metrics.checks import NO_IMAGE

__all__ = ["SCENE_CATEGORY", "SceneCategory", "category_overlap"]

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
_IMAGES_AT_ONCE = 256

Classifier = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Images (n, height, width, 3) in [0, 1] to logits (n, n_categories), one independent decision a category."""


class SceneCategory:
    """The metric beside one pool of seen images, whose categories are read once.

    Parameters
    ----------
    seen_images : array of float32, shape (n_images, height, width, 3)
        In [0, 1].
    classifier : callable, optional
        The package's scene classifier unless given.
    """

    metric = SCENE_CATEGORY

    def __init__(self, seen_images: NDArray[np.float32], classifier: Classifier | None = None) -> None:
        self._classify = classifier or packaged_classifier()
        self._seen_logits = self._classify(seen_images)

    def score(self, reconstructed: NDArray[np.float32], *, compared: NDArray[np.intp]) -> NDArray[np.float32]:
        """Scores beside images of the pool.

        Parameters
        ----------
        reconstructed : array of float32, shape (n_trials, height, width, 3)
        compared : array of int, shape (n_rows, n_trials)
            Positions in the pool, -1 for none.

        Returns
        -------
        array of float32, shape (n_rows, n_trials)
            NaN where there is no image.
        """
        logits = self._classify(reconstructed)
        rows = [category_overlap(seen_logits=self._seen_logits[seen], logits=logits) for seen in compared]
        scores = np.stack(rows)
        scores[compared == NO_IMAGE] = np.nan
        return scores


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


def packaged_classifier() -> Classifier:
    """The scene classifier that comes with the package, on NumPy images of any size."""
    import torch
    from torch.nn import functional

    from tempgen.models.scene_classifier import load_scene_classifier

    module: Any = load_scene_classifier()
    size = 64  # pixels a side, of the scenes that it was trained on

    def classify(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = []
        for start in range(0, len(images), _IMAGES_AT_ONCE):
            some = torch.from_numpy(np.ascontiguousarray(images[start : start + _IMAGES_AT_ONCE]))
            pixels = some.float().movedim(-1, 1)
            if pixels.shape[-2:] != (size, size):
                pixels = functional.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
            with torch.no_grad():
                logits.append(module(pixels).float().cpu().numpy())
        return np.concatenate(logits)

    return classify
