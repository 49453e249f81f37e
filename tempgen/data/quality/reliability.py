"""How well a voxel's responses to repeated images agree: split-half reliability and the noise ceiling of one trial.

A trial's response is the mean of a voxel's z-scored volumes some seconds after onset, overlap with its neighbours and all.

- **Reliability**: correlation over images between the mean responses to their odd and to their even presentations.
- **Noise ceiling**: share of a single trial's variance that its image determines, var(image) / (var(image) + var(noise)), from the
  mean squares between and within images. No model of the voxel can explain more of it.

Sources: Allen et al. 2022, Nature Neuroscience 25:116-126, doi:10.1038/s41593-021-00962-x (noise ceiling in percent, with the
variance within images for noise); Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420 (the share, there ICC(1, 1)).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["RepeatedResponses"]

_BLOCK_VOXELS = 1024


@dataclass
class RepeatedResponses:
    """Sums over presentations, trial block by trial block; memory is two arrays of images x voxels.

    Parameters
    ----------
    image_of_trial : array of int, shape (n_trials,)
        Of all trials that will come, in their order; those of images that occur once are not used.
    n_voxels : int
    """

    image_of_trial: NDArray[np.int64]
    n_voxels: int
    _halves: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        _, image, counts = np.unique(self.image_of_trial, return_inverse=True, return_counts=True)
        repeated = np.flatnonzero(counts > 1)
        position = np.full(len(counts), -1)
        position[repeated] = np.arange(len(repeated))
        self._image = position[image]  # -1: presented once
        self._half = _presentation(image) % 2
        self._counts = counts[repeated]
        self._halves = np.zeros((2, len(repeated), self.n_voxels), dtype=np.float32)
        self._squares = np.zeros(self.n_voxels)

    @property
    def n_images(self) -> int:
        """Images that were presented twice or more."""
        return len(self._counts)

    def add(self, rows: NDArray[np.int64], responses: NDArray[np.float32]) -> None:
        """Add trials: their rows of ``image_of_trial``, and their responses (n, n_voxels)."""
        used = self._image[rows] >= 0
        kept, rows = responses[used], rows[used]
        np.add.at(self._halves, (self._half[rows], self._image[rows]), kept)
        self._squares += (kept.astype(np.float64) ** 2).sum(axis=0)

    def reliability(self) -> NDArray[np.float64]:
        """Split-half correlation over images, shape (n_voxels,)."""
        n_odd = self._counts // 2
        n_of_half = np.stack([self._counts - n_odd, n_odd])[..., np.newaxis]
        found = np.empty(self.n_voxels)
        for start in range(0, self.n_voxels, _BLOCK_VOXELS):
            voxels = slice(start, start + _BLOCK_VOXELS)
            means = self._halves[..., voxels] / n_of_half
            means -= means.mean(axis=1, keepdims=True)
            lengths = np.sqrt((means**2).sum(axis=1))
            product = lengths.prod(axis=0)
            found[voxels] = np.divide(
                means.prod(axis=0).sum(axis=0), product, out=np.zeros_like(product), where=product > 0
            )
        return found

    def noise_ceiling(self) -> NDArray[np.float64]:
        """Share of a single trial's variance that its image determines, in percent, from 0; shape (n_voxels,)."""
        n_trials, n_images = int(self._counts.sum()), self.n_images
        sums = self._halves.sum(axis=0, dtype=np.float64)
        between = (sums**2 / self._counts[:, np.newaxis]).sum(axis=0)
        mean_square_between = (between - sums.sum(axis=0) ** 2 / n_trials) / (n_images - 1)
        noise = (self._squares - between) / (n_trials - n_images)
        presentations = (n_trials - (self._counts**2).sum() / n_trials) / (n_images - 1)
        image = np.maximum((mean_square_between - noise) / presentations, 0)
        whole = image + noise
        return 100 * np.divide(image, whole, out=np.zeros_like(whole), where=whole > 0)


def _presentation(image: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many trials of the same image came before each."""
    order = np.argsort(image, kind="stable")
    first = np.searchsorted(image[order], image)
    place = np.empty(len(image), dtype=np.int64)
    place[order] = np.arange(len(image))
    return place - first
