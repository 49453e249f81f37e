"""All verdicts of an analysis as one labelled dataset or table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from tempgen.generalization.controls.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["verdict_dataset", "verdict_table", "verdicts_of"]

_NUMBERS = ("statistic", "low", "high", "p", "reference")


def verdict_dataset(verdicts: Sequence[Verdict], attrs: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Verdicts along the dim ``control``; numbers and text only, so that netCDF and zarr keep them.

    Returns
    -------
    Dataset, dims (control,)
        One variable for each field of :class:`Verdict`; ``name`` is the coordinate ``control``.
    """
    columns: dict[str, Any] = {}
    for field in fields(Verdict):
        values = [getattr(verdict, field.name) for verdict in verdicts]
        kind: Any = float if field.name in _NUMBERS else int if field.name.startswith("n_") else object
        columns[field.name] = ("control", np.array(values, dtype=kind))
    names = columns.pop("name")
    return xr.Dataset(columns, coords={"control": names}, attrs=dict(attrs or {}))


def verdicts_of(dataset: xr.Dataset) -> list[Verdict]:
    """The verdicts of :func:`verdict_dataset`."""
    return [
        Verdict(name=str(one["control"].item()), **{str(key): one[key].item() for key in dataset.data_vars})
        for one in (dataset.isel(control=k) for k in range(dataset.sizes["control"]))
    ]


def verdict_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Question, verdict and statement of each control, for notebooks."""
    return dataset[["verdict", "question", "statement"]].to_dataframe()
