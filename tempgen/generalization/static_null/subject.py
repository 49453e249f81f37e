"""A subject with a static code: the separable encoding model of a recording, its noise, and recordings anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.generalization.separability import Features, LaggedDesign, fit_encoding
from tempgen.generalization.separability.model import fit_columns
from tempgen.generalization.separability.run_statistics import RunStatistics
from tempgen.generalization.separability.surrogates import draw_signs

__all__ = ["StaticSubject"]


@dataclass(frozen=True, eq=False)
class StaticSubject:
    """Voxels that answer to features and latency by an outer product, each with its own time course, and noise.

    The same model and noise as in :mod:`tempgen.generalization.separability.surrogates`, as time series where that has sums of
    products; designs are kept, so that hundreds of recordings and refits cost little.

    Attributes
    ----------
    design : LaggedDesign
    columns_of_run : tuple of array of float32, shape (n_volumes, n_columns)
    gram : array of float64, shape (n_columns, n_columns)
    coefficients : array of float32, shape (n_columns, n_voxels)
    bold : array of float32, shape (n_runs, n_volumes, n_voxels)
        What the model was fitted to; after the end of a shorter run 0.
    alpha : array, shape (n_voxels,)
        Penalty of each voxel.
    """

    design: LaggedDesign
    columns_of_run: tuple[NDArray[np.float32], ...]
    gram: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    bold: NDArray[np.float32]
    alpha: NDArray[np.float64]

    @classmethod
    def of(cls, store: xr.Dataset, features: Features, *, lags: Sequence[int] = range(16)) -> Self:
        """Fit the separable model to all runs of a store, and read its BOLD.

        Parameters
        ----------
        store : Dataset
            With the voxels that decoders see; all of its BOLD is held in memory.
        features : DataFrame or DataArray, shape (n_images, n_features)
            By ``image_id``.
        lags : sequence of int
            Volumes from image onset; see `fit_encoding`.

        Raises
        ------
        ConfigError
            As `fit_encoding`.
        """
        n_runs = store.sizes["run"]
        model = fit_encoding(store, features, runs=np.arange(n_runs), lags=lags, rank=1)
        design = model.design
        bold = np.zeros(store["bold"].shape, dtype=np.float32)
        columns = []
        gram = np.zeros((design.n_columns,) * 2)
        for run in range(n_runs):
            length = int(design.run_length[run])
            bold[run, :length] = design.cleaned(
                store["bold"][run].values[:length].astype(np.float32, copy=False)
            )
            of_run = design.of_run(run)
            gram += of_run.T @ of_run
            columns.append(of_run.astype(np.float32))
        return cls(design, tuple(columns), gram, model.columns, bold, model.alpha)

    def record(self, seed: Sequence[int]) -> NDArray[np.float32]:
        """BOLD of the same experiment: the model's prediction and the residuals of each run, times +1 or -1 at random.

        Parameters
        ----------
        seed : sequence of int
            Of the signs.

        Returns
        -------
        array of float32, shape (n_runs, n_volumes, n_voxels)
            z-scored per voxel and run.
        """
        signs = draw_signs(1, len(self.bold), seed=seed)[0]
        recorded = np.zeros_like(self.bold)
        for run, columns in enumerate(self.columns_of_run):
            predicted = columns @ self.coefficients
            series = predicted + signs[run] * (self.bold[run, : len(columns)] - predicted)
            sd = series.std(axis=0, ddof=1)
            recorded[run, : len(columns)] = np.divide(series, sd, out=np.zeros_like(series), where=sd > 0)
        return recorded

    def refitted(self, bold: NDArray[np.float32]) -> Self:
        """The static subject that another recording of the experiment, from `record`, would have made, with the same penalties."""
        products = np.zeros_like(self.coefficients)
        for run, columns in enumerate(self.columns_of_run):
            products += columns.T @ bold[run, : len(columns)]
        n_volumes = sum(len(columns) for columns in self.columns_of_run)
        statistics = RunStatistics(
            gram=self.gram[np.newaxis],
            products=products[np.newaxis],
            squares=np.einsum("rtv,rtv->v", bold, bold, dtype=np.float64)[np.newaxis],
            n_volumes=np.array([n_volumes]),
        )
        coefficients = fit_columns(statistics, self.design, alpha=self.alpha, rank=1)
        return replace(self, coefficients=coefficients, bold=bold)
