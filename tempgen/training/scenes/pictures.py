"""The scenes that the backbone is trained on, drawn once and kept in the run's folder."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from tempgen.data.scenes import BACKGROUNDS, CATEGORIES, COLOURS, render_scene, scene_features
from tempgen.files import whole_file

CHUNK = 500
"""Scenes that one process draws at a time."""

_N_CONTENT = len(BACKGROUNDS) + len(CATEGORIES) + len(COLOURS) + 3


@dataclass(frozen=True)
class Pictures:
    """Scenes and what they show.

    Attributes
    ----------
    images : array of uint8, shape (n_scenes, 64, 64, 3)
    content : array of float32, shape (n_scenes, 31)
        Background (one-hot), categories (0 or 1), colours (shares), place and size, as
        :func:`~tempgen.data.scenes.scene_features` gives them.
    """

    images: NDArray[np.uint8]
    content: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def pixels(self, rows: NDArray[np.int64] | slice) -> Tensor:
        """Images (n, 3, 64, 64) in [0, 1]."""
        return torch.from_numpy(np.ascontiguousarray(self.images[rows])).movedim(-1, 1).float() / 255

    @property
    def categories(self) -> NDArray[np.float32]:
        """Which categories each scene shows, (n_scenes, 10) of 0 and 1."""
        first = len(BACKGROUNDS)
        return self.content[:, first : first + len(CATEGORIES)]


def draw_pictures(path: Path, *, n_scenes: int, seed: int) -> Pictures:
    """Scenes 0 to ``n_scenes - 1`` of a seed, from the file if they are there.

    Parameters
    ----------
    path : Path
        A ``.npz`` of the run's folder; it appears whole or not at all.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        chunks = [(start, min(start + CHUNK, n_scenes), seed) for start in range(0, n_scenes, CHUNK)]
        # forked children would inherit torch's threads
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
            drawn = list(
                tqdm(pool.map(_draw, chunks), total=len(chunks), desc="draw", unit="chunk", disable=None)
            )
        images, content = (np.concatenate(part) for part in zip(*drawn, strict=True))
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, images=images, content=content)
    with np.load(path) as saved:
        return Pictures(saved["images"], saved["content"])


def _draw(chunk: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    start, stop, seed = chunk
    scenes = [render_scene(scene_id, seed=seed) for scene_id in range(start, stop)]
    content = scene_features(scenes, n_pixels=1)[0][:, -_N_CONTENT:]
    return np.stack([scene.image for scene in scenes]), content
