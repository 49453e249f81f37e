"""Seen images of a BIDS dataset: the files that an events column names, in one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tempgen.data.images import shrink_image
from tempgen.errors import SourceDataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""File names that end so name images; Pillow reads them."""


def names_images(values: Sequence[str]) -> bool:
    """Whether all values look like names of image files."""
    return bool(values) and all(value.lower().endswith(IMAGE_SUFFIXES) for value in values)


@dataclass(frozen=True)
class StimulusImages:
    """Reads seen images by image_id; what ``Source.read_images`` is for a BIDS dataset.

    Attributes
    ----------
    paths : tuple of Path
        ``paths[image_id]``.
    crop : int or None
        If the images differ in size: each is cropped to its central square and shrunk to this many pixels a side, those
        of the shortest side among all. None: all have one size, and nothing is cropped.
    """

    paths: tuple[Path, ...]
    crop: int | None

    @classmethod
    def find(cls, root: Path, names: Sequence[str]) -> StimulusImages:
        """Look up the files of all distinct images.

        Parameters
        ----------
        root : Path
            The dataset; names are relative to its ``stimuli`` folder, as BIDS has it.
        names : sequence of str
            ``names[image_id]``.

        Raises
        ------
        SourceDataError
            If a file is missing or is no image.
        """
        folder = root / "stimuli"
        paths = tuple(folder / name.removeprefix("bids::").removeprefix("stimuli/") for name in names)
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise SourceDataError(
                f"{len(missing)} of {len(paths)} stimulus files are missing, the first is {missing[0]}. Copy them to {folder} "
                "(shared datasets often leave them out), or decode labels (stimulus_column: trial_type)."
            )
        sizes = {_size(path) for path in paths}
        return cls(paths, crop=None if len(sizes) == 1 else min(min(size) for size in sizes))

    def __call__(self, image_ids: NDArray[np.int64], max_size: int) -> NDArray[np.uint8]:
        """Images, shrunk to ``max_size`` pixels a side where larger; transparency is dropped.

        Parameters
        ----------
        image_ids : array of int, shape (n,)
        max_size : int

        Returns
        -------
        array of uint8, shape (n, height, width, 3)

        Raises
        ------
        SourceDataError
            If an image_id lies outside the stimuli, or a file cannot be read.
        """
        outside = [
            image_id for image_id in np.asarray(image_ids).tolist() if not 0 <= image_id < len(self.paths)
        ]
        if outside:
            raise SourceDataError(
                f"Image {outside[0]} was asked for; the dataset has the images 0 to {len(self.paths) - 1}. "
                "Check that trials and stimuli belong together."
            )
        side = max_size if self.crop is None else min(max_size, self.crop)
        return np.stack(
            [self._read(self.paths[image_id], side) for image_id in np.asarray(image_ids).tolist()]
        )

    def _read(self, path: Path, side: int) -> NDArray[np.uint8]:
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        return shrink_image(pixels if self.crop is None else _central_square(pixels), side)

    def describe(self) -> str:
        """One line for the notes of a store."""
        shape = (
            "one size"
            if self.crop is None
            else f"sizes differ: central squares, at most {self.crop} pixels a side"
        )
        return f"{len(self.paths)} images, image_id = rank of the file name; {shape}"


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _central_square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def _unreadable(path: Path, error: Exception) -> SourceDataError:
    return SourceDataError(
        f"{path} cannot be read as an image: {error}. Needed is one still image a trial; replace the file, or decode labels "
        "(stimulus_column: trial_type)."
    )
