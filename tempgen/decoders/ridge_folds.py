"""Held-out training runs: which trials each fold holds out, and the exact errors on them without refitting."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.decoders.linear_algebra import Algebra, Array
from tempgen.errors import DecoderError

HELD_OUT_EVERY = 5
"""A single fold holds out every fifth run: the 80 / 20 division that scikit-learn's default of five folds repeats."""


def assign_folds(groups: ArrayLike, *, n_folds: int) -> NDArray[np.int64]:
    """Fold that holds out each trial; the trials of a group (a run) are held out together.

    Groups in ascending order are dealt to the folds in turn, so that each fold samples the whole recording, and slow
    changes over sessions reach all folds alike. With ``n_folds=1`` one fold holds out every fifth group, and the other
    trials always train.

    Parameters
    ----------
    groups : (n_trials,)
        Run of each trial: any labels that can be sorted.
    n_folds : int
        At least 1.

    Returns
    -------
    (n_trials,) int64
        From 0; -1 for trials that are never held out.

    Raises
    ------
    DecoderError
        If there are fewer groups than folds, or a single group.

    Examples
    --------
    >>> assign_folds([10, 10, 11, 12, 13, 13], n_folds=2)
    array([0, 0, 1, 0, 1, 1])
    >>> assign_folds(range(10), n_folds=1)
    array([-1, -1,  0, -1, -1, -1, -1,  0, -1, -1])
    """
    names, group_of_trial = np.unique(np.asarray(groups), return_inverse=True)
    if n_folds < 1:
        raise DecoderError(f"n_folds={n_folds}: at least one fold of held-out runs is needed to choose alpha")
    if len(names) < max(n_folds, 2):
        raise DecoderError(
            f"the training trials come from {len(names)} run(s), and n_folds={n_folds} needs at least {max(n_folds, 2)}: "
            "lower n_folds, train on more runs, or give a single alpha, which needs no folds"
        )
    if n_folds > 1:
        fold_of_group = np.arange(len(names)) % n_folds
    else:
        fold_of_group = np.full(len(names), -1)
        fold_of_group[min(HELD_OUT_EVERY // 2, len(names) - 1) :: HELD_OUT_EVERY] = 0
    return fold_of_group[group_of_trial.reshape(-1)]


def fold_slices(fold: NDArray[np.int64]) -> list[slice]:
    """Where each fold lies once trials are sorted by fold (those that are never held out, -1, come first).

    Examples
    --------
    >>> fold_slices(np.array([-1, -1, 0, 0, 0, 1]))
    [slice(2, 5, None), slice(5, 6, None)]
    """
    edges = np.searchsorted(np.sort(fold), np.arange(fold.max() + 2))
    return [slice(int(start), int(stop)) for start, stop in pairwise(edges)]


def held_out_squared_error(
    inverse_factor: Array, dual: Array, folds: list[slice], *, mean_weight: float, algebra: Algebra
) -> Array:
    """Squared errors on held-out trials, summed over them, from the one solution on all trials.

    Let ``A = K + alpha I + m 11^T / n``, where ``K`` is the Gram matrix of centred features and ``m`` any constant, and
    ``c = inv(A) y`` for centred ``y``. Ridge with a free intercept, fitted without the trials ``F``, errs on them by
    exactly ``inv(G_FF) c_F``, where ``G = inv(A) - 11^T / (n (alpha + m))`` is the inverse of the system bordered by the
    intercept. One factorization per alpha thus serves all folds and the final fit, and more folds cost no more; five
    refits would cost about twice as much.

    Parameters
    ----------
    inverse_factor : (n_trials, n_trials)
        Inverse of the lower Cholesky factor of ``A``, trials sorted by fold.
    dual : (n_trials, n_targets)
        ``c``, trials in the same order.
    folds : list of slice
        See `fold_slices`; the folds' order among trials does not matter.
    mean_weight : float
        ``1 / (n (alpha + m))``.

    Returns
    -------
    (n_targets,)
        In squared units of the targets; 0 without folds.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the block of a fold is not positive definite at this precision.

    Notes
    -----
    Source: Allen 1974 (Technometrics 16, 125-127) for single trials; Pahikkala et al. 2006 (SCAI, 83-90) for groups.
    """
    total = (dual[:0] * dual[:0]).sum(0)
    for fold in folds:
        columns = inverse_factor[fold.start :, fold]  # a lower triangular factor: the rows above are zero
        block = columns.T @ columns
        block -= mean_weight
        residual = algebra.solve(algebra.inverse_cholesky(block), dual[fold])
        total = total + (residual * residual).sum(0)
    return total
