"""Metrics as published evaluation codes compute them: the obvious way, one after another.

Read for it: Brain-Diffuser's ``scripts/eval_extract_features.py`` and ``eval_correlation.py``, which Dynadiff follows, and MindEye's
``Reconstruction_Metrics.ipynb``. Their images are tensors or bytes; here all sides get the same float arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import correlation
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

__all__ = ["OBVIOUS", "correlation_distances", "identified", "pixel_correlations", "similarities"]

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]


def pixel_correlations(seen: Floats, reconstructed: Floats) -> Scores:
    """``np.corrcoef`` of each pair's pixels."""
    pairs = zip(seen.reshape(len(seen), -1), reconstructed.reshape(len(seen), -1), strict=True)
    return np.array([np.corrcoef(one, other)[0][1] for one, other in pairs])


def similarities(seen: Floats, reconstructed: Floats) -> Scores:
    """scikit-image's SSIM of each pair in grey."""
    return np.array(
        [
            structural_similarity(
                rgb2gray(one),
                rgb2gray(other),
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
            )
            for one, other in zip(seen, reconstructed, strict=True)
        ]
    )


def identified(seen: Floats, reconstructed: Floats) -> Scores:
    """Two-way identification from ``np.corrcoef`` over all rows of both, of which a quarter is used; shares by trial."""
    n_pairs = len(seen)
    between = np.corrcoef(seen.reshape(n_pairs, -1), reconstructed.reshape(n_pairs, -1))[:n_pairs, n_pairs:]
    success: NDArray[np.bool_] = between < np.diag(between)  # rows: seen, columns: reconstructed
    return np.sum(success, axis=0) / (n_pairs - 1)


def correlation_distances(seen: Floats, reconstructed: Floats) -> Scores:
    """SciPy's correlation distance of each pair of feature vectors."""
    return np.array([correlation(one, other) for one, other in zip(seen, reconstructed, strict=True)])


OBVIOUS: dict[str, Callable[[Floats, Floats], Scores]] = {
    "correlation": pixel_correlations,
    "ssim": similarities,
    "identification": identified,
    "correlation_distance": correlation_distances,
}
"""What is done with images or features, by the kind of metric or its name."""
