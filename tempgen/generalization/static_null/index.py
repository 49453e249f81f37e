"""The dynamics index of mean scores, pooled over pairs of lags: the statistic that observed and surrogate BOLD are compared in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["matrix_index", "separated_pairs"]


def matrix_index(score: NDArray[np.float64], pairs: NDArray[np.int64]) -> float:
    """Sum over pairs of lags of ``G_ii + G_jj - G_ij - G_ji``, over the sum of ``G_ii + G_jj``.

    As `tempgen.generalization.summaries.dynamics_index`, but the ratio of the sums and not the mean of the ratios: a pair at
    whose lags there is little to lose counts little, so that its noise does.

    Parameters
    ----------
    score : array, shape (n_lags, n_lags)
        Scores above chance, trained at, tested at.
    pairs : array of int, shape (n_pairs, 2)
        Positions of the lags of each pair.

    Returns
    -------
    float
        NaN without pairs, or if the decoders are not above chance at their own lags.

    Examples
    --------
    >>> matrix_index(np.array([[0.5, 0.1], [0.2, 0.5]]), np.array([[0, 1]])).__round__(2)
    0.7
    """
    i, j = np.asarray(pairs).reshape(-1, 2).T
    own = float((score[i, i] + score[j, j]).sum())
    return (
        float((score[i, i] + score[j, j] - score[i, j] - score[j, i]).sum() / own)
        if own > 0
        else float("nan")
    )


def separated_pairs(
    deltas: NDArray[np.int64], chosen: NDArray[np.bool_], *, min_separation: int
) -> NDArray[np.int64]:
    """Positions (n_pairs, 2) of the pairs of chosen lags that are so many TRs apart or more.

    Parameters
    ----------
    deltas : array of int, shape (n_lags,)
        Ascending.
    chosen : array of bool, shape (n_lags,)
    min_separation : int
        TRs, from 1.
    """
    both = chosen[:, np.newaxis] & chosen[np.newaxis]
    return np.argwhere(both & (deltas[np.newaxis] - deltas[:, np.newaxis] >= min_separation))
