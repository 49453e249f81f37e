"""The encoding model of each voxel, of any rank or truncated to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ConfigError
from tempgen.generalization.separability.design import Features, LaggedDesign
from tempgen.generalization.separability.penalty import ALPHAS, choose_penalty, folds_of
from tempgen.generalization.separability.ranks import low_rank
from tempgen.generalization.separability.run_statistics import RunStatistics, gather_statistics
from tempgen.generalization.separability.solver import RidgeSolver, squared_error

__all__ = ["EncodingModel", "fit_encoding"]


@dataclass(frozen=True, eq=False)
class EncodingModel:
    """BOLD of each voxel as the sum of what each image evokes, overlapping responses added.

    Attributes
    ----------
    coefficients : DataArray, shape (lag, feature, voxel)
        z-score of BOLD per SD of a feature, of the given rank in (lag, feature).
    mean_response : DataArray, shape (lag, voxel)
        What all images evoke alike (z-score).
    rank : int or None
        None: free.
    alpha : array, shape (n_voxels,)
        Penalty that was chosen, in units of the mean diagonal of the features' Gram matrix.
    design : LaggedDesign
    """

    coefficients: xr.DataArray
    mean_response: xr.DataArray
    rank: int | None
    alpha: NDArray[np.float64]
    design: LaggedDesign

    @property
    def columns(self) -> NDArray[np.float32]:
        """Coefficients and mean response in the order of the design, shape (n_columns, n_voxels)."""
        n_voxels = self.coefficients.sizes["voxel"]
        whole = np.concatenate([self.coefficients.values, self.mean_response.values[:, None]], axis=1)
        return whole.reshape(-1, n_voxels).astype(np.float32, copy=False)


def fit_encoding(
    store: xr.Dataset,
    features: Features,
    *,
    runs: Sequence[int] | NDArray[np.int64],
    lags: Sequence[int] = range(16),
    alphas: Sequence[float] = ALPHAS,
    rank: int | None = 1,
    n_folds: int = 5,
    seed: int = 0,
    progress: bool = False,
) -> EncodingModel:
    """Fit an encoding model to all voxels of a store, reading each run once.

    Ridge with a penalty for each voxel, chosen on held-out ones of ``runs``; the coefficients of the features are then truncated
    to a rank and scaled, voxel by voxel, to the size of the signal (see `RidgeSolver.rescaled`).

    Parameters
    ----------
    store : Dataset
        On disk or in memory, see :mod:`tempgen.data.store`.
    features : DataFrame or DataArray, shape (n_images, n_features)
        By ``image_id``.
    runs : sequence of int
        The runs it is fitted to, by their position in the store.
    lags : sequence of int
        Volumes from image onset. Source of the default: 16 volumes of NSD's 1.33 s hold an HRF of 21 s.
    alphas : sequence of float
        Penalties to choose from.
    rank : int or None
        1: separable. None: no truncation, and no scaling.
    n_folds : int
        Groups of runs, each held out once to choose the penalty.
    seed : int
        Of the groups.
    progress : bool
        Show a bar over runs.

    Raises
    ------
    ConfigError
        If there are fewer runs than folds, an image lacks features, or a value is out of range.
    """
    chosen = np.unique(np.asarray(runs, dtype=np.int64))
    if rank is not None and rank < 1:
        raise ConfigError(f"rank={rank}: 1 or more is needed, or None for no truncation.")
    design = LaggedDesign.of(store, features, runs=chosen, lags=lags)
    statistics = gather_statistics(store, design, runs=chosen.tolist(), progress=progress)
    folds = folds_of(len(statistics.gram), n_folds=n_folds, seed=seed)
    alpha = choose_penalty(statistics, design.is_penalized, folds, alphas=alphas).alpha
    columns = fit_columns(statistics, design, alpha=alpha, rank=rank)
    by_lag = columns.reshape(len(design.lags), design.n_features + 1, -1)
    coords = {
        "lag": design.lags,
        **{name: store[name] for name in store.coords if store[name].dims == ("voxel",)},
    }
    return EncodingModel(
        coefficients=xr.DataArray(
            by_lag[:, :-1],
            dims=("lag", "feature", "voxel"),
            coords={**coords, "feature": list(design.feature_names)},
            attrs={"long_name": "response to a feature", "units": "z-score of BOLD per SD of the feature"},
        ),
        mean_response=xr.DataArray(
            by_lag[:, -1],
            dims=("lag", "voxel"),
            coords=coords,
            attrs={"long_name": "response that all images share", "units": "z-score of BOLD"},
        ),
        rank=rank,
        alpha=alpha,
        design=design,
    )


def fit_columns(
    statistics: RunStatistics, design: LaggedDesign, *, alpha: NDArray[np.float64], rank: int | None
) -> NDArray[np.float32]:
    """Coefficients of all columns, truncated and scaled, shape (n_columns, n_voxels)."""
    sums = statistics.of(np.arange(len(statistics.gram)))
    solver = RidgeSolver(sums.gram, design.is_penalized)
    rotated = solver.rotated(sums.products)
    coefficients = solver.shrunk(rotated, alpha)
    if rank is not None:
        n_lags, n_features = len(design.lags), design.n_features
        nothing = solver.with_mean(np.zeros_like(coefficients), sums.products)
        coefficients = solver.rescaled(
            low_rank(coefficients, [rank], n_lags=n_lags)[0],
            rotated,
            squares=squared_error(nothing, sums),
            n_volumes=int(statistics.n_volumes.sum()),
            n_free=rank * (n_lags + n_features - rank),
        )
    return solver.with_mean(coefficients, sums.products)
