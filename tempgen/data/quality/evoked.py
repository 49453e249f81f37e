"""The mean evoked response by a finite impulse response (FIR) model: one coefficient for each volume after onset.

With X[t, l] = 1 where a trial began l volumes before t, the response b solves y = X b + noise for all trials of all runs
together. Averages after onset would hold the neighbours as well, 4 s apart; here trials share what overlaps, which works
because blanks vary the distance between them.

Source: Dale 1999, Human Brain Mapping 8:109-114, doi:10.1002/(SICI)1097-0193(1999)8:2/3<109::AID-HBM7>3.0.CO;2-W.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["EvokedResponse"]

_WORST_CONDITION = 200.0
"""Of the normal equations. Source: house choice; with NSD's blanks it is 64 (24 s of response), with none, where the ends of runs alone
tell the volumes apart, above 300."""


@dataclass
class EvokedResponse:
    """Normal equations, run by run.

    Parameters
    ----------
    n_lags : int
        Volumes after onset, the onset's own among them.
    """

    n_lags: int
    _gram: list[NDArray[np.float64]] = field(default_factory=list)
    _moment: list[NDArray[np.float64]] = field(default_factory=list)

    def add_run(self, series: NDArray[np.floating], onset_tr: NDArray[np.int64]) -> None:
        """Add a run.

        Parameters
        ----------
        series : array, shape (n_volumes, n_series)
            Without NaN.
        onset_tr : array of int, shape (n_trials,)
            Volumes at which trials begin.
        """
        design = np.zeros((len(series), self.n_lags))
        for lag in range(self.n_lags):
            rows = onset_tr + lag
            design[rows[rows < len(series)], lag] = 1
        design -= design.mean(axis=0)  # of each run only the mean over volumes is lost to z-scoring
        self._gram.append(design.T @ design)
        self._moment.append(design.T @ (series - series.mean(axis=0)))

    def solve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Response and its standard error (jackknife over runs), each (n_lags, n_series); None if it cannot be told.

        It cannot where trials always follow one another at one distance. With one run the error is NaN.
        """
        gram, moment = np.sum(self._gram, axis=0), np.sum(self._moment, axis=0)
        if np.linalg.cond(gram) > _WORST_CONDITION:
            return None
        response = np.linalg.solve(gram, moment)
        n_runs = len(self._gram)
        if n_runs < 2:
            return response, np.full_like(response, np.nan)
        left_out = np.stack(
            [
                np.linalg.lstsq(gram - one, moment - other, rcond=None)[0]
                for one, other in zip(self._gram, self._moment, strict=True)
            ]
        )
        spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
        return response, np.sqrt((n_runs - 1) / n_runs * spread)
