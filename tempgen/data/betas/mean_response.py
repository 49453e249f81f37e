"""The mean response to a trial without any assumed HRF, for quality control: a finite impulse response over all trials.

One response for all trials of a run can be estimated, because their neighbours differ. One response for each trial cannot:
at a spacing of 4 s (three volumes) and a response of 20 s, every volume belongs to five trials, and a run would have five
times more unknowns than volumes. Single-trial betas therefore assume an HRF (``tempgen.data.betas.least_squares``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.betas.least_squares import RANK_TOLERANCE, without_nuisance
from tempgen.data.store import trials_of
from tempgen.data.store_drift import StoreDrift
from tempgen.errors import StoreError


def fir_design(onset_tr: NDArray[np.int64], *, lags: Sequence[int], n_volumes: int) -> NDArray[np.float64]:
    """Number of trials that began ``lag`` volumes before each volume, shape (n_volumes, n_lags)."""
    design = np.zeros((n_volumes, len(lags)))
    for column, lag in enumerate(lags):
        volumes = np.asarray(onset_tr) + lag
        np.add.at(design[:, column], volumes[(volumes >= 0) & (volumes < n_volumes)], 1)
    return design


def fir_response(
    series: NDArray[np.floating], design: NDArray[np.floating], nuisance: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Least-squares response at each lag.

    Parameters
    ----------
    series : array, shape (n_volumes, n_voxels)
    design : array, shape (n_volumes, n_lags)
        From :func:`fir_design`.
    nuisance : array, shape (n_volumes, n_nuisance)

    Returns
    -------
    array, shape (n_lags, n_voxels)

    Raises
    ------
    StoreError
        If trials follow each other so regularly that their lags cannot be told apart.

    Notes
    -----
    Tested for equality with nilearn's GLM (``hrf_model="fir"``).
    """
    left, singular, right = np.linalg.svd(without_nuisance(design, nuisance), full_matrices=False)
    if singular[-1] <= RANK_TOLERANCE * singular[0]:
        raise StoreError(
            f"The response at {design.shape[1]} lags cannot be told apart in a run of {len(design)} volumes: trials follow "
            "each other too regularly. Ask for fewer lags."
        )
    return right.T @ ((left.T @ np.asarray(series, dtype=np.float64)) / singular[:, None])


def mean_response(store: xr.Dataset, runs: Sequence[int], lags: Sequence[int]) -> xr.Dataset:
    """Mean response of each voxel to a trial, overlap of trials taken into account.

    Parameters
    ----------
    store : Dataset
        From :func:`tempgen.open_store`, holding BOLD.
    runs : sequence of int
        Which runs of the store; each is fitted by itself.
    lags : sequence of int
        Volumes after onset, ``range(0, 16)`` say.

    Returns
    -------
    Dataset
        ``response`` and ``response_se`` (lag, voxel), in units of the store's BOLD: mean over runs and its standard error
        over runs (NaN for one run). Coordinate ``lag_s`` (lag).

    Raises
    ------
    StoreError
        If a run's lags cannot be told apart, or the store holds no such run.
    """
    missing = sorted(set(runs) - set(range(store.sizes["run"])))
    if missing or not len(runs):
        raise StoreError(
            f"Runs {missing or list(runs)} were asked for; the store has 0 to {store.sizes['run'] - 1}."
        )
    trials, tr_s, drift = trials_of(store), float(store.attrs["tr_s"]), StoreDrift.of(store)
    mean = np.zeros((len(lags), store.sizes["voxel"]))
    squares = np.zeros_like(mean)
    for n_before, run in enumerate(runs):
        n_volumes = int(store["run_length"][run])
        design = fir_design(
            trials["onset_tr"].to_numpy()[trials["run"] == run], lags=lags, n_volumes=n_volumes
        )
        series = store["bold"][run, :n_volumes].values
        fitted = fir_response(series, design, drift.basis(n_volumes, tr_s=tr_s))
        apart = fitted - mean
        mean += apart / (n_before + 1)
        squares += apart * (fitted - mean)
    n_runs = len(runs)
    error = np.sqrt(squares / (n_runs - 1) / n_runs) if n_runs > 1 else np.full_like(mean, np.nan)
    voxel_coords = {name: store[name] for name in store.coords if store[name].dims == ("voxel",)}
    units = {"units": store["bold"].attrs.get("units", "1")}
    return xr.Dataset(
        {"response": (("lag", "voxel"), mean, units), "response_se": (("lag", "voxel"), error, units)},
        coords={
            "lag": ("lag", np.asarray(lags), {"units": "volumes"}),
            "lag_s": ("lag", np.asarray(lags) * tr_s, {"units": "s"}),
            **voxel_coords,
        },
        attrs={"n_runs": n_runs},
    )
