"""Quality of a store: everything in one dataset, each run read once."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen.data.quality.evoked import EvokedResponse
from tempgen.data.quality.motion import displacement
from tempgen.data.quality.reliability import RepeatedResponses
from tempgen.data.quality.trials import count_trials
from tempgen.data.regions import atlas_of, region_names
from tempgen.data.store import has_images, trials_of
from tempgen.errors import StoreError

__all__ = ["EVOKED_S", "RESPONSE_S", "store_quality"]

EVOKED_S = 24.0
"""Seconds after onset to which the evoked response is told. Source: the canonical response is over by then (tempgen.data.hrf)."""
RESPONSE_S = (4.0, 8.0)
"""First and last second after onset of a trial's response. Source: the canonical response to 3 s peaks at 6.6 s (tempgen.data.hrf)."""
ALL_VOXELS = "all voxels"
_FEWEST_IMAGES = 3  # presented twice: a correlation over fewer says nothing


def store_quality(
    store: xr.Dataset,
    *,
    atlas: str | None = None,
    evoked_s: float = EVOKED_S,
    response_s: tuple[float, float] = RESPONSE_S,
) -> xr.Dataset:
    """What a store says of its recording: trials, temporal SNR, motion, evoked responses, reliability of voxels.

    Parameters
    ----------
    store : Dataset
        From :func:`tempgen.data.store.open_store`, of BOLD.
    atlas : str, optional
        Atlas of the regions whose evoked response is told; the store's first unless given.
    evoked_s : float
        Seconds after onset to which it is told.
    response_s : (float, float)
        First and last second after onset of the volumes whose mean is a trial's response.

    Returns
    -------
    Dataset
        - ``n_trials``, ``n_blanks`` (run), ``n_images`` (n_presentations), ``onset_residual_s`` (trial).
        - ``tsnr`` (voxel), the median over runs of mean / standard deviation after cleaning, and ``tsnr_of_run`` (run), the
          median over voxels. Not of stores that lack ``raw_mean``: z-scoring takes the level away.
        - ``displacement_mm`` (run, volume): frame-wise displacement of the head, where the store has its motion; its
          ``displacement_median_mm`` and ``displacement_p95_mm`` (run), the 95th percentile over volumes.
        - ``evoked``, ``evoked_se`` (region, time_s): response to an image on average, in SDs of the run, and its standard error,
          see :mod:`tempgen.data.quality.evoked`.
        - ``reliability``, ``noise_ceiling`` (voxel), see :mod:`tempgen.data.quality.reliability`.
        - Coordinates of runs and voxels, ``n_voxels`` (region). The attribute ``missing`` says in JSON what could not be told
          and why.

    Raises
    ------
    StoreError
        If the store holds something else than BOLD, or has no such atlas; or if the seconds hold no volume.
    """
    _check_signal(store)
    tr_s, trials = float(store.attrs["tr_s"]), trials_of(store)
    offsets = _offsets(response_s, tr_s)
    atlas = atlas_of(store, atlas)
    regions = _regions(store, atlas)
    evoked = EvokedResponse(int(evoked_s // tr_s) + 1)
    last_tr = trials["onset_tr"].to_numpy() + offsets[-1]
    inside = last_tr < trials["run_length"].to_numpy()  # the whole response lies in the run
    row = np.cumsum(inside) - 1
    repeated = RepeatedResponses(trials["image_id"].to_numpy()[inside], store.sizes["voxel"])
    for run, of_run in tqdm(trials.groupby("run"), desc="quality", unit="run", disable=None):
        series = np.asarray(store["bold"][run].values)[: int(store["run_length"][run])]
        onset_tr = of_run["onset_tr"].to_numpy()
        evoked.add_run(np.stack([series[:, of].mean(axis=1) for of in regions.values()], axis=1), onset_tr)
        used = inside[of_run.index]
        volumes = onset_tr[used, np.newaxis] + offsets
        repeated.add(row[of_run.index[used]], series[volumes].mean(axis=1))
    missing: dict[str, str] = {}
    variables: dict[str, Any] = count_trials(trials, n_runs=store.sizes["run"])
    variables |= _evoked(evoked, regions, tr_s, missing)
    variables |= _reliability(repeated, missing)
    variables |= _tsnr(store, missing)
    variables |= _motion(store, missing)
    coords = {
        str(name): coord for name, coord in store.coords.items() if coord.dims in (("run",), ("voxel",))
    }
    return xr.Dataset(variables, coords=coords, attrs=_attrs(store, trials, missing, atlas))


def _check_signal(store: xr.Dataset) -> None:
    signal = str(store.attrs.get("signal", "bold"))
    if signal != "bold":
        raise StoreError(
            f"The store holds {signal}; the quality of a recording is told from its BOLD. Give the store it was made of."
        )


def _offsets(response_s: tuple[float, float], tr_s: float) -> NDArray[np.int64]:
    first, last = np.ceil(response_s[0] / tr_s - 1e-6), np.floor(response_s[1] / tr_s + 1e-6)
    offsets = np.arange(int(first), int(last) + 1)
    if not offsets.size:
        raise StoreError(
            f"No volume lies {response_s[0]:g} to {response_s[1]:g} s after onset at a TR of {tr_s:g} s: take a longer response_s."
        )
    return offsets


def _regions(store: xr.Dataset, atlas: str | None) -> dict[str, NDArray[np.bool_]]:
    """Voxels of all, and of each region."""
    regions = {ALL_VOXELS: np.ones(store.sizes["voxel"], dtype=bool)}
    if atlas is not None:
        labels = store[atlas].values
        regions |= {name: labels == label for label, name in region_names(store, atlas).items()}
    return regions


def _evoked(
    evoked: EvokedResponse, regions: dict[str, NDArray[np.bool_]], tr_s: float, missing: dict[str, str]
) -> dict[str, Any]:
    found = evoked.solve()
    if found is None:
        missing["evoked"] = (
            "trials follow one another at one distance, without blanks that would tell them apart"
        )
        return {}
    look = {"units": "SD of the run's volumes"}
    return {
        "evoked": (("region", "time_s"), found[0].T, {"long_name": "evoked response", **look}),
        "evoked_se": (("region", "time_s"), found[1].T, {"long_name": "its standard error", **look}),
        "region": ("region", np.array(list(regions), dtype=object)),
        "time_s": (
            "time_s",
            tr_s * np.arange(evoked.n_lags),
            {"units": "s", "long_name": "time from image onset"},
        ),
        "n_voxels": ("region", [int(of.sum()) for of in regions.values()]),
    }


def _reliability(repeated: RepeatedResponses, missing: dict[str, str]) -> dict[str, Any]:
    if repeated.n_images < _FEWEST_IMAGES:
        why = f"{repeated.n_images} images were presented twice or more, {_FEWEST_IMAGES} are needed"
        missing |= dict.fromkeys(("reliability", "noise_ceiling"), why)
        return {}
    look = {"n_images": repeated.n_images}
    return {
        "reliability": (
            "voxel",
            repeated.reliability(),
            {"long_name": "split-half reliability", "units": "correlation over images", **look},
        ),
        "noise_ceiling": (
            "voxel",
            repeated.noise_ceiling(),
            {"long_name": "noise ceiling of a trial", "units": "% of variance", **look},
        ),
    }


def _tsnr(store: xr.Dataset, missing: dict[str, str]) -> dict[str, Any]:
    if "raw_mean" not in store or "raw_std" not in store:
        missing["tsnr"] = "the store has no raw_mean and raw_std: prepare it again with this version"
        return {}
    mean, std = (np.asarray(store[name].values, dtype=np.float64) for name in ("raw_mean", "raw_std"))
    ratio = np.divide(mean, std, out=np.full_like(mean, np.nan), where=std > 0)
    return {
        "tsnr": ("voxel", np.nanmedian(ratio, axis=0), {"long_name": "temporal SNR", "units": "1"}),
        "tsnr_of_run": ("run", np.nanmedian(ratio, axis=1), {"long_name": "temporal SNR", "units": "1"}),
    }


def _motion(store: xr.Dataset, missing: dict[str, str]) -> dict[str, Any]:
    if "motion" not in store:
        missing["motion"] = "the store has no motion parameters: prepare an analysis with inputs.kind: motion"
        return {}
    std = np.asarray(store["motion"].attrs.get("std", []), dtype=np.float64)
    if std.shape != (store.sizes["run"], 6):
        missing["motion"] = "the store does not know the size of six motion parameters: prepare it again"
        return {}
    steps = displacement(store["motion"].values, std=std)
    look = {"long_name": "frame-wise displacement", "units": "mm"}
    return {
        "displacement_mm": (("run", "volume"), steps, look),
        "displacement_median_mm": ("run", np.nanmedian(steps, axis=1), look),
        "displacement_p95_mm": ("run", np.nanpercentile(steps, 95, axis=1), look),
    }


def _attrs(
    store: xr.Dataset, trials: pd.DataFrame, missing: dict[str, str], atlas: str | None
) -> dict[str, Any]:
    inherited = (
        "subject",
        "data_kind",
        "note_code",
        "note_snr",
        "tr_s",
        "native_tr_s",
        "affine",
        "volume_shape",
    )
    gaps = trials.groupby("run")["onset_s"].diff().dropna()
    return {
        **{name: store.attrs[name] for name in inherited if name in store.attrs},
        "soa_s": float(gaps.median()) if len(gaps) else float("nan"),
        "stimulus_duration_s": float(trials["duration_s"].median()),
        "atlas": atlas or "",
        "items": "images" if has_images(store) else "labels",
        "missing": json.dumps(missing),
    }
