"""A small brain: which voxels it has, which of them are cortex, nsdgeneral and the visual streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOXEL_SIZE_MM = 1.8
"""Source: NSD's func1pt8mm."""

STREAMS = ("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal")
"""Names of the labels 1 to 7. Source: NSD data manual, streams."""

NOT_CORTEX = -1
UNLABELLED = 0
"""What NSD's ROI files hold outside cortex, and in cortex outside any region."""

# House choice: parts of a brain per voxel of nsdgeneral. What is not cortex lies inside, like white matter.
_BRAIN_VOXELS = 1.6
_CORTEX_VOXELS = 1.35
# Front to back the brain is longer than it is wide.
_SEMI_AXES = np.array([1.0, 1.2, 1.0])
_EARLY, _MIDDLE = 0.4, 0.3


@dataclass(frozen=True)
class Anatomy:
    """Masks and labels of one subject; the first axis runs from left to right, the second to the front, the third up.

    Attributes
    ----------
    brain, cortex, nsdgeneral : array of bool, shape (x, y, z)
        Each within the one before.
    streams : array of int16, shape (x, y, z)
        1 to 7 in nsdgeneral (:data:`STREAMS`), 0 in other cortex, -1 elsewhere.
    left : array of bool, shape (x, y, z)
        The left half of the volume.
    """

    brain: NDArray[np.bool_]
    cortex: NDArray[np.bool_]
    nsdgeneral: NDArray[np.bool_]
    streams: NDArray[np.int16]
    left: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.brain.shape

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to millimetres, shape (4, 4). Source: NSD's func1pt8mm, diagonal."""
        return np.diag([VOXEL_SIZE_MM] * 3 + [1.0])

    @property
    def stream_of_voxel(self) -> NDArray[np.int16]:
        """Label of each voxel of nsdgeneral, shape (n_voxels,), in the order of ``numpy.nonzero(nsdgeneral)``."""
        return self.streams[self.nsdgeneral]

    def roi_files(self) -> dict[str, NDArray[np.int16]]:
        """Labels by name of the ROI file: ``nsdgeneral`` and ``streams``, each whole and by hemisphere (``lh.``, ``rh.``)."""
        general = np.where(self.nsdgeneral, 1, np.where(self.cortex, UNLABELLED, NOT_CORTEX)).astype(np.int16)
        labels = {"nsdgeneral": general, "streams": self.streams}
        sides = {"lh": self.left, "rh": ~self.left}
        return labels | {
            f"{side}.{name}": np.where(half, whole, NOT_CORTEX).astype(np.int16)
            for name, whole in labels.items()
            for side, half in sides.items()
        }


def build_anatomy(n_voxels: int, subject: int) -> Anatomy:
    """A brain whose nsdgeneral has ``n_voxels`` voxels; subjects differ in the shape of their volumes, as NSD's do.

    The brain is an ellipsoid, its outer part cortex, the hindmost part of cortex nsdgeneral. From back to front nsdgeneral
    divides into early, intermediate and high-level streams, and the latter two by height into ventral, lateral and parietal.

    Examples
    --------
    >>> anatomy = build_anatomy(100, subject=1)
    >>> int(anatomy.nsdgeneral.sum()), int(anatomy.brain.sum())
    (100, 160)
    """
    n_brain, n_cortex = int(np.ceil(_BRAIN_VOXELS * n_voxels)), int(np.ceil(_CORTEX_VOXELS * n_voxels))
    # an ellipsoid of n voxels has semi-axes of (3 n / 4 pi)^(1/3) on average
    mean_axis = (3 * n_brain / (4 * np.pi * _SEMI_AXES.prod())) ** (1 / 3)
    margin = np.array([subject % 3, subject % 2, subject // 3])
    shape = 2 * np.ceil(mean_axis * _SEMI_AXES).astype(int) + 4 + margin
    centre = (shape - 1) / 2
    grid = np.indices(shape)
    radius = np.sqrt((((grid.T - centre) / _SEMI_AXES) ** 2).sum(axis=-1)).T
    brain = _smallest(radius, n_brain, within=np.ones(shape, dtype=bool))
    cortex = _smallest(-radius, n_cortex, within=brain)
    nsdgeneral = _smallest(grid[1], n_voxels, within=cortex)
    streams = np.where(cortex, UNLABELLED, NOT_CORTEX).astype(np.int16)
    streams[nsdgeneral] = _stream_labels(depth=grid[1][nsdgeneral], height=grid[2][nsdgeneral])
    return Anatomy(brain, cortex, nsdgeneral, streams, left=grid[0] < centre[0])


def _smallest(values: NDArray[np.generic], count: int, *, within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask of the ``count`` smallest values; of equal ones the first in C order."""
    places = np.flatnonzero(within)
    chosen = places[np.argsort(values.ravel()[places], kind="stable")[:count]]
    mask = np.zeros(within.shape, dtype=bool)
    mask.flat[chosen] = True
    return mask


def _stream_labels(*, depth: NDArray[np.int_], height: NDArray[np.int_]) -> NDArray[np.int16]:
    n_voxels = len(depth)
    labels = np.ones(n_voxels, dtype=np.int16)
    back_to_front = np.argsort(depth, kind="stable")
    early, middle = int(_EARLY * n_voxels), int((_EARLY + _MIDDLE) * n_voxels)
    for first_label, voxels in ((2, back_to_front[early:middle]), (5, back_to_front[middle:])):
        upwards = voxels[np.argsort(height[voxels], kind="stable")]
        for step, part in enumerate(np.array_split(upwards, 3)):
            labels[part] = first_label + step
    return labels
