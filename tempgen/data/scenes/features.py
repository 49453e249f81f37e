"""What a scene shows, as numbers: the features that simulated voxels are tuned to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tempgen.data.scenes.colours import COLOURS
from tempgen.data.scenes.render import BACKGROUNDS, CATEGORIES, SEGMENTATION_CLASSES, Scene
from tempgen.errors import ConfigError


def scene_features(
    scenes: Sequence[Scene], *, n_pixels: int = 8
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Image features of scenes, none of them standardized.

    Parameters
    ----------
    scenes : sequence of Scene
        As :func:`render_scene` gives them, n_scenes long.
    n_pixels : int
        Side of the low-resolution image in pixels; it must divide the side of every scene.

    Returns
    -------
    features : NDArray[np.float32], shape (n_scenes, n_features)
        In this order, all within [0, 1]:

        - ``pixel_{row}_{column}_{r|g|b}``: mean of a block of the image, for n_pixels x n_pixels blocks;
        - ``background_{name}``: 1 for the scene's background, else 0;
        - ``category_{name}``: 1 for each category that the scene shows, else 0;
        - ``colour_{name}``: share of the objects' pixels that belong to objects of this main colour (they sum to 1);
        - ``position_x``, ``position_y``: centroid of the objects, the mean of theirs weighted by their pixels;
        - ``object_size``: mean size of the objects, weighted likewise.
    names : tuple of str
        Names of the n_features features.

    Raises
    ------
    ConfigError
        If ``n_pixels`` is below 1 or does not divide the side of every scene.

    Examples
    --------
    >>> from tempgen.data.scenes import render_scene
    >>> features, names = scene_features([render_scene(7)], n_pixels=2)
    >>> features.shape, names[0], names[-1]
    ((1, 43), 'pixel_0_0_r', 'object_size')
    """
    if n_pixels < 1:
        raise ConfigError(
            f"n_pixels is {n_pixels}, but must be 1 or more: the side of a low-resolution image."
        )
    pixel_names = [
        f"pixel_{row}_{column}_{channel}"
        for row in range(n_pixels)
        for column in range(n_pixels)
        for channel in "rgb"
    ]
    names = (
        *pixel_names,
        *(f"background_{name}" for name in BACKGROUNDS),
        *(f"category_{name}" for name in CATEGORIES),
        *(f"colour_{name}" for name in COLOURS),
        "position_x",
        "position_y",
        "object_size",
    )
    features = np.zeros((len(scenes), len(names)), dtype=np.float32)
    for row, scene in zip(features, scenes, strict=True):
        pixels, content = np.split(row, [len(pixel_names)])
        pixels[:] = _block_means(scene.image, n_pixels=n_pixels)
        content[:] = _content(scene)
    return features, names


def _block_means(image: NDArray[np.uint8], *, n_pixels: int) -> NDArray[np.float64]:
    """Means of blocks in [0, 1], from (size, size, 3) to (n_pixels * n_pixels * 3,)."""
    size = image.shape[0]
    if size % n_pixels:
        raise ConfigError(
            f"n_pixels is {n_pixels}, which does not divide the side of the scenes, {size}: "
            f"render the scenes at a multiple of it, or choose a divisor."
        )
    block = size // n_pixels
    # whole numbers are added, so that the order of adding does not matter
    total = image.reshape(n_pixels, block, n_pixels, block, 3).sum(axis=(1, 3), dtype=np.int64)
    means: NDArray[np.float64] = total.ravel() / (255.0 * block**2)
    return means


def _content(scene: Scene) -> NDArray[np.float64]:
    """Background, categories, colours, place and size, shape (n_backgrounds + n_categories + n_colours + 3,)."""
    background, category, colour = (np.zeros(len(names)) for names in (BACKGROUNDS, CATEGORIES, COLOURS))
    background[scene.background] = 1.0
    first_category = len(SEGMENTATION_CLASSES) - len(CATEGORIES)
    areas = [np.count_nonzero(scene.segmentation == first_category + seen.category) for seen in scene.objects]
    place_and_size = np.zeros(3)
    for seen, area in zip(scene.objects, areas, strict=True):
        share = area / sum(areas)
        category[seen.category] = 1.0
        colour[seen.colour] += share
        place_and_size += share * np.array([seen.x, seen.y, seen.size])
    return np.concatenate([background, category, colour, place_and_size])
