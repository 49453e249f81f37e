"""Regularization chosen on held-out training runs: which trials each fold holds out, and their exact errors without refitting."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.decoders.linear_algebra import Algebra, Array
from tempgen.errors import DecoderError

HELD_OUT_FRACTION = 5
"""With one fold, every fifth group is held out (the 80 / 20 division that scikit-learn's five folds repeat)."""


def assign_folds(groups: ArrayLike, *, n_folds: int) -> NDArray[np.int64]:
    """Fold that holds out each trial; whole groups (runs) are held out together.

    Groups in ascending order are dealt to the folds in turn, so that each fold samples the whole recording and slow changes between sessions
    reach all folds alike. With ``n_folds=1`` one fold holds out every fifth group and the other trials always train.

    Parameters
    ----------
    groups : (n_trials,)
        Run of each trial, any sortable labels.
    n_folds : int
        At least 1.

    Returns
    -------
    (n_trials,) int64
        From 0; -1 for trials that are never held out.

    Raises
    ------
    DecoderError
        If there are fewer groups than folds, or only one group.

    Examples
    --------
    >>> assign_folds([10, 10, 11, 12, 13, 13], n_folds=2)
    array([0, 0, 1, 0, 1, 1])
    >>> assign_folds(range(10), n_folds=1)
    array([-1, -1,  0, -1, -1, -1, -1,  0, -1, -1])
    """
    names, group_index = np.unique(np.asarray(groups), return_inverse=True)
    n_needed = max(n_folds, 2)
    if n_folds < 1:
        raise DecoderError(f"n_folds={n_folds}: at least 1 fold is needed to choose alpha")
    if len(names) < n_needed:
        raise DecoderError(
            f"the training trials come from {len(names)} group(s) (runs), and n_folds={n_folds} needs at least {n_needed}: "
            "lower n_folds, train on more runs, or give a single alpha, which needs no folds"
        )
    if n_folds == 1:
        first = min(HELD_OUT_FRACTION // 2, len(names) - 1)
        fold_of_group = np.full(len(names), -1)
        fold_of_group[first::HELD_OUT_FRACTION] = 0
    else:
        fold_of_group = np.arange(len(names)) % n_folds
    return fold_of_group[group_index.reshape(-1)]


def fold_slices(fold: NDArray[np.int64]) -> list[slice]:
    """Where each fold lies among trials that are sorted by fold (those that are never held out, -1, come first)."""
    in_order = np.sort(fold)
    edges = np.searchsorted(in_order, np.arange(in_order[-1] + 2))
    return [slice(int(start), int(stop)) for start, stop in pairwise(edges)]


def held_out_squared_error(
    inverse_factor: Array, dual: Array, folds: list[slice], *, mean_weight: float, algebra: Algebra
) -> Array:
    """Squared errors on held-out trials, summed over them, from the one solution on all trials.

    Let ``A = K + alpha I + m 11^T / n`` with ``K`` the Gram matrix of centred features, and ``c = inv(A) y`` for centred ``y``. Ridge with a free intercept, fitted
    without the trials ``F``, errs on them by exactly ``inv(G_FF) c_F``, where ``G = inv(A) - 11^T / (n (alpha + m))`` is the inverse of the bordered system that
    holds the intercept (its Schur complement). One factorization per alpha thus serves all folds and the final fit: for 5 folds,
    about as many operations as one and a half fits, and more folds cost no more.

    Parameters
    ----------
    inverse_factor : (n_trials, n_trials)
        Inverse of the lower Cholesky factor of ``A``, trials sorted by fold.
    dual : (n_trials, n_targets)
        ``c``, trials in the same order.
    mean_weight : float
        ``1 / (n (alpha + m))``.

    Returns
    -------
    (n_targets,)
        In squared units of the targets.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a fold's block is not positive definite at this precision.

    Notes
    -----
    Source: the leave-one-out identity of ridge (Allen 1974, Technometrics 16, 125-127) for groups of trials; Pahikkala et al. 2006 (SCAI, 83-90).
    """
    total = 0.0
    for fold in folds:
        columns = inverse_factor[fold.start :, fold]  # the factor is lower triangular: rows above are zero
        block = columns.T @ columns
        block -= mean_weight
        block_factor = algebra.inverse_cholesky(block)
        residual = block_factor.T @ (block_factor @ dual[fold])
        total = total + (residual * residual).sum(0)
    return total
