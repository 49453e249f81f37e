"""Predictions of fitted ridges at any lag: the cells of the train x test matrix, from test volumes that are read once each."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tempgen.decoders.linear_algebra import Algebra, Array, algebra_for
from tempgen.decoders.ridge_fit import RidgeFit, VolumeReader, read_volume
from tempgen.errors import DecoderError

COLUMNS_AT_ONCE = 2048
"""Lags are predicted together up to this many columns (lags x targets): wide enough for full BLAS speed, small enough in memory."""


def predict_ridge_lags(
    volume: VolumeReader,
    fits: Mapping[int, RidgeFit],
    *,
    test_deltas: Sequence[int],
    start_tr: int,
    cells: Collection[tuple[int, int]] | None = None,
    device: str | None = None,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Predictions of decoders fitted at some lags from windows at other lags, each distinct volume read once.

    General decoding is ``{0: fits[0]}`` at all test deltas, Specialized the cells with equal deltas, and the matrix all cells.

    Parameters
    ----------
    volume : VolumeReader
        Called once per offset, in ascending order, with (n_trials, n_voxels) test volumes in return.
    fits : mapping of train delta to RidgeFit
        As `fit_ridge_lags` yields them; all of one shape.
    test_deltas : sequence of int
        Lags of the windows to predict from (TRs).
    start_tr : int
        First volume of the unshifted window, as in training.
    cells : collection of (train_delta, test_delta) or None
        The cells to compute; None means all.
    device : str or None
        As in `fit_ridge_lags`.

    Yields
    ------
    train_delta, test_delta, (n_trials, n_targets) float32
        Test deltas ascend; within one, train deltas ascend.

    Raises
    ------
    DecoderError
        No fits or deltas, fits of different shapes, a cell that is not among them, or volumes that do not match the fits or are not finite.

    Notes
    -----
    A cell costs ``n_trials x n_tr x n_voxels x n_targets`` multiply-adds, and no volume is multiplied twice by the same coefficients. Kernels between test and
    training trials would be cheaper only for ``n_targets`` above about ``1.7 n_training_trials / n_tr``; decoders are kept as coefficients, so they are not used.
    """
    algebra = algebra_for(device)
    if not fits or len(test_deltas) == 0:
        raise DecoderError(
            f"{len(fits)} fitted lags and {len(test_deltas)} test deltas: at least one of each is needed"
        )
    shapes = {fit.coef.shape for fit in fits.values()}
    if len(shapes) > 1:
        raise DecoderError(
            f"the decoders have coefficients of different shapes {sorted(shapes)}; all lags of one analysis share one"
        )
    every = {(train, test) for train in fits for test in test_deltas}
    wanted = every if cells is None else set(cells)
    if not wanted <= every:
        raise DecoderError(
            f"cell {min(wanted - every)} (train_delta, test_delta) is not among the fitted lags {sorted(fits)} and test deltas {sorted(test_deltas)}"
        )
    return _predict_each(volume, fits, wanted=wanted, start_tr=start_tr, algebra=algebra)


def _predict_each(
    volume: VolumeReader,
    fits: Mapping[int, RidgeFit],
    *,
    wanted: set[tuple[int, int]],
    start_tr: int,
    algebra: Algebra,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    n_tr, n_voxels, n_targets = next(iter(fits.values())).coef.shape
    coef = {train: algebra.array(fits[train].coef) for train in {train for train, _ in wanted}}
    at_once = max(1, COLUMNS_AT_ONCE // n_targets)
    sums: dict[tuple[int, int], Array] = {}
    tests = sorted({test for _, test in wanted})
    for offset in sorted({start_tr + test + k for test in tests for k in range(n_tr)}):
        bold = algebra.array(read_volume(volume, offset, n_voxels=n_voxels))
        for test in (test for test in tests if 0 <= offset - start_tr - test < n_tr):
            k = offset - start_tr - test
            trains = sorted(train for train, cell_test in wanted if cell_test == test)
            for some in (trains[i : i + at_once] for i in range(0, len(trains), at_once)):
                product = bold @ algebra.beside([coef[train][k] for train in some])
                for i, train in enumerate(some):
                    part = product[:, i * n_targets : (i + 1) * n_targets]
                    sums[train, test] = part + (
                        sums.pop((train, test)) if k > 0 else algebra.array(fits[train].intercept)
                    )
            if k == n_tr - 1:
                for train in trains:
                    yield train, test, algebra.numpy(sums.pop((train, test)))
