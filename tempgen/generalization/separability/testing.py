"""The separability test: whether a voxel's response is more than the outer product of a time course and a tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from tempgen._version import __version__
from tempgen.data.regions import PLACES, atlases_of
from tempgen.errors import ConfigError
from tempgen.generalization.separability.design import Features, LaggedDesign
from tempgen.generalization.separability.gain import (
    FREE,
    MEAN_ONLY,
    RANK_1,
    RANK_2,
    CrossValidation,
    gain_of,
)
from tempgen.generalization.separability.model import fit_columns
from tempgen.generalization.separability.penalty import ALPHAS, choose_penalty_by_fold, folds_of
from tempgen.generalization.separability.run_statistics import RunStatistics, gather_statistics, units_of_runs
from tempgen.generalization.separability.summary import regions_of, summarize_regions
from tempgen.generalization.separability.surrogates import SeparableNull, draw_signs

__all__ = ["separability_test"]

BLOCK_VOXELS = 1024
"""Voxels whose surrogates are computed at a time; their residual products are what takes memory."""
FEWEST_RUNS = 8
"""Fewer have fewer than 128 patterns of signs up to the overall one. Source: house choice."""


def separability_test(
    store: xr.Dataset,
    features: Features,
    *,
    runs: Sequence[int] | NDArray[np.int64] | None = None,
    lags: Sequence[int] = range(16),
    alphas: Sequence[float] = ALPHAS,
    n_folds: int = 5,
    n_bootstrap: int = 199,
    alpha: float = 0.05,
    negligible: float = 0.02,
    least_r2: float = 0.01,
    regions: Mapping[str, NDArray[np.bool_]] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> xr.Dataset:
    """Test each voxel and region for responses that no separable code has, whatever its HRFs.

    BOLD is modelled as what the images shown 0, 1, ... volumes ago evoke, by their features, plus a mean response. Across
    folds of runs, coefficients (lag x feature) truncated to rank 2 compete with those truncated to rank 1, a time course times a
    tuning. The null of the gain is a parametric bootstrap, see :mod:`tempgen.generalization.separability.surrogates`.

    Parameters
    ----------
    store : Dataset
        On disk or in memory, see :mod:`tempgen.data.store`; each run is read once.
    features : DataFrame or DataArray, shape (n_images, n_features)
        By ``image_id``.
    runs : sequence of int, optional
        Positions in the store; all unless given.
    lags : sequence of int
        Volumes from image onset at which an image may have an effect.
    alphas : sequence of float
        Penalties of the ridge; each voxel's is chosen for each fold on the other folds.
    n_folds : int
        Groups of runs, each tested once.
    n_bootstrap : int
        Surrogates.
    alpha : float
        Rate of false alarms at which a region is called dynamic.
    negligible : float
        Gain beyond chance, as a share of the R2 of rank 1, below which a code counts as separable although it may differ from one.
    least_r2 : float
        A voxel counts for its region in a fold if the free model explains as much of its other folds.
    regions : mapping of str to array of bool, shape (n_voxels,), optional
        By name; unless given, all voxels and the labels of the store's first atlas.
    seed : int
        Of folds and signs.
    progress : bool
        Show bars.

    Returns
    -------
    Dataset
        By voxel: ``r2_rank1``, ``r2_rank2``, ``r2_free`` (share of the variance that the mean response leaves, on held-out
        runs), ``gain``, ``null_mean``, ``null_sd``, ``p`` and ``p_corrected`` (of the largest
        standardized gain of all voxels: family-wise), ``responsive`` (folds in which it counts, share). NaN of a constant voxel. By
        region: see `summarize_regions`.

    Raises
    ------
    ConfigError
        If the store holds betas, there are fewer runs than ``FEWEST_RUNS``, or memory for so many groups of runs is lacking, or anything
        asked for is out of range.
    """
    chosen = _chosen_runs(store, runs, n_bootstrap=n_bootstrap, alpha=alpha)
    design = LaggedDesign.of(store, features, runs=chosen, lags=lags)
    _check_memory(design, n_runs=len(chosen), n_voxels=store.sizes["voxel"])
    statistics = gather_statistics(store, design, runs=chosen.tolist(), progress=progress)
    folds = folds_of(len(statistics.gram), n_folds=n_folds, seed=seed)
    penalties = choose_penalty_by_fold(statistics, design.is_penalized, folds, alphas=alphas)
    penalty = np.stack([one.alpha for one in penalties])
    counted = np.stack([one.r2 for one in penalties]) >= least_r2
    validation = CrossValidation(statistics.gram, design, folds, penalty)
    usual = np.exp(np.log(penalty).mean(axis=0))
    columns = fit_columns(statistics, design, alpha=usual, rank=1)
    signs = draw_signs(n_bootstrap, len(statistics.gram), seed=seed)
    found = _gains(statistics, validation, columns, counted, signs, progress=progress)
    voxels = _by_voxel(found)
    named = regions if regions is not None else regions_of(store)
    by_region = summarize_regions(
        found["counted_gain"],
        found["counted_null"],
        r2_rank1=voxels["r2_rank1"][1],
        regions=named,
        significant=voxels["p_corrected"][1] <= alpha,
        alpha=alpha,
        negligible=negligible,
    )
    result = xr.Dataset(voxels | {"responsive": ("voxel", counted.mean(axis=0)), "penalty": ("voxel", usual)})
    kept = [name for name in (*PLACES, *atlases_of(store)) if name in store.coords]
    by_run = len(statistics.gram) == len(chosen)
    return (
        xr.merge([result, by_region])
        .assign_coords(
            {**{name: store[name] for name in kept}, "signal": str(store.attrs.get("signal", "bold"))}
        )
        .assign_attrs(
            {
                **_inherited(store),
                "title": "tempgen: separability",
                "tempgen_version": __version__,
                "store_fingerprint": str(store.attrs.get("fingerprint", "")),
                "features": ",".join(design.feature_names),
                "n_runs": len(chosen),
                "lags": design.lags.tolist(),
                "alphas": [float(value) for value in alphas],
                "n_folds": n_folds,
                "n_bootstrap": n_bootstrap,
                "null": "rank-1 model plus residuals, signs flipped by "
                + ("run" if by_run else f"{len(statistics.gram)} groups of runs"),
                "correction": "largest standardized gain of all voxels",
                "alpha": alpha,
                "negligible": negligible,
                "least_r2": least_r2,
                "seed": seed,
            }
        )
    )


def _chosen_runs(
    store: xr.Dataset,
    runs: Sequence[int] | NDArray[np.int64] | None,
    *,
    n_bootstrap: int,
    alpha: float,
) -> NDArray[np.int64]:
    """The runs that are tested; an error if store, runs and surrogates allow no test."""
    if store.attrs.get("signal") == "betas":
        raise ConfigError(
            "This store holds single-trial betas, which are no time series: give the store of BOLD that they were made of."
        )
    chosen = np.arange(store.sizes["run"]) if runs is None else np.unique(np.asarray(runs, dtype=np.int64))
    if len(chosen) < FEWEST_RUNS:
        raise ConfigError(
            f"{len(chosen)} runs came; the separability test needs {FEWEST_RUNS} or more, as its null flips the sign of runs."
        )
    if n_bootstrap < 1 / alpha - 1:
        raise ConfigError(
            f"{n_bootstrap} surrogates give no p below {1 / (n_bootstrap + 1):.3g}: take {np.ceil(1 / alpha) - 1:.0f} or more "
            f"for alpha={alpha:g}."
        )
    return chosen


def _check_memory(design: LaggedDesign, *, n_runs: int, n_voxels: int) -> None:
    """An error if sums of products of so many runs, each by itself or in enough groups, do not fit."""
    n_units = 1 + int(units_of_runs(n_runs, n_columns=design.n_columns, n_voxels=n_voxels)[-1])
    if n_units < FEWEST_RUNS:
        raise ConfigError(
            f"{design.n_features} features x {len(design.lags)} lags x {n_voxels:,} voxels leave memory for {n_units} "
            f"groups of runs, {FEWEST_RUNS} are needed: take fewer features, or some of the voxels."
        )


def _inherited(store: xr.Dataset) -> dict[str, Any]:
    """What a result says of the recording as its store does."""
    names = [name for name in ("subject", "data_kind", "tr_s") if name in store.attrs]
    notes = [name for name in store.attrs if str(name).startswith("note_")]
    return {str(name): store.attrs[name] for name in (*names, *notes)}


def _gains(
    statistics: RunStatistics,
    validation: CrossValidation,
    columns: NDArray[np.float32],
    counted: NDArray[np.bool_],
    signs: NDArray[np.float32],
    *,
    progress: bool,
) -> dict[str, NDArray[np.float64]]:
    """Errors of all folds together (4, n_voxels), gains (n_voxels,) and those of surrogates (n_draws, n_voxels).

    ``gain`` and ``null`` are of all folds, ``counted_gain`` and ``counted_null`` of those in which a voxel counts.
    """
    n_voxels = statistics.squares.shape[1]
    found = {
        "errors": np.empty((FREE + 1, n_voxels)),
        "gain": np.empty(n_voxels),
        "counted_gain": np.empty(n_voxels),
        "null": np.empty((len(signs), n_voxels)),
        "counted_null": np.empty((len(signs), n_voxels)),
    }
    blocks = [slice(first, min(first + BLOCK_VOXELS, n_voxels)) for first in range(0, n_voxels, BLOCK_VOXELS)]
    bar = tqdm(total=len(blocks) * len(signs), desc="surrogates", unit="", disable=None if progress else True)
    for block in blocks:
        of_block, counts = statistics.block(block), counted[:, block]
        by_fold = [of_block.of(fold) for fold in validation.folds]
        errors = validation.errors(
            np.stack([sums.products for sums in by_fold]),
            np.stack([sums.squares for sums in by_fold]),
            voxels=block,
            with_free=True,
        )
        found["errors"][:, block] = errors.sum(axis=0)
        found["gain"][block], found["counted_gain"][block] = gain_of(errors), gain_of(errors, counts)
        null = SeparableNull(of_block, columns[:, block], validation.folds)
        for draw, of_draw in enumerate(signs):
            errors = validation.errors(*null.draw(of_draw), voxels=block)
            found["null"][draw, block] = gain_of(errors)
            found["counted_null"][draw, block] = gain_of(errors, counts)
            bar.update()
    bar.close()
    return found


def _by_voxel(found: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Variables of the voxels."""
    errors, gain, null = found["errors"], found["gain"], found["null"]
    nothing = np.where(errors[MEAN_ONLY] > 0, errors[MEAN_ONLY], np.nan)
    n_as_large = (null >= gain).sum(axis=0)
    variables = {
        "r2_rank1": 1 - errors[RANK_1] / nothing,
        "r2_rank2": 1 - errors[RANK_2] / nothing,
        "r2_free": 1 - errors[FREE] / nothing,
        "gain": gain,
        "null_mean": null.mean(axis=0),
        "null_sd": null.std(axis=0, ddof=1),
        "p": np.where(np.isfinite(gain), (1 + n_as_large) / (1 + len(null)), np.nan),
        "p_corrected": family_wise_p(gain, null),
    }
    return {name: ("voxel", values) for name, values in variables.items()}


def family_wise_p(gain: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Family-wise p of each voxel: its place among the largest standardized gains of all voxels, shape (n_voxels,); NaN where the gain is.

    Mean and SD of a voxel are those of its surrogates and its observed gain together: standardized by the surrogates alone, the observed
    gain would have the longer tail, and among thousands of voxels the largest would pass for significant.

    Parameters
    ----------
    gain : array, shape (n_voxels,)
    null : array, shape (n_draws, n_voxels)
        Of the surrogates.
    """
    n_draws = len(null)
    mean = (gain + null.sum(axis=0)) / (1 + n_draws)
    sd = np.sqrt(((gain - mean) ** 2 + ((null - mean) ** 2).sum(axis=0)) / n_draws)
    scale = np.where(sd > 0, sd, np.inf)
    largest = np.where(np.isfinite(gain), (null - mean) / scale, -np.inf).max(axis=1)
    n_larger = (largest[:, None] >= (gain - mean) / scale).sum(axis=0)
    return np.where(np.isfinite(gain), (1 + n_larger) / (1 + n_draws), np.nan)
