"""Store in, store out: the same trials and images, another signal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen.config.files import fingerprint
from tempgen.data.deconvolution.precision import describe_hrf, hrf_warnings
from tempgen.data.deconvolution.voxel_hrf import VoxelHrf
from tempgen.data.deconvolution.wiener import Deconvolution
from tempgen.data.store import open_store
from tempgen.errors import StoreError
from tempgen.files import whole_folder, write_zarr

IMAGES_AT_A_TIME = 64

PerRun = Callable[[int, NDArray[np.float32]], NDArray[np.floating]]
"""Number of a run from 0 and its BOLD (n_volumes, n_voxels) to the new signal of the same shape."""


def transform_store(
    store: xr.Dataset,
    out: Path,
    per_run: PerRun,
    *,
    attrs: Mapping[str, Any],
    voxel_variables: Mapping[str, xr.Variable],
    desc: str = "transform",
) -> Path:
    """Write a store like ``store`` whose runs went through ``per_run`` and were z-scored again; whole or not at all.

    One run is in memory at a time. Stopped, it leaves nothing behind and is to be started again.

    Parameters
    ----------
    store : xarray.Dataset
        See :mod:`tempgen.data.store`.
    out : Path
        Folder of the new store; one that is there is replaced when the new one is whole.
    per_run : callable
    attrs : mapping
        What to say of the new store beside what ``store`` says: ``signal``, ``recipe`` and ``fingerprint`` among it.
    voxel_variables : mapping of str to Variable
        Maps to keep beside the signal, each (voxel,).
    desc : str
        Of the bar over runs.

    Returns
    -------
    Path
        ``out``.
    """
    described = _described(store, attrs, voxel_variables).load()
    with whole_folder(Path(out)) as folder:
        write_zarr(described, folder)
        group = zarr.open_group(folder, mode="a", zarr_format=3)
        shape = tuple(store.sizes[name] for name in ("run", "volume", "voxel"))
        bold = group.create_array(
            "bold",
            shape=shape,
            chunks=(1, *shape[1:]),
            dtype="float32",
            fill_value=np.nan,
            compressors=None,
            dimension_names=("run", "volume", "voxel"),
            attributes=_signal_attrs(attrs),
        )
        for run, series in tqdm(_runs(store, per_run), total=shape[0], desc=desc, unit="run", disable=None):
            bold[run, : len(series)] = series
        if "image" in store:
            copy_images(store["image"], group)
    return Path(out)


def transform_in_memory(
    store: xr.Dataset,
    per_run: PerRun,
    *,
    attrs: Mapping[str, Any],
    voxel_variables: Mapping[str, xr.Variable],
) -> xr.Dataset:
    """The same in memory, for small stores and simulated subjects."""
    bold = np.full(tuple(store.sizes[name] for name in ("run", "volume", "voxel")), np.nan, dtype=np.float32)
    for run, series in _runs(store, per_run):
        bold[run, : len(series)] = series
    described = _described(store, attrs, voxel_variables)
    described["bold"] = (("run", "volume", "voxel"), bold, _signal_attrs(attrs))
    return described.assign(image=store["image"]) if "image" in store else described


def deconvolve_store(
    store: xr.Dataset, out: Path, deconvolution: Deconvolution, *, recipe: Mapping[str, Any]
) -> xr.Dataset:
    """Deconvolve a store into another one.

    Parameters
    ----------
    out : Path
        Folder of the new store.
    deconvolution : Deconvolution
        From :func:`tempgen.data.deconvolution.fit_deconvolution`.
    recipe : mapping
        What determines the deconvolution, as plain values.

    Returns
    -------
    xarray.Dataset
        The new store, opened. Beside the activity in ``bold`` it has (voxel): ``hrf_index``, ``hrf_time_to_peak_s``,
        ``hrf_standard_error_s``, ``hrf_r2`` and ``noise_share``.
    """
    if (signal := store.attrs.get("signal", "bold")) != "bold":
        raise StoreError(f"This store holds {signal}: deconvolve the store of BOLD that it was made of.")
    attrs = deconvolved_attrs(store, deconvolution, recipe=recipe)
    variables = voxel_maps(deconvolution.hrf, noise_share=deconvolution.noise_share)
    transform_store(
        store,
        out,
        lambda run, bold: deconvolution.apply(bold),
        attrs=attrs,
        voxel_variables=variables,
        desc="deconvolve",
    )
    return open_store(out)


def deconvolve_in_memory(
    store: xr.Dataset, deconvolution: Deconvolution, *, recipe: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """The same in memory."""
    return transform_in_memory(
        store,
        lambda run, bold: deconvolution.apply(bold),
        attrs=deconvolved_attrs(store, deconvolution, recipe=recipe or {}),
        voxel_variables=voxel_maps(deconvolution.hrf, noise_share=deconvolution.noise_share),
    )


def deconvolved_attrs(
    store: xr.Dataset, deconvolution: Deconvolution, *, recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """What a deconvolved store says of its making; its notes go on into decoders and results."""
    whole = {**json.loads(store.attrs["recipe"]), "deconvolved": {**recipe, "of": store.attrs["fingerprint"]}}
    return {
        "signal": "deconvolved",
        "recipe": json.dumps(whole, sort_keys=True),
        "fingerprint": fingerprint(whole),
        "signal_recipe": json.dumps(recipe),
        **hrf_notes(deconvolution.hrf),
    }


def hrf_notes(hrf: VoxelHrf) -> dict[str, Any]:
    """How well the HRFs are known, as attributes of a store: text, and the median standard error as a number."""
    error_s = hrf.standard_error_s
    known = {"hrf_standard_error_s": float(np.median(error_s))} if np.isfinite(error_s).any() else {}
    warned = {"note_hrf_caution": " ".join(said)} if (said := hrf_warnings(hrf)) else {}
    return {"note_hrf": "; ".join(line.strip() for line in describe_hrf(hrf)), **warned, **known}


def voxel_maps(hrf: VoxelHrf, *, noise_share: NDArray[np.float64] | None = None) -> dict[str, xr.Variable]:
    """Maps of the choice of HRFs, each (voxel,), to be kept in a store."""
    maps = {
        "hrf_index": (hrf.index.astype(np.int32), "HRF of the library", "1"),
        "hrf_time_to_peak_s": (hrf.time_to_peak_s, "time to peak of the HRF", "s"),
        "hrf_standard_error_s": (hrf.standard_error_s, "standard error of the time to peak", "s"),
        "hrf_r2": (hrf.r2, "explained variance of left-out runs by the mean response", "1"),
    }
    if noise_share is not None:
        maps["noise_share"] = (noise_share, "part of the BOLD's variance that is noise", "1")
    return {
        name: xr.Variable("voxel", values, {"long_name": text, "units": units})
        for name, (values, text, units) in maps.items()
    }


def add_to_store(path: Path, voxel_variables: Mapping[str, xr.Variable], *, attrs: Mapping[str, Any]) -> None:
    """Add maps (voxel,) and attributes to a store that is being made."""
    said = dict(zarr.open_group(path, mode="r").attrs)
    write_zarr(xr.Dataset(dict(voxel_variables), attrs={**said, **attrs}), path, mode="a")


def _described(
    store: xr.Dataset, attrs: Mapping[str, Any], voxel_variables: Mapping[str, xr.Variable]
) -> xr.Dataset:
    """Everything of the new store but signal and images."""
    return store.drop_vars(["bold", "image"], errors="ignore").assign(voxel_variables).assign_attrs(attrs)


def _signal_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {"long_name": f"{attrs['signal']} BOLD", "units": "z-score per voxel and run"}


def _runs(store: xr.Dataset, per_run: PerRun) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Runs one after the other, through ``per_run`` and z-scored."""
    for run, length in enumerate(store["run_length"].values):
        series = np.asarray(per_run(run, store["bold"][run, : int(length)].values), dtype=np.float64)
        series -= series.mean(axis=0)
        sd = series.std(axis=0, ddof=1)
        yield run, (series / np.where(sd > 0, sd, np.inf)).astype(np.float32)


def copy_images(images: xr.DataArray, group: zarr.Group) -> None:
    """Copy a store's seen images into one that is being made, a few at a time: all of NSD's are more than memory should hold."""
    array = group.create_array(
        "image",
        shape=images.shape,
        chunks=(min(IMAGES_AT_A_TIME, len(images)), *images.shape[1:]),
        dtype="uint8",
        dimension_names=("image", "row", "column", "rgb"),
        attributes=dict(images.attrs),
    )
    for start in range(0, len(images), IMAGES_AT_A_TIME):
        array[start : start + IMAGES_AT_A_TIME] = images[start : start + IMAGES_AT_A_TIME].values
