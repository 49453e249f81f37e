"""Presentations of a test image: all of them scored, one of them, or their windows averaged."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.config.evaluation import EvaluationConfig
from tempgen.data.window_dataset import WindowDataset


def evaluated_trials(
    image_ids: NDArray[np.int64],
    test: NDArray[np.bool_],
    config: EvaluationConfig,
    *,
    n_trials: int | None = None,
) -> NDArray[np.bool_]:
    """Test trials that stand in a result: all of them or one of each image, and of these as many as are asked for.

    Parameters
    ----------
    image_ids : array of int, shape (n_trials_of_store,)
    test : array of bool, shape (n_trials_of_store,)
        Trials that the split tests.
    config : EvaluationConfig
        ``repetitions``, ``max_trials`` and ``seed``. Of an average the first presentation stands for the image.
    n_trials : int, optional
        At most that many; of two numbers, the larger one's trials contain the smaller one's.

    Returns
    -------
    array of bool, shape (n_trials_of_store,)

    Examples
    --------
    >>> shown, test = np.array([7, 7, 9, 7]), np.array([False, True, True, True])
    >>> evaluated_trials(shown, test, EvaluationConfig(repetitions="average")).tolist()
    [False, True, True, False]
    """
    rng, candidates = np.random.default_rng(config.seed), np.flatnonzero(test)
    if config.repetitions == "one":
        candidates = _first_of_each_image(rng.permutation(candidates), image_ids)
    if config.repetitions == "average":
        candidates = _first_of_each_image(candidates, image_ids)
    order = rng.permutation(candidates)
    at_most = [n for n in (n_trials, config.max_trials) if n is not None]
    chosen = np.zeros_like(test)
    chosen[order[: min(at_most)] if at_most else order] = True
    return chosen


def _first_of_each_image(trials: NDArray[np.int64], image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    return trials[np.unique(image_ids[trials], return_index=True)[1]]


class AveragedWindows:
    """Windows of images, each the mean over the windows of its presentations at the same lag.

    Parameters
    ----------
    presentations : WindowDataset
        All presentations of these images.
    first : array of bool, shape (n_trials_of_store,)
        One presentation of each image, which stands for it.

    Attributes
    ----------
    table : DataFrame
        The trials table's rows of ``first``.
    """

    def __init__(self, presentations: WindowDataset, first: NDArray[np.bool_]) -> None:
        self._presentations = presentations
        self.table = presentations.table.loc[np.flatnonzero(first)]
        image = pd.Index(self.table["image_id"]).get_indexer(presentations.table["image_id"])
        self._by_image = np.argsort(image, kind="stable")
        self._starts = np.searchsorted(image[self._by_image], np.arange(len(self.table)))
        self._n_presentations = np.bincount(image).astype(np.float32)

    def __len__(self) -> int:
        return len(self.table)

    def volume(self, offset_tr: int) -> NDArray[np.float32]:
        """Mean volume ``offset_tr`` TRs after the onsets of each image, shape (n_images, n_voxels).

        Raises
        ------
        WindowOutsideRunError, ConfigError
            As `WindowDataset.volume`.
        """
        values = self._presentations.volume(offset_tr)[self._by_image]
        mean: NDArray[np.float32] = np.add.reduceat(values, self._starts, axis=0)
        mean /= self._n_presentations[:, None]
        return mean

    def windows(self, delta: int = 0) -> NDArray[np.float32]:
        """Mean windows shifted by ``delta`` TRs, shape (n_images, n_tr, n_voxels)."""
        return np.stack(
            [self.volume(offset) for offset in self._presentations.window.offsets([delta])], axis=1
        )


EvaluatedWindows = WindowDataset | AveragedWindows
"""Of the trials that are decoded."""
