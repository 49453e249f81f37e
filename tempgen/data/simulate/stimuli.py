"""The images of simulated subjects: drawn, and written as nsd_stimuli.hdf5."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import STIMULUS_DATASET
from tempgen.data.scenes import Scene, render_scene
from tempgen.data.simulate.experiment import N_NSD_IMAGES, Experiment
from tempgen.files import whole_file

_SUBJECTS = "simulated_subjects"
"""Attribute that says whose images are there."""


def draw_scenes(config: SimulationConfig, image_ids: NDArray[np.int64]) -> list[Scene]:
    """Scenes of images by their 73k IDs."""
    return [render_scene(int(image_id), seed=config.seed, size=config.image_size) for image_id in image_ids]


def subjects_with_stimuli(path: Path) -> set[int]:
    """Subjects whose images are in nsd_stimuli.hdf5; none if there is no such file."""
    if not path.is_file():
        return set()
    with h5py.File(path, "r") as file:
        return {int(subject) for subject in file[STIMULUS_DATASET].attrs[_SUBJECTS]}


def write_stimuli(
    path: Path,
    config: SimulationConfig,
    experiment: Experiment,
    *,
    subjects: set[int],
    scenes: dict[int, Scene],
) -> None:
    """Write nsd_stimuli.hdf5 with the images of ``subjects`` and of those who are in it already.

    Parameters
    ----------
    scenes : dict of 73k ID to Scene
        Those that are drawn already; others are drawn here.

    Notes
    -----
    Rows are written in ascending order, so that the bytes depend on whose images are there and not on who came first. A chunk is one image; chunks
    that nobody saw do not exist, and read as black.
    """
    everyone = sorted(subjects | subjects_with_stimuli(path))
    image_ids = np.unique([experiment.images_of_subject(subject) for subject in everyone])
    side = config.image_size
    with whole_file(path) as temporary, h5py.File(temporary, "w", track_order=False) as file:
        bricks = file.create_dataset(
            STIMULUS_DATASET,
            shape=(N_NSD_IMAGES, side, side, 3),
            dtype=np.uint8,
            chunks=(1, side, side, 3),
            track_times=False,
        )
        bricks.attrs[_SUBJECTS] = np.array(everyone, dtype=np.int64)
        for image_id in image_ids:
            scene = scenes.get(int(image_id)) or draw_scenes(config, image_id[None])[0]
            bricks[image_id - 1] = scene.image
