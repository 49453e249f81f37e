"""Pairs of informative lags of the generalization matrix: what indices of its shape are means over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.summaries.informative import informative_lags
from tempgen.generalization.summaries.resampling import ResampledCells

__all__ = ["LagPairs", "lag_pairs"]


@dataclass(frozen=True)
class LagPairs:
    """Scores above chance of decoders trained at lag i and tested at j, for pairs i < j.

    Attributes
    ----------
    ii, jj, ij, ji : array, shape (1 + n_draws, n_pairs)
        First the measured ones, then those of each draw; ``ij`` is trained at i and tested at j.
    n_lags : int
        Informative lags.
    n_missing : int
        Pairs that were left out since a cell of them was not scored.
    said_by : str
        What made lags informative.
    reason : str
        Why there is no pair; empty if there is.
    """

    ii: NDArray[np.float64]
    jj: NDArray[np.float64]
    ij: NDArray[np.float64]
    ji: NDArray[np.float64]
    n_lags: int
    n_missing: int
    said_by: str
    reason: str


def lag_pairs(cells: ResampledCells, *, min_separation: int, mask: xr.DataArray | None) -> LagPairs:
    """Pairs of lags, at least ``min_separation`` TRs apart, at each of which the Specialized decoder is above chance.

    Which lags these are is decided once, on the measured scores; draws keep them.

    Raises
    ------
    ResultsError
        If the separation is below 1 TR, there is no Specialized decoder, or the mask does not fit.
    """
    if min_separation < 1:
        raise ResultsError(f"Lags of a pair are 1 TR apart or more, got min_separation={min_separation}.")
    diagonal = cells.curve("specialized")
    informative = informative_lags(diagonal, mask)
    lags = diagonal.deltas[informative.mask]
    square = {"train_delta": lags, "test_delta": lags}
    measured = cells.mean.sel(square).to_numpy()[np.newaxis]
    drawn = cells.drawn.sel(square).transpose("draw", "train_delta", "test_delta").to_numpy()
    matrices = np.concatenate([measured, drawn])
    i, j = np.nonzero(lags[np.newaxis] - lags[:, np.newaxis] >= min_separation)
    there = ~np.isnan(measured[0][i, j] + measured[0][j, i])
    n_missing = int(np.count_nonzero(~there))
    reason = informative.reason
    if not reason and not len(i):
        reason = f"of the {len(lags)} lags above chance no two are {min_separation} TRs apart or more"
    elif not reason and not there.any():
        reason = "the cells off the diagonal were not scored: evaluate the whole matrix"
    i, j = i[there], j[there]
    return LagPairs(
        ii=matrices[:, i, i],
        jj=matrices[:, j, j],
        ij=matrices[:, i, j],
        ji=matrices[:, j, i],
        n_lags=len(lags),
        n_missing=n_missing,
        said_by=informative.said_by,
        reason=reason,
    )
