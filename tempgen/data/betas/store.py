"""A store of single-trial betas, made of a store of BOLD: the same trials, runs and voxels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from tempgen.config.files import fingerprint
from tempgen.data.betas.designs import COMPONENTS, Basis
from tempgen.data.betas.run import (
    Method,
    RunDesign,
    betas_of_run,
    check_method,
    zscored_over_trials,
)
from tempgen.data.deconvolution import VoxelHrf
from tempgen.data.deconvolution.choice import onsets_in_run_s
from tempgen.data.deconvolution.transform import copy_images
from tempgen.data.store import trials_of
from tempgen.errors import ConfigError, StoreError
from tempgen.files import whole_folder, write_zarr

MIN_RECORDED = 0.5
"""A trial has betas if at least this part of its response's energy falls into its run. Source: house choice; a run that ends
before the peak tells little of the trial, and its noise would set the run's z-scores."""


def make_betas_store(
    store: xr.Dataset,
    out: Path | str,
    *,
    hrf: VoxelHrf,
    method: Method = "lss",
    basis: Basis = "single",
    ridge_fraction: ArrayLike | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Estimate the betas of every trial, each run by itself, and write them as a store.

    A run's betas depend on its own volumes and onsets alone: no image, label or other run enters, so that a split by run
    separates training and test as it does for BOLD. HRFs and ridge fractions are to be chosen on training runs.

    Parameters
    ----------
    store : Dataset
        From :func:`tempgen.open_store`, holding BOLD.
    out : Path or str
        The new store's folder; it appears whole or not at all.
    hrf : VoxelHrf
        The HRF of each voxel and the assumed duration of the activity.
    method : {"lsa", "lss", "ridge"}
        Least squares all, least squares separate, or ridge towards the run's mean response.
    basis : {"single", "early-late"}
        One beta a trial, or one for each half of the activity.
    ridge_fraction : float or array, shape (n_voxels,)
        For ridge only: length of the betas over that of least squares (:func:`choose_ridge_fractions`).
    say : callable
        Receives one line for each thing worth knowing.

    Returns
    -------
    Path
        ``out``: a store with the attributes ``signal`` = betas, ``n_components`` and ``components``, whose ``bold`` (z-scored
        over the trials of each run) is NaN but at the volumes of ``tempgen.data.betas.volumes``. Trials of whose response less
        than ``MIN_RECORDED`` was recorded are left out (``n_trials_without_betas``).

    Raises
    ------
    ConfigError
        If method, basis, fraction and HRFs do not fit each other or the store, or ``out`` exists.
    StoreError
        If the store does not hold BOLD, trials follow each other too closely for their betas to stand apart, or least
        squares all has no single answer.
    """
    out, n_voxels = Path(out), store.sizes["voxel"]
    check_method(method, basis, ridge_fraction, n_voxels=n_voxels)
    _check_store(store, out, hrf)
    trials, components = trials_of(store), COMPONENTS[basis]
    _check_room(trials, n_components=len(components))
    recorded = _recorded(trials, hrf, tr_s=float(store.attrs["tr_s"]), n_components=len(components))
    if not recorded.all():
        say(f"{int((~recorded).sum())} trials are left out: their run ends before most of their response")
    settings = {
        "method": method,
        "basis": basis,
        "hrf": fingerprint(hrf.index.tolist(), hrf.library.shapes.tolist(), hrf.library.step_s),
        "duration_s": "trial" if hrf.duration_s is None else hrf.duration_s,
        "ridge_fraction": _plain(ridge_fraction),
    }
    described = _described(store, trials, recorded, settings, components=components)
    if ridge_fraction is not None:
        described = described.assign_coords(
            ridge_fraction=("voxel", np.broadcast_to(np.asarray(ridge_fraction, dtype=np.float64), n_voxels))
        )
    with whole_folder(out) as folder:
        write_zarr(described, folder)
        group = zarr.open_group(folder, mode="a", zarr_format=3)
        bold = _betas_array(group, tuple(store["bold"].shape))
        for run in tqdm(range(store.sizes["run"]), desc="betas", unit="run", disable=None):
            of_run = (trials["run"] == run).to_numpy()
            if not of_run.any():
                continue
            design = RunDesign.of(store, trials, run, hrf, basis=basis)
            betas = betas_of_run(design, hrf.index, method=method, ridge_fraction=ridge_fraction)
            kept = recorded[of_run]
            zscored = zscored_over_trials(betas[kept], run_name=str(store["run_name"].values[run]))
            volumes = np.full(bold.shape[1:], np.nan, dtype=np.float32)
            onset_tr = trials["onset_tr"].to_numpy()[of_run][kept]
            for k in range(len(components)):
                volumes[onset_tr + k] = zscored[:, k]
            bold[run] = volumes
        if "image" in store:
            copy_images(store["image"], group)
    say(
        f"{out}: {'early and late betas' if len(components) > 1 else 'betas'} ({method}) of {int(recorded.sum())} trials, "
        f"{store.sizes['run']} runs, {n_voxels} voxels"
    )
    return out


def _plain(fraction: ArrayLike | None) -> float | str | None:
    """A ridge fraction for the recipe; of many, one for each voxel, what tells them from others."""
    if fraction is None:
        return None
    return fingerprint(np.asarray(fraction).tolist()) if np.ndim(fraction) else float(np.asarray(fraction))


def _check_store(store: xr.Dataset, out: Path, hrf: VoxelHrf) -> None:
    signal, n_voxels = store.attrs.get("signal", "bold"), store.sizes["voxel"]
    if signal != "bold":
        raise StoreError(f"This store holds {signal}: betas are estimated from BOLD.")
    if out.exists():
        raise ConfigError(f"{out} exists: choose another folder or remove it.")
    if len(hrf.index) != n_voxels:
        raise ConfigError(
            f"HRFs of {len(hrf.index)} voxels came, the store has {n_voxels}: choose them on this store."
        )


def _check_room(trials: pd.DataFrame, *, n_components: int) -> None:
    apart = trials.groupby("run")["onset_tr"].diff()
    if (apart < n_components).any():
        row = int(np.flatnonzero(apart < n_components)[0])
        raise StoreError(
            f"Trials {row - 1} and {row} begin {int(apart.iloc[row])} volumes apart; each needs {n_components} for its betas. "
            "Use basis single, or a recording with a shorter TR."
        )


def _recorded(trials: pd.DataFrame, hrf: VoxelHrf, *, tr_s: float, n_components: int) -> NDArray[np.bool_]:
    """Trials of which the run holds enough volumes, whatever the voxel's HRF."""
    library, durations = hrf.library, hrf.durations_s(trials)
    left_s = trials["run_length"].to_numpy() * tr_s - onsets_in_run_s(trials, tr_s=tr_s)
    fits = (trials["onset_tr"] + n_components <= trials["run_length"]).to_numpy()
    for duration in np.unique(durations):
        grid_s = np.arange(0, library.length_s + duration, library.step_s)
        energy = library.response(grid_s, duration_s=duration)[np.unique(hrf.index)] ** 2
        part = np.cumsum(energy, axis=1) / energy.sum(axis=1, keepdims=True)
        needed_s = grid_s[(part >= MIN_RECORDED).argmax(axis=1)].max()
        fits = fits & ((durations != duration) | (left_s >= needed_s))
    return fits


def _described(
    store: xr.Dataset,
    trials: pd.DataFrame,
    recorded: NDArray[np.bool_],
    settings: dict[str, Any],
    *,
    components: tuple[str, ...],
) -> xr.Dataset:
    """Everything of the new store but betas and images."""
    described = store.drop_vars(["bold", "image"], errors="ignore")
    if not recorded.all():
        described = described.isel(trial=np.flatnonzero(recorded))
    recipe = {**json.loads(store.attrs["recipe"]), "betas": {**settings, "of": store.attrs["fingerprint"]}}
    return described.load().assign_attrs(
        {
            "signal": "betas",
            "n_components": len(components),
            "components": ",".join(components),
            "betas_method": settings["method"],
            "activity_duration_s": settings["duration_s"],
            "n_trials_without_betas": int((~recorded).sum()),
            "recipe": json.dumps(recipe, sort_keys=True),
            "fingerprint": fingerprint(recipe),
        }
    )


def _betas_array(group: zarr.Group, shape: tuple[int, ...]) -> zarr.Array:
    return group.create_array(
        "bold",
        shape=shape,
        chunks=(1, *shape[1:]),
        dtype="float32",
        fill_value=np.nan,
        dimension_names=("run", "volume", "voxel"),
        attributes={"long_name": "single-trial betas", "units": "z-score per voxel, run and component"},
    )
