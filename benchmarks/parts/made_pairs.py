"""Made-up pairs of seen images and reconstructions, and features of such."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZE", "make_features", "make_reconstructed", "make_seen"]

Floats = NDArray[np.float32]

SIZE = 224


def make_seen(n_pairs: int) -> Floats:
    """Images of coarse and fine structure, in [0, 1]."""
    rng = np.random.default_rng(0)
    images = np.empty((n_pairs, SIZE, SIZE, 3), dtype=np.float32)
    for image in images:
        image[:] = 0.1 * rng.standard_normal(image.shape, dtype=np.float32)
        for cell in (8, 56):
            coarse = rng.random((SIZE // cell, SIZE // cell, 3), dtype=np.float32)
            image += 0.5 * coarse.repeat(cell, axis=0).repeat(cell, axis=1)
    return images.clip(0, 1, out=images)


def make_reconstructed(seen: Floats, *, share: float = 0.3) -> Floats:
    """A share of each seen image, the rest from another one upside down."""
    reconstructed = np.empty_like(seen)
    for row, image in enumerate(seen):  # beside the images nothing is held: memory is measured
        reconstructed[row] = share * image + (1 - share) * seen[row - 1, ::-1]
    return reconstructed


def make_features(n_pairs: int, n_features: int) -> tuple[Floats, Floats]:
    """Features of seen images and of reconstructions, positive as behind a ReLU."""
    rng = np.random.default_rng(0)
    seen = rng.random((n_pairs, n_features), dtype=np.float32)
    reconstructed = 0.3 * seen + 0.7 * rng.random((n_pairs, n_features), dtype=np.float32)
    return seen, reconstructed
