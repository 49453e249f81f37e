"""Quality of a store in a few lines, by region, and on its voxels."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.data.regions import region_names
from tempgen.errors import StoreError

__all__ = ["describe_quality", "quality_map", "region_quality"]

_OF_VOXELS = ("tsnr", "reliability", "noise_ceiling")


def describe_quality(quality: xr.Dataset) -> str:
    """What the recording holds, in lines, and what could not be told.

    Parameters
    ----------
    quality : Dataset
        From :func:`tempgen.data.quality.store_quality`.
    """
    per_run = quality["n_trials"].to_numpy()
    fewest, most = int(per_run.min()), int(per_run.max())
    n_images, presented = (quality[name].to_numpy() for name in ("n_images", "n_presentations"))
    residual_s = np.abs(quality["onset_residual_s"].to_numpy())
    tr_s = float(quality.attrs["tr_s"])
    native_tr_s = float(quality.attrs.get("native_tr_s", tr_s))
    resampled = "" if native_tr_s == tr_s else f", resampled from {native_tr_s:.4g} s"
    missing = json.loads(quality.attrs["missing"])
    sessions = len(np.unique(quality["session"].to_numpy()))
    return "\n".join(
        [
            f"{str(quality.attrs['data_kind']).upper()} data, subject {quality.attrs['subject']}: {quality.sizes['run']} runs in "
            f"{sessions} session{'s' * (sessions > 1)}, {quality.sizes['voxel']} voxels, TR {tr_s:.4g} s{resampled}",
            f"{per_run.sum()} trials, {fewest}{f' to {most}' if most > fewest else ''} a run; {int(quality['n_blanks'].sum())} blanks "
            "between them",
            f"{n_images.sum()} {quality.attrs['items']}: "
            + ", ".join(
                f"{count} presented {times} times" for count, times in zip(n_images, presented, strict=True)
            ),
            f"onsets lie {1000 * float(np.median(residual_s)):.0f} ms (median) and at most {1000 * float(residual_s.max()):.0f} ms from "
            "the volume that they count from",
            *(f"not told: {name}, because {reason}" for name, reason in missing.items()),
        ]
    )


def region_quality(quality: xr.Dataset) -> pd.DataFrame:
    """Median over the voxels of each region of what is known of voxels; one row with all voxels if there is no atlas.

    Returns
    -------
    DataFrame
        Index region, columns ``n_voxels`` and those of ``tsnr``, ``reliability`` and ``noise_ceiling`` that there are.
    """
    table = pd.DataFrame({name: quality[name].to_numpy() for name in _OF_VOXELS if name in quality})
    regions = {"all voxels": np.ones(quality.sizes["voxel"], dtype=bool)}
    if atlas := str(quality.attrs["atlas"]):
        labels = quality[atlas].to_numpy()
        regions |= {name: labels == label for label, name in region_names(quality, atlas).items()}
    rows = {name: {"n_voxels": int(of.sum()), **table[of].median()} for name, of in regions.items()}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"n_voxels": int}).rename_axis("region")


def quality_map(quality: xr.Dataset, name: str) -> xr.DataArray:
    """One variable of voxels with what drawing it on the brain needs.

    Raises
    ------
    StoreError
        If the store could not tell it; says why.
    """
    if name not in quality or quality[name].dims != ("voxel",):
        reason = json.loads(quality.attrs["missing"]).get(name, "it is no variable of voxels")
        raise StoreError(f"There is no map of {name}: {reason}.")
    return quality[name].assign_attrs({**quality.attrs, **quality[name].attrs})
