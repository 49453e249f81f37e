"""The scenes that networks are trained on, drawn once and kept in the run's folder; what their pixels show, apart from them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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
        images, content = _in_chunks(_draw, n_scenes=n_scenes, seed=seed, what="draw")
        _keep(path, lambda file: np.savez(file, images=images, content=content))
    with np.load(path) as saved:
        return Pictures(saved["images"], saved["content"])


def draw_masks(path: Path, *, n_scenes: int, seed: int) -> NDArray[np.uint8]:
    """What each pixel of the same scenes shows, from the file if it is there: a file beside that of the pictures.

    Parameters
    ----------
    path : Path
        A ``.npz`` of the run's folder; it appears whole or not at all.

    Returns
    -------
    array of uint8, shape (n_scenes, 64, 64)
        Indices into :data:`~tempgen.data.scenes.SEGMENTATION_CLASSES`.
    """
    if not path.is_file():
        (masks,) = _in_chunks(_draw_masks, n_scenes=n_scenes, seed=seed, what="draw masks")
        _keep(path, lambda file: np.savez(file, masks=masks))
    with np.load(path) as saved:
        return np.asarray(saved["masks"])


def _in_chunks(
    draw: Callable[[tuple[int, int, int]], tuple[NDArray[Any], ...]], *, n_scenes: int, seed: int, what: str
) -> list[NDArray[Any]]:
    """Arrays over all scenes, drawn by as many processes as there are cores."""
    chunks = [(start, min(start + CHUNK, n_scenes), seed) for start in range(0, n_scenes, CHUNK)]
    # forked children would inherit torch's threads
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        drawn = list(tqdm(pool.map(draw, chunks), total=len(chunks), desc=what, unit="chunk", disable=None))
    return [np.concatenate(part) for part in zip(*drawn, strict=True)]


def _keep(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        write(file)


def _draw(chunk: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    start, stop, seed = chunk
    scenes = [render_scene(scene_id, seed=seed) for scene_id in range(start, stop)]
    content = scene_features(scenes, n_pixels=1)[0][:, -_N_CONTENT:]
    return np.stack([scene.image for scene in scenes]), content


def _draw_masks(chunk: tuple[int, int, int]) -> tuple[NDArray[np.uint8]]:
    start, stop, seed = chunk
    return (np.stack([render_scene(scene_id, seed=seed).segmentation for scene_id in range(start, stop)]),)
