"""Which trial's image each trial meets in the permutations of an evaluation: the same in all cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.errors import ResultsError

__all__ = ["PERMUTED", "Permutations"]

PERMUTED = "images permuted among the trials of a run"
"""What is exchanged. Runs differ in how well anything is decoded, and a run's images are its own: neither may count."""


@dataclass(frozen=True)
class Permutations:
    """Permutations of the images within runs.

    One set serves all cells of an evaluation, so that the largest statistic over cells has a distribution of its own.

    Attributes
    ----------
    order : array of int32, shape (n_permutations, n_trials)
        ``order[b, i]`` is the trial whose image trial i meets. It may show the same image, or be trial i: such pairs belong
        to the distribution.
    seed : int
    """

    order: NDArray[np.int32]
    seed: int

    @classmethod
    def within_runs(cls, trials: pd.DataFrame, *, n_permutations: int, seed: int) -> Permutations:
        """Draw permutations of the trials of each run; trials without image (-1) keep their place.

        Parameters
        ----------
        trials : DataFrame
            The scored trials in their order, with ``run`` and ``image_id``.
        n_permutations : int
            Of more permutations with the same seed, the first are not the same: each run is drawn as a whole.
        seed : int

        Raises
        ------
        ResultsError
            If there is no permutation to draw, or a column is missing.
        """
        lacking = [name for name in ("run", "image_id") if name not in trials]
        if n_permutations < 1 or lacking:
            raise ResultsError(
                f"{n_permutations} permutations of trials with the columns {list(trials)} were asked for; needed are at least "
                "1, and run and image_id."
            )
        rng = np.random.default_rng(seed)
        order = np.tile(np.arange(len(trials), dtype=np.int32), (n_permutations, 1))
        run, with_image = trials["run"].to_numpy(), (trials["image_id"] >= 0).to_numpy()
        for one in np.unique(run):
            exchanged = np.flatnonzero((run == one) & with_image)
            order[:, exchanged] = rng.permuted(order[:, exchanged], axis=1)
        return cls(order, seed)

    def attrs(self) -> dict[str, str | int]:
        """What a result says of them."""
        return {"seed": self.seed, "n_permutations": len(self.order), "permuted": PERMUTED}
