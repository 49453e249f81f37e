"""How far betas are shrunk: the ridge fraction at which an image's betas in one run agree best with those in another.

Chosen on training runs alone. What is compared are presentations of the same image, never what the image shows; the betas of
the other runs are then estimated with the fractions found, each run from its own volumes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen.data.betas.designs import Basis
from tempgen.data.betas.run import RunDesign, zscored_over_trials
from tempgen.data.deconvolution import VoxelHrf
from tempgen.data.store import trials_of
from tempgen.errors import ConfigError

FRACTIONS = tuple(float(fraction) for fraction in np.round(np.arange(0.1, 1.01, 0.1), 2))
"""Candidates. Source: GLMsingle tries 0.05 to 1 in steps of 0.05; every other of them halves the time."""
MAX_COMPARED_TRIALS = 600
"""Presentations that are compared, drawn by whole images; with 15,724 voxels and 10 candidates they take 0.4 GB. Source: house
choice; a correlation over 300 pairs is known to about 0.06."""


def choose_ridge_fractions(
    store: xr.Dataset,
    runs: Sequence[int],
    hrf: VoxelHrf,
    *,
    basis: Basis = "single",
    per_voxel: bool = True,
    candidates: Sequence[float] = FRACTIONS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Fraction of the least-squares length for each voxel, by agreement between presentations in different training runs.

    For every ordered pair of presentations of the same image in two of the runs, the betas of the one, shrunk, are correlated
    with those of the other, not shrunk, over pairs; both are z-scored over the trials of their run. GLMsingle (Prince et al.
    2022, eLife 11:e77599) takes the squared error in the place of the correlation.

    Parameters
    ----------
    store : Dataset
        Of BOLD.
    runs : sequence of int
        The training runs.
    hrf : VoxelHrf
        Of each voxel.
    basis : {"single", "early-late"}
    per_voxel : bool
        One fraction for each voxel, else the one with the best mean correlation for all.
    candidates : sequence of float
    seed : int
        Of the draw of images, where there are more presentations than ``MAX_COMPARED_TRIALS``.

    Returns
    -------
    array, shape (n_voxels,)

    Raises
    ------
    ConfigError
        If no image occurs in two of the runs.
    """
    trials = trials_of(store)
    compared = _compared_trials(trials, runs, seed=seed)
    first, second = _pairs(compared)
    position = pd.Series(np.arange(len(compared)), index=compared.index)
    shape = (len(compared), store.sizes["voxel"])
    shrunk = {fraction: np.empty(shape, dtype=np.float32) for fraction in candidates}
    free = np.empty(shape, dtype=np.float32)
    for run in tqdm(sorted(set(compared["run"])), desc="ridge fractions", unit="run", disable=None):
        of_run = trials.index[trials["run"] == run]
        kept = np.isin(of_run, compared.index)
        rows = position[of_run[kept]].to_numpy()
        name = str(store["run_name"].values[run])
        design = RunDesign.of(store, trials, run, hrf, basis=basis)
        for index in np.unique(hrf.index):
            voxels = np.flatnonzero(hrf.index == index)
            ridge = design.ridge(index)
            coordinates = ridge.coordinates(design.series[:, voxels])
            for fraction, into in ((1.0, free), *shrunk.items()):
                betas = zscored_over_trials(ridge.betas(coordinates, fraction), run_name=name)
                into[np.ix_(rows, voxels)] = betas[kept].mean(axis=1)
    agreement = np.stack([_correlation(shrunk[f][first], free[second]) for f in candidates])
    if not per_voxel:
        agreement = np.broadcast_to(agreement.mean(axis=1, keepdims=True), agreement.shape)
    return np.asarray(candidates)[agreement.argmax(axis=0)]


def _compared_trials(trials: pd.DataFrame, runs: Sequence[int], *, seed: int) -> pd.DataFrame:
    """Presentations in the runs of images that occur in at least two of them, whole images up to the limit."""
    training = trials[trials["run"].isin(list(runs))]
    n_runs = training.groupby("image_id")["run"].transform("nunique")
    repeated = training[n_runs > 1]
    if not len(repeated):
        raise ConfigError(
            f"No image occurs in two of the {len(set(runs))} training runs, so that ridge fractions cannot be compared: give "
            "one (ridge_fraction=0.5, say), or use method lss."
        )
    images = np.random.default_rng(seed).permutation(repeated["image_id"].unique())
    n_until = repeated["image_id"].value_counts()[images].cumsum().to_numpy()
    return repeated[repeated["image_id"].isin(images[n_until <= max(MAX_COMPARED_TRIALS, n_until[0])])]


def _pairs(compared: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of every ordered pair of presentations of one image in two runs."""
    image, run = compared["image_id"].to_numpy(), compared["run"].to_numpy()
    same = (image[:, None] == image[None, :]) & (run[:, None] != run[None, :])
    first, second = np.nonzero(same)
    return first, second


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Uncentred correlation of columns, (n_pairs, n_voxels) each; 0 for a column of zeros."""
    product = np.einsum("pv,pv->v", first, second, dtype=np.float64)
    power = np.einsum("pv,pv->v", first, first, dtype=np.float64) * np.einsum(
        "pv,pv->v", second, second, dtype=np.float64
    )
    return product / np.sqrt(np.where(power > 0, power, np.inf))
