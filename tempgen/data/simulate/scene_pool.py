"""Scenes that many simulated subjects see: drawn once, because drawing them takes longer than simulating a small subject."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.simulate.neural import ImageFeatures
from tempgen.data.simulate.stimuli import draw_scenes
from tempgen.files import whole_file

__all__ = ["ScenePool", "draw_scene_pool", "open_scene_pool"]


@dataclass(frozen=True)
class ScenePool:
    """The population of images that subjects' own are drawn from.

    Attributes
    ----------
    images : array of uint8, shape (n_images, size, size, 3)
    features : ImageFeatures
        Standardized over the pool; its ``image_ids`` name the images, ascending.
    """

    images: NDArray[np.uint8]
    features: ImageFeatures

    def __len__(self) -> int:
        return len(self.images)


def draw_scene_pool(image_ids: NDArray[np.int64], *, seed: int, size: int) -> ScenePool:
    """Draw the scenes of these IDs, as a simulated subject with this seed and image size would see them.

    Parameters
    ----------
    image_ids : array of int, shape (n_images,)
        Ascending.
    """
    config = SimulationConfig(seed=seed, image_size=size)
    scenes = draw_scenes(config, np.asarray(image_ids))
    return ScenePool(
        np.stack([scene.image for scene in scenes]), ImageFeatures.of_scenes(np.asarray(image_ids), scenes)
    )


def open_scene_pool(path: Path, *, n_images: int, seed: int, size: int) -> ScenePool:
    """Scenes 1 to ``n_images`` from a file, drawn and written (whole or not at all) if it lacks them.

    Parameters
    ----------
    path : Path
        An ``.npz`` file; one of another seed, size or number is replaced.
    """
    made_with = np.array([n_images, seed, size])
    try:
        with np.load(path, allow_pickle=False) as file:
            if np.array_equal(file["made_with"], made_with):
                names = tuple(str(name) for name in file["names"])
                features = ImageFeatures(
                    file["image_ids"], names, file["values"], file["mean"], file["scale"]
                )
                return ScenePool(file["images"], features)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        pass  # not there, or not whole: drawn below
    pool = draw_scene_pool(np.arange(1, n_images + 1), seed=seed, size=size)
    of = pool.features
    with whole_file(path) as temporary:
        np.savez(
            temporary,
            made_with=made_with,
            images=pool.images,
            image_ids=of.image_ids,
            names=np.array(of.names),
            values=of.values,
            mean=of.mean,
            scale=of.scale,
        )
    return pool
