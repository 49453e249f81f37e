"""Ridge from BOLD windows at many lags, from volumes that are read once each.

The window of lag ``delta`` is the volumes at offsets ``start_tr + delta + k``, ``k = 0 .. n_tr - 1``, from image onset; its
features are all voxels of all these volumes. With each volume centred by its mean over training trials, the Gram matrix
of a window is the sum of the Gram matrices of its volumes: 16 lags of 6 TRs share 21 volumes, so that 21 products of
(trials x voxels) replace 96, and trials x features x lags is never built. For each alpha, one factorization then gives
the held-out errors of all folds (`ridge_folds`) and the final solution. Coefficients are kept per volume of
the window, so that any lag is predicted by the same products (`ridge_prediction`).

The dual form is used throughout: a lag costs about ``n_alphas x n_trials^3`` multiply-adds, and this is what limits it. At
NSD's 27,000 training trials, 16 lags and 10 alphas take hours on a few CPU cores; there, give ``device="cuda"``. Where
a window has far fewer features than there are training trials (one volume of a small region), the primal form would
cost less; such problems are small, and get no second solver.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.decoders.linear_algebra import BLOCK, Algebra, Array, algebra_for
from tempgen.decoders.ridge_fit import RidgeFit, VolumeReader, read_volume
from tempgen.decoders.ridge_folds import assign_folds, fold_slices, held_out_squared_error
from tempgen.errors import DecoderError

TRUSTED_RESIDUAL = 1e-4
"""Residual of the linear system, relative to the targets, above which a float32 solution is solved again in float64.

Measured on correlated voxels: predictions on new trials then err by 4 to 6 residuals of their SD, hence by less than 1e-3.
"""

REFUSED_RESIDUAL = 1e-3
"""Residual above which the float64 solution, rounded to float32, is refused: alpha is below the precision of the Gram matrix."""

ROUNDING = 1e-6
"""Variation relative to the mean that float32 cannot tell from rounding (its epsilon is 1.2e-7)."""


@dataclass(frozen=True)
class _Task:
    """What is the same at all lags; trials are sorted by fold."""

    targets: Array  # (n_trials, n_targets), centred
    target_mean: NDArray[np.float32]
    order: NDArray[np.int64]
    folds: list[slice]
    alphas: NDArray[np.float64]
    alpha_per_target: bool
    algebra: Algebra


@dataclass
class _TrainingVolumes:
    """The volumes of the current window, each with its Gram matrix; older ones are dropped as the window moves on."""

    read: VolumeReader
    task: _Task
    centred: dict[int, Array] = field(default_factory=dict)  # offset -> (n_trials, n_voxels)
    mean: dict[int, NDArray[np.float32]] = field(default_factory=dict)  # offset -> (n_voxels,)
    gram: dict[int, Array] = field(default_factory=dict)  # offset -> (n_trials, n_trials)

    def move_to(self, window: range) -> None:
        for held in (self.centred, self.mean, self.gram):
            for offset in [old for old in held if old < window.start]:
                del held[offset]
        for offset in window:
            if offset not in self.gram:
                n_trials = len(self.task.order)
                volume = read_volume(self.read, offset, n_trials=n_trials)[self.task.order]
                self.mean[offset] = np.ones(n_trials, dtype=np.float32) @ volume / np.float32(n_trials)
                volume -= self.mean[offset]
                self.centred[offset] = self.task.algebra.array(volume)
                self.gram[offset] = self.centred[offset] @ self.centred[offset].T


def fit_ridge_lags(
    volume: VolumeReader,
    targets: ArrayLike,
    *,
    deltas: Sequence[int],
    start_tr: int,
    n_tr: int,
    alphas: Sequence[float],
    groups: ArrayLike | None,
    n_folds: int = 5,
    alpha_per_target: bool = False,
    device: str | None = None,
) -> Iterator[tuple[int, RidgeFit]]:
    """Fit one ridge per lag, lags in ascending order; each distinct volume is read once.

    Parameters
    ----------
    volume : VolumeReader
        Called once per offset, in ascending order, for training volumes (n_trials, n_voxels), trials as in ``targets``.
    targets : (n_trials, n_targets)
        Anything to decode: low-resolution pixels, image features, one-hot labels.
    deltas : sequence of int
        Lags to fit (TRs); duplicates count once.
    start_tr, n_tr : int
        The unshifted window: first volume after onset, and width in volumes.
    alphas : sequence of float
        Regularization grid, in units of the mean diagonal of the window's centred Gram matrix: the same grid serves any
        number of voxels, any ``n_tr`` and any scaling of BOLD. All positive.
    groups : (n_trials,) or None
        Run of each trial: whole runs are held out to choose alpha. May be None with a single alpha.
    n_folds : int
        Folds of runs, see `assign_folds`; 1 holds out a fifth of the runs once.
    alpha_per_target : bool
        Choose alpha for each target, or one for all (the least squared error summed over targets). The first of equals
        is taken.
    device : str or None
        None: NumPy. Else torch on this device: ``"cuda"``, ``"cpu"``.

    Yields
    ------
    delta, RidgeFit

    Raises
    ------
    DecoderError
        Shapes that do not match, values that are not finite, alphas that are not positive, too few runs for the folds
        (all by the call itself); volumes of another shape, not finite or without any variance, or an alpha too small for
        float32 (when their lag comes).

    Notes
    -----
    Solutions are float32. Each is checked by its residual on one random combination of targets: above
    `TRUSTED_RESIDUAL`, or where the matrix is not positive definite in float32, this alpha is solved again in float64;
    above `REFUSED_RESIDUAL` it is an error. Equal input gives equal output, bit for bit, on one machine with the
    same number of threads.
    """
    algebra = algebra_for(device)
    y = np.asarray(targets, dtype=np.float32)
    if y.ndim != 2 or 0 in y.shape:
        raise DecoderError(
            f"targets have shape {y.shape}; (n_trials, n_targets) with at least one of each is needed"
        )
    if not np.isfinite(y).all():
        raise DecoderError(
            f"targets hold {np.count_nonzero(~np.isfinite(y))} values that are not finite; drop those trials before training"
        )
    grid = np.asarray(alphas, dtype=np.float64)
    if grid.ndim != 1 or len(grid) == 0 or not (np.isfinite(grid) & (grid > 0)).all():
        raise DecoderError(f"alphas={list(np.ravel(grid))}: one or more finite positive numbers are needed")
    if len(deltas) == 0 or n_tr < 1:
        raise DecoderError(
            f"{len(deltas)} deltas and n_tr={n_tr}: at least one lag and one volume are needed"
        )
    fold = _folds_of_trials(groups, n_trials=len(y), n_folds=n_folds, n_alphas=len(grid))
    order = np.argsort(fold, kind="stable")
    target_mean = y.mean(axis=0, dtype=np.float64).astype(np.float32)
    folds = fold_slices(fold) if len(grid) > 1 else []
    task = _Task(
        algebra.array(y[order] - target_mean), target_mean, order, folds, grid, alpha_per_target, algebra
    )
    return _fit_each(volume, task, deltas=sorted(set(deltas)), start_tr=start_tr, n_tr=n_tr)


def _fit_each(
    volume: VolumeReader,
    task: _Task,
    *,
    deltas: list[int],
    start_tr: int,
    n_tr: int,
) -> Iterator[tuple[int, RidgeFit]]:
    volumes = _TrainingVolumes(volume, task)
    for delta in deltas:
        window = range(start_tr + delta, start_tr + delta + n_tr)
        volumes.move_to(window)
        fit = _fit_window(volumes, window, task)
        yield delta, fit


def _fit_window(volumes: _TrainingVolumes, window: range, task: _Task) -> RidgeFit:
    grams = [volumes.gram[offset] for offset in window]
    alpha_scale = sum(float(gram.trace()) for gram in grams) / len(grams[0])
    squared_mean = sum(float(volumes.mean[offset] @ volumes.mean[offset]) for offset in window)
    if not alpha_scale > ROUNDING**2 * squared_mean:
        raise DecoderError(
            f"no voxel varies over trials in the volumes {window[0]} to {window[-1]} TRs after onset: "
            "nothing to decode from"
        )
    # A constant is absorbed by the intercept; it lifts the zero eigenvalue that centring leaves in the kernel.
    kernel = grams[0] + alpha_scale / len(grams[0])
    for rows in (slice(start, start + BLOCK) for start in range(0, len(kernel), BLOCK)):
        for gram in grams[1:]:  # a block of rows stays in cache while all volumes are added
            kernel[rows] += gram[rows]
    dual, chosen, cv_error = _choose_alphas(kernel, alpha_scale, task)
    with task.algebra.side_by_side(len(kernel)) as each:
        parts = each(lambda offset: volumes.centred[offset].T @ dual, window)
        coef = np.stack([task.algebra.numpy(part) for part in parts])
    intercept = task.target_mean - sum(volumes.mean[offset] @ coef[k] for k, offset in enumerate(window))
    return RidgeFit(coef, intercept.astype(np.float32), task.alphas[chosen], cv_error, alpha_scale)


def _choose_alphas(
    kernel: Array, alpha_scale: float, task: _Task
) -> tuple[Array, NDArray[np.int64], NDArray[np.float64]]:
    """Dual coefficients (n_trials, n_targets) at the best alphas, these alphas' indices (n_targets,), and ``cv_error``."""
    n_trials, n_targets = task.targets.shape

    def solve(alpha: float) -> tuple[Array, NDArray[np.float64]]:
        return _solve(kernel, alpha * alpha_scale, shift=alpha_scale, task=task)

    cv_error = np.full((len(task.alphas), n_targets), np.nan)
    least, chosen = np.full(n_targets, np.inf), np.zeros(n_targets, dtype=np.int64)
    best_dual = None
    with task.algebra.side_by_side(n_trials) as each:
        for index, (dual, error) in enumerate(each(solve, task.alphas.tolist())):
            cv_error[index] = error
            compared = error if task.alpha_per_target else np.full(n_targets, error.mean())
            better = compared < least
            if best_dual is None or better.all():
                best_dual = dual
            elif better.any():
                columns = np.flatnonzero(better).tolist()
                best_dual[:, columns] = dual[:, columns]
            least, chosen = np.where(better, compared, least), np.where(better, index, chosen)
    return best_dual, chosen, cv_error


def _solve(kernel: Array, penalty: float, *, shift: float, task: _Task) -> tuple[Array, NDArray[np.float64]]:
    """Dual coefficients (n_trials, n_targets), and mean squared held-out errors (n_targets,), for one penalty."""
    algebra, residual = task.algebra, np.inf
    for in_double in (False, True):
        system = algebra.double(kernel) if in_double else kernel
        targets = algebra.double(task.targets) if in_double else task.targets
        try:
            factor = algebra.inverse_cholesky(algebra.plus_diagonal(system, penalty))
            dual = algebra.solve(factor, targets)
            rounded = algebra.single(dual)
            residual = _relative_residual(system, penalty, dual=rounded, targets=targets, algebra=algebra)
            if residual > (REFUSED_RESIDUAL if in_double else TRUSTED_RESIDUAL):
                continue
            mean_weight = 1 / (len(kernel) * (penalty + shift))
            squared = held_out_squared_error(
                factor, dual, task.folds, mean_weight=mean_weight, algebra=algebra
            )
        except np.linalg.LinAlgError:
            continue
        n_held_out = sum(fold.stop - fold.start for fold in task.folds)
        error = np.full(targets.shape[1], np.nan)
        if n_held_out > 0:
            error = algebra.numpy(squared).astype(np.float64) / n_held_out
        return rounded, error
    raise DecoderError(
        f"alpha={penalty / shift:.3g} (times the mean diagonal of the Gram matrix) is too small for float32 volumes: "
        f"the solution leaves a relative residual of {residual:.2g}; raise the smallest alpha"
    )


def _relative_residual(
    system: Array, penalty: float, *, dual: Array, targets: Array, algebra: Algebra
) -> float:
    """Norm of ``(K + penalty I) dual - targets`` over that of ``targets``, for one random combination of targets."""
    weights = algebra.array(np.random.default_rng(0).standard_normal(targets.shape[1], dtype=np.float32))
    if system.dtype != dual.dtype:
        dual, weights = algebra.double(dual), algebra.double(weights)
    combined_dual, combined_targets = dual @ weights, targets @ weights
    residual = system @ combined_dual + penalty * combined_dual - combined_targets
    scale = float((combined_targets * combined_targets).sum()) ** 0.5
    return float((residual * residual).sum()) ** 0.5 / scale if scale > 0 else 0.0


def _folds_of_trials(
    groups: ArrayLike | None, *, n_trials: int, n_folds: int, n_alphas: int
) -> NDArray[np.int64]:
    if groups is None:
        if n_alphas > 1:
            raise DecoderError(
                f"{n_alphas} alphas and no groups: give the run of each trial, so that alpha is chosen on held-out runs, or a single alpha"
            )
        return np.full(n_trials, -1)
    if len(np.asarray(groups)) != n_trials:
        raise DecoderError(
            f"{len(np.asarray(groups))} groups for {n_trials} trials: one run label per trial is needed"
        )
    return assign_folds(groups, n_folds=n_folds) if n_alphas > 1 else np.full(n_trials, -1)
