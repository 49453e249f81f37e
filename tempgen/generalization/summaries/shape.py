"""The shape of the generalization matrix in two numbers: how much of a code changes, and whether it is symmetric."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.statistics.bootstrap import percentile_interval
from tempgen.generalization.summaries.dataset import summary_dataset
from tempgen.generalization.summaries.pairs import LagPairs, lag_pairs
from tempgen.generalization.summaries.resampling import (
    DEFAULT_RESAMPLING,
    ResampledCells,
    Resampling,
    resample_cells,
)

__all__ = ["dynamics_index", "dynamics_of", "symmetry_index", "symmetry_of"]


def dynamics_index(
    results: xr.Dataset,
    metric: str,
    *,
    target: str = "current",
    min_separation: int | None = None,
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """How much of what decoders find at their own lag is lost at another one: 0 for a static code, 1 for one without overlap.

    With G_ij the mean score above chance of the decoder trained at lag i and tested at j::

        index = mean over pairs i < j of (G_ii + G_jj - G_ij - G_ji) / (G_ii + G_jj)

    over pairs of lags at which the Specialized decoder is above chance and that are ``min_separation`` TRs apart or more.
    0 where scores depend on the test lag alone (one code, strong at some lags and weak at others), 1 where decoders are at
    chance at other lags, above 1 where they are below chance there, below 0 where they do better than at their own.
    Caution: haemodynamic responses of neighbouring trials and windows that see other parts of a response make raw BOLD
    look dynamic whatever the code is; compare with a simulated static code.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    min_separation : int or None
        TRs. None: the window's width, so that the two windows of a pair have no volume in common.
    mask : DataArray of bool or None
        Lags at which the Specialized decoder is above chance, or cells, of a corrected test; see `informative_lags`.
    resampling : Resampling

    Returns
    -------
    Dataset
        ``dynamics`` with ``dynamics_low`` and ``dynamics_high`` (percentiles over draws, which keep the lags), ``n_pairs``,
        ``n_missing_pairs`` (a cell was not scored) and ``n_informative_lags``. NaN, with attribute ``reason``, without pairs.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target, the Specialized decoder or the window's width, or the mask does not fit.

    Source
    ------
    The formula is this package's. It makes one number of the comparison of each cell off the diagonal with the two on it:
    Stokes et al. 2013, doi:10.1016/j.neuron.2013.01.039; Spaak et al. 2017, doi:10.1523/JNEUROSCI.3364-16.2017.
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return dynamics_of(cells, min_separation=min_separation, mask=mask)


def dynamics_of(
    cells: ResampledCells, *, min_separation: int | None = None, mask: xr.DataArray | None = None
) -> xr.Dataset:
    """`dynamics_index` of cells that were resampled already."""
    separation = _window_width(cells) if min_separation is None else min_separation
    pairs = lag_pairs(cells, min_separation=separation, mask=mask)
    index = np.full(len(pairs.ii), np.nan)
    if not pairs.reason:
        own = pairs.ii + pairs.jj
        with np.errstate(invalid="ignore", divide="ignore"):
            index = np.where(own > 0, (own - pairs.ij - pairs.ji) / own, np.nan).mean(axis=1)
    return summary_dataset(
        _with_interval("dynamics", index, cells) | _counts(pairs),
        cells,
        reason=pairs.reason,
        formula="mean over pairs of informative lags of (G_ii + G_jj - G_ij - G_ji) / (G_ii + G_jj)",
        source="this package's, after Stokes et al. 2013 and Spaak et al. 2017",
        min_separation_tr=separation,
        interval="percentile bootstrap, informative lags held fixed",
        informative=pairs.said_by,
    )


def symmetry_index(
    results: xr.Dataset,
    metric: str,
    *,
    target: str = "current",
    min_separation: int = 1,
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """Whether decoders generalize forwards as well as backwards: the matrix against its transpose.

    With G_ij the mean score above chance of the decoder trained at lag i and tested at j, over pairs i < j of lags at
    which the Specialized decoder is above chance::

        symmetry  = 2 sum G_ij G_ji / sum (G_ij^2 + G_ji^2)
        asymmetry = sum (G_ij - G_ji) / sum (G_ij + G_ji)

    The first is ``(|P|^2 - |Q|^2) / (|P|^2 + |Q|^2)`` of the symmetric part P = (G + G')/2 and the skew one Q = (G - G')/2
    off the diagonal: 1 if G is its transpose, -1 if it is the negative of it. What noise adds to the sums, the scores'
    variances and covariances over draws, is taken off (twice in draws), so that it may pass 1 by a little. The second is
    signed, 0 for a symmetric matrix, and positive where early decoders do better at late lags than late ones at early lags.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    min_separation : int
        TRs.
    mask : DataArray of bool or None
        Lags at which the Specialized decoder is above chance, or cells, of a corrected test; see `informative_lags`.
    resampling : Resampling

    Returns
    -------
    Dataset
        ``symmetry`` and ``asymmetry`` with ``_low`` and ``_high`` (percentiles over draws), ``n_pairs``, ``n_missing_pairs`` and
        ``n_informative_lags``. NaN, with attribute ``reason``, without pairs, or where the scores of the pairs together are
        not above chance: what is at chance off the diagonal has no symmetry.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target or the Specialized decoder, or the mask does not fit.

    Source
    ------
    The formulas are this package's, of the decomposition of a square matrix into its symmetric and its skew part; what an
    asymmetric matrix may mean: King and Dehaene 2014, doi:10.1016/j.tics.2014.01.002.
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return symmetry_of(cells, min_separation=min_separation, mask=mask)


def symmetry_of(
    cells: ResampledCells, *, min_separation: int = 1, mask: xr.DataArray | None = None
) -> xr.Dataset:
    """`symmetry_index` of cells that were resampled already."""
    pairs = lag_pairs(cells, min_separation=min_separation, mask=mask)
    symmetry, asymmetry = (np.full(len(pairs.ii), np.nan) for _ in range(2))
    reason = pairs.reason
    if not reason:
        both = (pairs.ij + pairs.ji).sum(axis=1)
        if not np.nanquantile(both[1:], 1 - cells.level) > 0:
            reason = "at chance off the diagonal: the scores of the pairs together are not above it"
        else:
            symmetry = _symmetry(pairs.ij, pairs.ji)
            with np.errstate(invalid="ignore", divide="ignore"):
                asymmetry = np.where(both > 0, (pairs.ij - pairs.ji).sum(axis=1) / both, np.nan)
    return summary_dataset(
        _with_interval("symmetry", symmetry, cells)
        | _with_interval("asymmetry", asymmetry, cells)
        | _counts(pairs),
        cells,
        reason=reason,
        formula="symmetry: 2 sum G_ij G_ji / sum (G_ij^2 + G_ji^2), noise taken off; asymmetry: sum (G_ij - G_ji) / sum (G_ij + G_ji); i < j",
        source="this package's: symmetric and skew part of the matrix off its diagonal",
        min_separation_tr=min_separation,
        interval="percentile bootstrap, informative lags held fixed",
        informative=pairs.said_by,
    )


def _symmetry(ij: NDArray[np.float64], ji: NDArray[np.float64]) -> NDArray[np.float64]:
    """2 sum G_ij G_ji / sum (G_ij^2 + G_ji^2), first measured and then of draws, without what noise adds to either sum.

    Noise adds its variance to the mean of a square, and its covariance to that of a product; draws have the noise of the
    measurement and as much again.
    """
    around = [of[1:] - np.nanmean(of[1:], axis=0) for of in (ij, ji)]
    noise_of_products = 2 * np.nanmean(around[0] * around[1], axis=0).sum()
    noise_of_squares = np.nanmean(around[0] ** 2 + around[1] ** 2, axis=0).sum()
    times = np.full(len(ij), 2.0)
    times[0] = 1.0
    products = 2 * (ij * ji).sum(axis=1) - times * noise_of_products
    squares = (ij**2 + ji**2).sum(axis=1) - times * noise_of_squares
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(squares > 0, products / squares, np.nan)


def _with_interval(
    name: str, measured_and_drawn: NDArray[np.float64], cells: ResampledCells
) -> dict[str, float]:
    low, high = percentile_interval(measured_and_drawn[1:, np.newaxis], level=cells.level)
    return {name: measured_and_drawn[0], f"{name}_low": low[0], f"{name}_high": high[0]}


def _counts(pairs: LagPairs) -> dict[str, int]:
    return {
        "n_pairs": pairs.ii.shape[1],
        "n_missing_pairs": pairs.n_missing,
        "n_informative_lags": pairs.n_lags,
    }


def _window_width(cells: ResampledCells) -> int:
    if "n_tr" not in cells.attrs:
        raise ResultsError(
            "The results do not say how wide the window is (attribute n_tr). Evaluate again, or give min_separation."
        )
    return int(cells.attrs["n_tr"])
