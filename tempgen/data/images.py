"""Seen images on their way into the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tempgen.errors import SourceDataError


def shrink_image(image: NDArray[np.uint8], max_size: int) -> NDArray[np.uint8]:
    """Shrink an image to at most ``max_size`` pixels a side; smaller ones come back as they are.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    max_size : int
        Pixels of the longer side.

    Returns
    -------
    array of uint8, shape (new_height, new_width, 3)
        Antialiased bilinear (Pillow), proportions kept.
    """
    height, width = image.shape[:2]
    scale = max_size / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def read_hdf5_images(path: Path, dataset: str, rows: NDArray[np.int64], max_size: int) -> NDArray[np.uint8]:
    """Images of an HDF5 brick (image, height, width, 3), shrunk.

    Parameters
    ----------
    rows : array of int, shape (n_images,)
        0-based rows of the brick, in any order.

    Raises
    ------
    SourceDataError
        If the file or dataset is missing, or a row lies outside it.
    """
    import h5py

    n_images = n_hdf5_images(path, dataset)
    if rows.size and (rows.min() < 0 or rows.max() >= n_images):
        outside = rows[(rows < 0) | (rows >= n_images)]
        raise SourceDataError(
            f"{path} holds {n_images} images, the design asks for number {int(outside[0]) + 1}. "
            "Check that the stimulus file belongs to this dataset."
        )
    with h5py.File(path) as file:
        return np.stack([shrink_image(file[dataset][int(row)], max_size) for row in rows])


def n_hdf5_images(path: Path, dataset: str) -> int:
    """Images in an HDF5 brick; SourceDataError if it is missing or something else."""
    import h5py

    if not path.is_file():
        raise SourceDataError(
            f"The stimulus file {path} is missing: copy it there or check the dataset's root."
        )
    try:
        with h5py.File(path) as file:
            return int(file[dataset].shape[0])
    except (OSError, KeyError) as error:
        raise SourceDataError(f"{path} is no HDF5 file with a dataset {dataset!r}: {error}.") from error
