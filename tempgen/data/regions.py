"""Names of the regions of atlases whose labels are documented."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr

from tempgen.errors import StoreError

__all__ = ["ATLAS_NAMES", "PLACES", "atlas_of", "atlases_of", "region_names"]

ATLAS_NAMES: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "streams": {
            1: "early",
            2: "midventral",
            3: "midlateral",
            4: "midparietal",
            5: "ventral",
            6: "lateral",
            7: "parietal",
        },
    }
)
"""Names by atlas and label. Source: NSD data manual, "streams"."""
PLACES = ("i", "j", "k", "x_mm", "y_mm", "z_mm")
"""Coordinates of voxels that say where they lie, not what they belong to."""


def atlases_of(store: xr.Dataset) -> list[str]:
    """Coordinates of the voxels that hold the labels of an atlas."""
    return [
        str(name)
        for name, coord in store.coords.items()
        if coord.dims == ("voxel",) and name not in PLACES and np.issubdtype(coord.dtype, np.integer)
    ]


def atlas_of(store: xr.Dataset, atlas: str | None = None) -> str | None:
    """The atlas asked for, else the store's only or first one; None where it has none.

    Raises
    ------
    StoreError
        If the store has no atlas of that name.
    """
    there = sorted(atlases_of(store))
    if atlas is None:
        return there[0] if there else None
    if atlas not in there:
        raise StoreError(f"The store has no atlas {atlas!r}; it has: {', '.join(there) or 'none'}.")
    return atlas


def region_names(store: xr.Dataset, atlas: str) -> dict[int, str]:
    """Labels above 0 that occur in an atlas of the store, and their names (``ATLAS LABEL`` where they are not documented).

    Examples
    --------
    >>> store = xr.Dataset(coords={"streams": ("voxel", [0, 1, 5, 5, 9])})
    >>> region_names(store, "streams")
    {1: 'early', 5: 'ventral', 9: 'streams 9'}
    """
    labels = np.unique(store[atlas].values)
    known = ATLAS_NAMES.get(atlas, {})
    return {label: known.get(label, f"{atlas} {label}") for label in labels[labels > 0].tolist()}
