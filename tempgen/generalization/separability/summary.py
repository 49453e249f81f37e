"""What voxels of a region say together: dynamic, static, or undecided and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.data.regions import atlas_of, region_names
from tempgen.errors import ConfigError

__all__ = ["regions_of", "summarize_regions"]

FEWEST_VOXELS = 5
"""Responsive voxels of a region below which nothing is said of it. Source: house choice."""


def regions_of(store: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    """All voxels, and the labels above 0 of the store's first atlas if it has one: arrays of bool, shape (n_voxels,)."""
    regions = {"all": np.ones(store.sizes["voxel"], dtype=bool)}
    atlas = atlas_of(store)
    if atlas is not None:
        labels = store[atlas].values
        regions |= {name: labels == label for label, name in region_names(store, atlas).items()}
    return regions


def summarize_regions(
    gain: NDArray[np.float64],
    null: NDArray[np.float64],
    *,
    r2_rank1: NDArray[np.float64],
    regions: Mapping[str, NDArray[np.bool_]],
    significant: NDArray[np.bool_],
    alpha: float,
    negligible: float,
) -> xr.Dataset:
    """Mean gain of the responsive voxels of each region beside its bootstrap distribution, and a verdict.

    Parameters
    ----------
    gain : array, shape (n_voxels,)
        NaN where a voxel is not responsive.
    null : array, shape (n_draws, n_voxels)
        Of the surrogates.
    r2_rank1 : array, shape (n_voxels,)
    regions : mapping of str to array of bool, shape (n_voxels,)
    significant : array of bool, shape (n_voxels,)
        After correction.
    alpha, negligible : float
        As in `separability_test`.

    Returns
    -------
    Dataset, dimensions (roi,), (roi, draw) and (roi, voxel)
        ``n_responsive``; ``share_significant`` of them; ``mean_r2_rank1``; ``mean_gain``; ``mean_gain_null`` (roi, draw) and its quantiles
        alpha and 1 - alpha, ``mean_gain_null_low`` and ``mean_gain_null_high``; ``p`` of the mean gain
        as ``p_mean_gain``; ``relative_gain``: (mean gain - mean of the null) / mean R2 of rank 1, with ``relative_gain_low``
        and ``relative_gain_high`` (each misses at rate alpha); ``verdict`` and ``reason``; ``in_roi`` (roi, voxel).

        Dynamic: p <= alpha, and the relative gain is not below ``negligible``. Static: its upper end is. Else undecided.

    Raises
    ------
    ConfigError
        If a region is no mask of the voxels.
    """
    for name, mask in regions.items():
        if mask.shape != gain.shape or mask.dtype != bool:
            raise ConfigError(
                f"region {name!r} is {mask.dtype} of shape {mask.shape}; bool of shape {gain.shape}, one a voxel, is needed."
            )
    rows = [
        _region(mask & np.isfinite(gain), gain, null, r2_rank1, significant, alpha, negligible)
        for mask in regions.values()
    ]
    variables = {
        name: ("roi", np.array([row[name] for row in rows])) for name in rows[0] if name != "mean_gain_null"
    }
    of_draws = np.stack([row["mean_gain_null"] for row in rows])
    members = np.stack(list(regions.values())).astype(np.int8)  # netCDF knows no booleans
    return xr.Dataset(
        {
            **variables,
            "mean_gain_null": (("roi", "draw"), of_draws),
            "in_roi": (("roi", "voxel"), members),
        },
        coords={"roi": list(regions)},
    )


def _region(
    voxels: NDArray[np.bool_],
    gain: NDArray[np.float64],
    null: NDArray[np.float64],
    r2_rank1: NDArray[np.float64],
    significant: NDArray[np.bool_],
    alpha: float,
    negligible: float,
) -> dict[str, Any]:
    n_voxels = int(voxels.sum())
    row: dict[str, Any] = {"n_responsive": n_voxels}
    if n_voxels < FEWEST_VOXELS:
        numbers = ("share_significant", "mean_r2_rank1", "mean_gain", "p_mean_gain", "relative_gain")
        ends = ("relative_gain_low", "relative_gain_high", "mean_gain_null_low", "mean_gain_null_high")
        row |= dict.fromkeys((*numbers, *ends), np.nan)
        reason = f"{n_voxels} voxels respond to the features, {FEWEST_VOXELS} are needed"
        return row | {
            "mean_gain_null": np.full(len(null), np.nan), "verdict": "undecided", "reason": reason
        }  # fmt: skip
    mean_gain, of_null = gain[voxels].mean(), null[:, voxels].mean(axis=1)
    explained = float(r2_rank1[voxels].mean())
    excess = mean_gain - of_null.mean()
    low, high = np.quantile(of_null, (alpha, 1 - alpha)) - of_null.mean()
    p = (1 + int((of_null >= mean_gain).sum())) / (1 + len(of_null))
    relative = (
        np.array([excess, excess - high, excess - low]) / explained if explained > 0 else np.full(3, np.nan)
    )
    verdict, reason = _verdict(p, relative, alpha=alpha, negligible=negligible)
    return row | {
        "share_significant": float(significant[voxels].mean()),
        "mean_r2_rank1": explained,
        "mean_gain": float(mean_gain),
        "mean_gain_null": of_null,
        "mean_gain_null_low": float(of_null.mean() + low),
        "mean_gain_null_high": float(of_null.mean() + high),
        "p_mean_gain": p,
        "relative_gain": float(relative[0]),
        "relative_gain_low": float(relative[1]),
        "relative_gain_high": float(relative[2]),
        "verdict": verdict,
        "reason": reason,
    }


def _verdict(p: float, relative: NDArray[np.float64], *, alpha: float, negligible: float) -> tuple[str, str]:
    estimate, _, high = relative.tolist()
    if not np.isfinite(estimate):
        return "undecided", "the separable model explains nothing of the held-out runs"
    if high < negligible:
        return "static", f"beyond chance rank 2 adds at most {high:.1%} of what rank 1 explains"
    if p > alpha:
        return (
            "undecided",
            f"p = {p:.2g}, and rank 2 may add up to {high:.1%}: more runs or better features would tell",
        )
    if estimate < negligible:
        return "undecided", f"p = {p:.2g}, but rank 2 adds {estimate:.1%} only, less than counts as dynamic"
    return "dynamic", f"p = {p:.2g}; beyond chance rank 2 adds {estimate:.1%} of what rank 1 explains"
