"""Which penalty: for each voxel the one with which the free model predicts held-out runs best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ConfigError
from tempgen.generalization.separability.run_statistics import RunStatistics
from tempgen.generalization.separability.solver import RidgeSolver, squared_error

__all__ = ["ALPHAS", "ChosenPenalty", "choose_penalty", "choose_penalty_by_fold", "folds_of"]

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Penalties, in units of the mean diagonal of the features' Gram matrix. Source: house choice; on simulated subjects with 20 features
and 30 runs the best ones lie inside."""


@dataclass(frozen=True, eq=False)
class ChosenPenalty:
    """The penalty of each voxel, and how well the free model predicts held-out runs with it.

    Attributes
    ----------
    alpha : array of float64, shape (n_voxels,)
    r2 : array of float64, shape (n_voxels,)
        Share of the variance that the mean response leaves.
    """

    alpha: NDArray[np.float64]
    r2: NDArray[np.float64]


def folds_of(n_units: int, *, n_folds: int, seed: int) -> list[NDArray[np.int64]]:
    """Units in groups whose sizes differ by one at most, drawn at random.

    Raises
    ------
    ConfigError
        If there are fewer units than folds, or fewer than two folds.
    """
    if not 2 <= n_folds <= n_units:
        raise ConfigError(
            f"{n_folds} folds of {n_units} runs: needed are 2 folds at least, and a run for each."
        )
    order = np.random.default_rng(seed).permutation(n_units)
    return [np.sort(fold) for fold in np.array_split(order, n_folds)]


def choose_penalty(
    statistics: RunStatistics,
    penalized: NDArray[np.bool_],
    folds: list[NDArray[np.int64]],
    *,
    alphas: Sequence[float],
) -> ChosenPenalty:
    """For each voxel the least squared error over held-out folds, the first of equals.

    Parameters
    ----------
    statistics : RunStatistics
    penalized : array of bool, shape (n_columns,)
    folds : list of array
        Units; each fold is held out once.
    alphas : sequence of float

    Raises
    ------
    ConfigError
        If alphas are not positive.
    """
    grid = _checked(alphas)
    errors = [
        _errors(statistics, penalized, _without(folds, {k}), [fold], grid)[0] for k, fold in enumerate(folds)
    ]
    return _least(np.sum(errors, axis=0), grid)


def choose_penalty_by_fold(
    statistics: RunStatistics,
    penalized: NDArray[np.bool_],
    folds: list[NDArray[np.int64]],
    *,
    alphas: Sequence[float],
) -> list[ChosenPenalty]:
    """As `choose_penalty` on the runs outside each fold, which serve its test: one choice a fold.

    Raises
    ------
    ConfigError
        If alphas are not positive, or there are fewer than three folds.
    """
    grid = _checked(alphas)
    if len(folds) < 3:
        raise ConfigError(
            f"{len(folds)} folds: three or more are needed, to choose the penalty on runs that are not tested."
        )
    error = np.zeros((len(folds), len(grid) + 1, statistics.squares.shape[1]))
    for one, other in combinations(range(len(folds)), 2):
        # a model of the runs outside both folds is tested on each, for the sake of the other
        rest = _without(folds, {one, other})
        on_other, on_one = _errors(statistics, penalized, rest, [folds[other], folds[one]], grid)
        error[one] += on_other
        error[other] += on_one
    return [_least(of_fold, grid) for of_fold in error]


def _checked(alphas: Sequence[float]) -> NDArray[np.float64]:
    grid = np.asarray(alphas, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or not (np.isfinite(grid) & (grid > 0)).all():
        raise ConfigError(f"alphas={list(np.ravel(grid))}: one or more finite positive numbers are needed.")
    return grid


def _without(folds: list[NDArray[np.int64]], left_out: set[int]) -> NDArray[np.int64]:
    return np.concatenate([fold for k, fold in enumerate(folds) if k not in left_out])


def _errors(
    statistics: RunStatistics,
    penalized: NDArray[np.bool_],
    training: NDArray[np.int64],
    tested: list[NDArray[np.int64]],
    grid: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Squared errors on each tested fold at each penalty, and last of the mean response alone: (n_tested, n_alphas + 1, n_voxels)."""
    of_training = statistics.of(training)
    solver = RidgeSolver(of_training.gram, penalized)
    rotated = solver.rotated(of_training.products)
    held_out = [statistics.of(fold) for fold in tested]
    errors = np.empty((len(tested), len(grid) + 1, statistics.squares.shape[1]))
    for row, alpha in enumerate([*grid, np.inf]):
        columns = solver.with_mean(solver.shrunk(rotated, alpha), of_training.products)
        for k, sums in enumerate(held_out):
            errors[k, row] = squared_error(columns, sums)
    return errors


def _least(error: NDArray[np.float64], grid: NDArray[np.float64]) -> ChosenPenalty:
    best, nothing = error[:-1].min(axis=0), error[-1]
    return ChosenPenalty(
        alpha=grid[error[:-1].argmin(axis=0)],
        r2=1 - np.divide(best, nothing, out=np.ones_like(best), where=nothing > 0),
    )
