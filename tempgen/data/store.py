"""The time-series store: preprocessed BOLD, trials and seen images of one subject in a zarr folder.

Dimensions and variables
------------------------
- ``bold`` (run, volume, voxel), float32: z-scored per voxel and run; NaN beyond the end of a shorter run; one chunk a run.
- ``raw_mean`` and ``raw_std`` (run, voxel), float32: what z-scoring took away, in the units of the files (mean before cleaning, standard
  deviation after it). Stores of tempgen 0.1 and of subjects simulated in memory lack them.
- ``run_name``, ``session``, ``run_in_session``, ``run_length`` (run).
- ``i``, ``j``, ``k`` and ``x_mm``, ``y_mm``, ``z_mm`` (voxel), and one coordinate for each atlas.
- the trials table: ``run``, ``onset_tr``, ``onset_s``, ``onset_residual_s``, ``duration_s``, ``image_id``, ``repetition``,
  ``shared1000`` (trial).
- ``image`` (image, row, column, rgb), uint8, with ``image_of`` (image) = image_id; or the attribute ``label_names``.

A store is either whole or refused; after it, nothing knows where the recording came from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempgen._version import __version__
from tempgen.data.source import TRIAL_COLUMNS, Source
from tempgen.errors import StoreError

STORE_FORMAT = 1
"""Changes when an older store can no longer be read."""


NEIGHBOUR_GAP = 1.5
"""Onsets further apart than this many median gaps are no neighbours. Source: NSD's blanks double the gap; jitter does not."""


def open_store(path: Path | str) -> xr.Dataset:
    """Open a store lazily.

    Parameters
    ----------
    path : Path or str
        A folder written by :func:`tempgen.data.prepare.prepare_store`.

    Returns
    -------
    xarray.Dataset
        See the module's docstring; ``bold`` and ``image`` are read when indexed.

    Raises
    ------
    StoreError
        If the folder is missing, unfinished, no store, or was made by a version with another format.
    """
    path = Path(path)
    if not path.exists():
        partial = partial_folder(path)
        hint = (
            f" It is unfinished ({partial} is there): run prepare again to go on." if partial.exists() else ""
        )
        raise StoreError(f"There is no store {path}.{hint or ' Make one with tempgen prepare.'}")
    try:
        store = xr.open_zarr(path, consolidated=False, chunks=None)
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise StoreError(
            f"{path} is no time-series store ({error}). Make one with 'tempgen prepare'."
        ) from error
    found = store.attrs.get("store_format")
    if found != STORE_FORMAT:
        raise StoreError(
            f"{path} has store format {found} (tempgen {store.attrs.get('tempgen_version', 'unknown')}), this version reads "
            f"{STORE_FORMAT}. Prepare it again with 'tempgen prepare --overwrite'."
        )
    return store


def partial_folder(path: Path) -> Path:
    """Where an unfinished store waits to be resumed."""
    return path.with_name(path.name + ".partial")


def trials_of(store: xr.Dataset) -> pd.DataFrame:
    """The trials table, one row a trial, with the columns of ``TRIAL_COLUMNS``, ``session`` and ``run_length``.

    ``previous_image`` and ``next_image`` are the image_ids of the neighbouring trials of the same run, -1 where there
    is none or a blank lies between (their onsets are further apart than ``NEIGHBOUR_GAP`` times the median).
    """
    trials = pd.DataFrame({name: store[f"trial_{name}"].values for name in TRIAL_COLUMNS})
    run = trials["run"].to_numpy()
    trials["session"] = store["session"].values[run]
    trials["run_length"] = store["run_length"].values[run]
    by_run = trials.groupby("run")
    since_previous = by_run["onset_tr"].diff()
    far = since_previous > NEIGHBOUR_GAP * since_previous.median()
    trials["previous_image"] = by_run["image_id"].shift(1, fill_value=-1).mask(far, -1)
    trials["next_image"] = (
        by_run["image_id"].shift(-1, fill_value=-1).mask(far.shift(-1, fill_value=False), -1)
    )
    return trials


def has_images(store: xr.Dataset) -> bool:
    """Whether the seen images are in the store (else labels are)."""
    return "image" in store


def label_names_of(store: xr.Dataset) -> tuple[str, ...]:
    """Names of image_id 0, 1, ... of a store of labels; empty for a store of images."""
    return tuple(json.loads(store.attrs.get("label_names", "[]")))


def read_seen_images(store: xr.Dataset, image_ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Seen images by ID.

    Parameters
    ----------
    image_ids : array of int, shape (n,)

    Returns
    -------
    array of uint8, shape (n, row, column, 3)

    Raises
    ------
    StoreError
        If the store has labels only, or an image_id that it lacks is asked for.
    """
    if not has_images(store):
        raise StoreError("This store has labels and no images: use the decoder target 'labels'.")
    known = store["image_of"].values
    position = np.minimum(np.searchsorted(known, image_ids), len(known) - 1)
    unknown = np.asarray(image_ids)[known[position] != image_ids]
    if unknown.size:
        raise StoreError(
            f"The store has no image {int(unknown[0])}; it holds the {len(known)} images of its trials."
        )
    distinct, inverse = np.unique(position, return_inverse=True)
    return np.asarray(store["image"][distinct].values[inverse])


def describe_store(
    source: Source, *, voxels: NDArray[np.bool_], run_lengths: NDArray[np.int64]
) -> xr.Dataset:
    """Everything of a store but BOLD and images: coordinates and the trials table.

    Parameters
    ----------
    voxels : array of bool, shape (n_mask_voxels,)
        Which voxels of the source's mask were kept (constant ones were not).
    run_lengths : array of int, shape (n_runs,)
        Volumes of each run in the store.
    """
    ijk = np.argwhere(source.mask)[voxels]
    millimetres = ijk @ source.affine[:3, :3].T + source.affine[:3, 3]
    coords: dict[str, Any] = {
        "run_name": ("run", np.array([run.name for run in source.runs], dtype=object)),
        "session": ("run", np.array([run.session for run in source.runs])),
        "run_in_session": ("run", np.array([run.run for run in source.runs])),
        "run_length": ("run", run_lengths, {"units": "volumes"}),
    }
    for axis, name in enumerate("ijk"):
        coords[name] = ("voxel", ijk[:, axis].astype(np.int32))
    for axis, name in enumerate(("x_mm", "y_mm", "z_mm")):
        coords[name] = ("voxel", millimetres[:, axis].astype(np.float32), {"units": "mm"})
    for atlas, labels in source.voxel_labels.items():
        coords[atlas] = ("voxel", labels[source.mask][voxels])
    table = {f"trial_{name}": ("trial", source.trials[name].to_numpy()) for name in TRIAL_COLUMNS}
    return xr.Dataset(table, coords=coords)


def store_attrs(source: Source, *, recipe: str, fingerprint: str, n_constant: int) -> dict[str, Any]:
    """How a store was made, as attributes that also survive netCDF (numbers, text, lists of numbers)."""
    return {
        "store_format": STORE_FORMAT,
        "tempgen_version": __version__,
        "subject": source.subject,
        "layout": source.kind,
        "data_kind": source.data_kind,
        "tr_s": source.store_tr_s,
        "native_tr_s": source.acquisition_tr_s,
        "affine": [float(value) for value in source.affine.ravel()],
        "volume_shape": [int(n) for n in source.mask.shape],
        "n_voxels_in_mask": int(source.mask.sum()),
        "n_constant_voxels_dropped": n_constant,
        "label_names": json.dumps(list(source.label_names)),
        "recipe": recipe,
        "fingerprint": fingerprint,
        **{f"note_{key}": value for key, value in source.notes.items()},
    }
