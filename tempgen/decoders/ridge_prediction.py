"""Predictions of fitted ridges at any lag: the cells of the train x test matrix, from test volumes that are read once each."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tempgen.decoders.linear_algebra import Algebra, Array, algebra_for
from tempgen.decoders.ridge_fit import RidgeFit, VolumeReader, read_volume
from tempgen.errors import DecoderError

COLUMNS_AT_ONCE = 2048
"""Train lags are predicted together up to this many columns (lags x targets): enough for BLAS's full pace, little memory."""
SMALL_PRODUCT = 2**21
"""Multiply-adds (trials x voxels x targets) up to which each lag is predicted by itself. OpenBLAS has another kernel for small
products (up to 1e6), and a lag's bits must not depend on the lags beside it: rows of the matrix are also scored apart."""


def predict_ridge_lags(
    volume: VolumeReader,
    fits: Mapping[int, RidgeFit],
    *,
    test_deltas: Sequence[int],
    start_tr: int,
    cells: Collection[tuple[int, int]] | None = None,
    device: str | None = None,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Predictions of decoders fitted at some lags, from windows at other lags; each distinct volume is read once.

    General decoding is the cells whose train delta is 0, Specialized those whose deltas are equal, the matrix all of them.

    Parameters
    ----------
    volume : VolumeReader
        Called once per offset, in ascending order, for test volumes (n_trials, n_voxels).
    fits : mapping of train delta to RidgeFit
        As `fit_ridge_lags` yields them; all of one shape.
    test_deltas : sequence of int
        Lags of the windows to predict from (TRs).
    start_tr : int
        First volume of the unshifted window, as in training.
    cells : collection of (train_delta, test_delta) or None
        Which cells to compute; None means all.
    device : str or None
        As in `fit_ridge_lags`.

    Yields
    ------
    train_delta, test_delta, (n_trials, n_targets) float32
        Test deltas ascend; within one, train deltas ascend.

    Raises
    ------
    DecoderError
        No fits or deltas, fits of different shapes, a cell that is not among them (all by the call itself), or volumes
        that do not match the fits or are not finite.

    Notes
    -----
    A cell costs ``n_trials x n_tr x n_voxels x n_targets`` multiply-adds. Kernels between test and training trials would
    be cheaper only for ``n_targets`` above about ``1.7 n_training_trials / n_tr``, and would need the training volumes
    again; a decoder is its coefficients alone.
    """
    algebra = algebra_for(device)
    if not fits or len(test_deltas) == 0:
        raise DecoderError(
            f"{len(fits)} fitted lags and {len(test_deltas)} test deltas: at least one of each is needed"
        )
    shapes = sorted({fit.coef.shape for fit in fits.values()})
    if len(shapes) > 1:
        raise DecoderError(
            f"the decoders' coefficients have different shapes {shapes}; lags of one analysis share one"
        )
    every = {(train, test) for train in fits for test in test_deltas}
    wanted = every if cells is None else set(cells)
    if not wanted <= every:
        raise DecoderError(
            f"cell {min(wanted - every)} (train_delta, test_delta) was asked for, but the fitted lags are {sorted(fits)} "
            f"and the test deltas {sorted(test_deltas)}"
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
    trains_of = {test: sorted(train for train, other in wanted if other == test) for _, test in wanted}
    coef = {train: algebra.array(fits[train].coef) for train, _ in wanted}
    sums: dict[tuple[int, int], Array] = {}  # cell -> (n_trials, n_targets), while its volumes come

    for offset in sorted({start_tr + test + k for test in trains_of for k in range(n_tr)}):
        bold = algebra.array(read_volume(volume, offset, n_voxels=n_voxels))
        small = n_targets == 1 or len(bold) * n_voxels * n_targets <= SMALL_PRODUCT
        n_together = 1 if small else max(1, COLUMNS_AT_ONCE // n_targets)
        place = {test: offset - start_tr - test for test in trains_of if 0 <= offset - start_tr - test < n_tr}

        def add(test: int, trains: list[int], bold: Array = bold, place: dict[int, int] = place) -> None:
            k = place[test]
            product = bold @ algebra.beside([coef[train][k] for train in trains])
            for index, train in enumerate(trains):
                part = product[:, index * n_targets : (index + 1) * n_targets]
                if k == 0:
                    sums[train, test] = part + algebra.array(fits[train].intercept)
                else:
                    sums[train, test] += part

        jobs = [
            (test, trains_of[test][first : first + n_together])
            for test in place
            for first in range(0, len(trains_of[test]), n_together)
        ]
        with algebra.side_by_side(len(bold)) as each:
            list(each(add, *zip(*jobs, strict=True)))
        for test in sorted(test for test, k in place.items() if k == n_tr - 1):
            for train in trains_of[test]:
                yield train, test, algebra.numpy(sums.pop((train, test)))
