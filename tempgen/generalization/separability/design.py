"""The design of an encoding model: features of the image shown so many volumes ago, and that an image was shown at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.store import trials_of
from tempgen.data.store_drift import StoreDrift
from tempgen.errors import ConfigError

__all__ = ["Features", "LaggedDesign", "as_features", "values_of_images"]

Features = xr.DataArray | pd.DataFrame
"""Anything of images, (image_id, feature)."""

_SMALLEST_SD = 1e-6


@dataclass(frozen=True, eq=False)
class LaggedDesign:
    """Lagged regressors of the runs of a store.

    The columns of a run's design are ordered as (lag, regressor). The regressors are the features of the images,
    standardized over the training trials, and a last one that is 1 for every image: its coefficients are the mean response.
    What preprocessing took out of the BOLD (run mean, drift) is taken out of the columns too, so that coefficients are
    those of a joint regression on it.

    Attributes
    ----------
    lags : array of int, shape (n_lags,)
        Volumes from image onset.
    feature_names : tuple of str
    trial_run, trial_onset_tr : array of int, shape (n_trials,)
    trial_features : array of float64, shape (n_trials, n_features + 1)
    run_length : array of int, shape (n_runs,)
    tr_s : float
    drift : StoreDrift
        That the store's BOLD is without.
    """

    lags: NDArray[np.int64]
    feature_names: tuple[str, ...]
    trial_run: NDArray[np.int64]
    trial_onset_tr: NDArray[np.int64]
    trial_features: NDArray[np.float64]
    run_length: NDArray[np.int64]
    tr_s: float
    drift: StoreDrift

    @classmethod
    def of(
        cls, store: xr.Dataset, features: Features, *, runs: NDArray[np.int64], lags: Sequence[int]
    ) -> LaggedDesign:
        """Design of a store's runs, features standardized over the trials of ``runs``.

        Parameters
        ----------
        store : Dataset
            See :mod:`tempgen.data.store`.
        features : DataFrame or DataArray, shape (n_images, n_features)
            By ``image_id``; images that are never shown may be there.
        runs : array of int
            The training runs.
        lags : sequence of int
            Volumes from image onset, ascending, from 0 or above.

        Raises
        ------
        ConfigError
            If an image that is shown has no features or features are not finite, none varies, or lags are no such numbers.
        """
        chosen = np.asarray(lags, dtype=np.int64)
        if chosen.ndim != 1 or len(chosen) < 2 or chosen[0] < 0 or (np.diff(chosen) <= 0).any():
            raise ConfigError(
                f"lags={list(lags)}: two or more ascending volumes from onset, from 0, are needed."
            )
        trials = trials_of(store)
        table = as_features(features)
        values = values_of_images(table, trials["image_id"].to_numpy())
        run = trials["run"].to_numpy(dtype=np.int64)
        training = np.isin(run, runs)
        if not training.any():
            raise ConfigError(f"The runs {list(np.asarray(runs))} hold no trial: choose other training runs.")
        mean, sd = values[training].mean(axis=0), values[training].std(axis=0)
        varies = sd > _SMALLEST_SD * max(1.0, float(np.abs(mean).max()))
        if not varies.any():
            raise ConfigError("No feature varies over the images of the training runs: give others.")
        standardized = (values[:, varies] - mean[varies]) / sd[varies]
        return cls(
            lags=chosen,
            feature_names=tuple(str(name) for name in table.columns[varies]),
            trial_run=run,
            trial_onset_tr=trials["onset_tr"].to_numpy(dtype=np.int64),
            trial_features=np.column_stack([standardized, np.ones(len(values))]),
            run_length=store["run_length"].values.astype(np.int64),
            tr_s=float(store.attrs["tr_s"]),
            drift=StoreDrift.of(store),
        )

    @property
    def n_features(self) -> int:
        """Without the mean response."""
        return len(self.feature_names)

    @property
    def n_columns(self) -> int:
        """Of a run's design: lags x (features + 1)."""
        return len(self.lags) * (self.n_features + 1)

    @property
    def is_penalized(self) -> NDArray[np.bool_]:
        """Which columns belong to features, shape (n_columns,); the mean response is not penalized."""
        return np.tile(np.arange(self.n_features + 1) < self.n_features, len(self.lags))

    def of_run(self, run: int) -> NDArray[np.float64]:
        """Design of a run, shape (n_volumes, n_columns)."""
        n_volumes = int(self.run_length[run])
        shown = self.trial_run == run
        onsets, features = self.trial_onset_tr[shown], self.trial_features[shown]
        lagged = np.zeros((n_volumes, len(self.lags), self.n_features + 1))
        for k, lag in enumerate(self.lags):
            inside = onsets + lag < n_volumes
            np.add.at(lagged[:, k], onsets[inside] + lag, features[inside])
        return self.cleaned(lagged.reshape(n_volumes, -1))

    def cleaned(self, series: NDArray[Any]) -> NDArray[Any]:
        """Columns (n_volumes, n) of a run without their mean and drift, as the store's BOLD is."""
        centred = series - series.mean(axis=0)
        basis = self.drift.basis(len(series), tr_s=self.tr_s).astype(series.dtype)
        return centred - basis @ (basis.T @ centred)


def as_features(features: Features) -> pd.DataFrame:
    """Features as a table whose index is ``image_id``.

    Raises
    ------
    ConfigError
        If an array has not the dimensions (image_id, feature), or an image is there twice.
    """
    if isinstance(features, xr.DataArray):
        if features.dims != ("image_id", "feature") or "image_id" not in features.coords:
            raise ConfigError(
                f"features have dimensions {features.dims}; (image_id, feature) with coordinate image_id are needed."
            )
        names = (
            features["feature"].values if "feature" in features.coords else range(features.sizes["feature"])
        )
        table = pd.DataFrame(
            features.values, index=features["image_id"].values, columns=[str(n) for n in names]
        )
    else:
        table = features
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise ConfigError(f"Features of image {twice} are there twice: give one row an image.")
    return table


def values_of_images(table: pd.DataFrame, image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Features of images, of each as often as it is named, shape (n_image_ids, n_features).

    Raises
    ------
    ConfigError
        If one has no features, or features that are not finite.
    """
    rows = table.index.get_indexer(pd.Index(image_ids))
    if (rows < 0).any():
        lacking = np.unique(image_ids[rows < 0])
        raise ConfigError(
            f"{len(lacking)} of the images shown have no features, the first is image {lacking[0]}: give features of all."
        )
    values = table.to_numpy(dtype=np.float64)[rows]
    if not np.isfinite(values).all():
        raise ConfigError(
            f"{np.count_nonzero(~np.isfinite(values))} features of images shown are not finite."
        )
    return values
