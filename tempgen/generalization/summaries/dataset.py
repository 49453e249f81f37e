"""How summaries are written down: scalars with their intervals, and what they rest on in the attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from tempgen.generalization.summaries.latency import told_s
from tempgen.generalization.summaries.resampling import ResampledCells

__all__ = ["latency_variables", "summary_dataset"]


def latency_variables(
    name: str, seconds: float, interval: tuple[float, float], *, resolution_s: float, long_name: str
) -> dict[str, Any]:
    """``NAME_s``, ``NAME_low_s`` and ``NAME_high_s`` in whole resolutions, and ``NAME_unrounded_s`` to compute with.

    Parameters
    ----------
    name, long_name : str
    seconds : float
    interval : tuple of float
        Seconds; rounded outwards.
    resolution_s : float
    """
    told = {"units": "s", "long_name": f"{long_name}, in multiples of the resolution"}
    not_to_tell = {
        "units": "s",
        "long_name": f"{long_name}, interpolated: to compute with, finer than was acquired",
    }
    low, high = interval
    return {
        f"{name}_s": ((), told_s(seconds, resolution_s=resolution_s), told),
        f"{name}_low_s": ((), told_s(low, resolution_s=resolution_s, towards="below"), told),
        f"{name}_high_s": ((), told_s(high, resolution_s=resolution_s, towards="above"), told),
        f"{name}_unrounded_s": ((), float(seconds), not_to_tell),
    }


def summary_dataset(
    variables: Mapping[str, Any], cells: ResampledCells, *, reason: str, **attrs: Any
) -> xr.Dataset:
    """Scalars as a Dataset that netCDF and zarr can hold.

    Parameters
    ----------
    variables : mapping
        Numbers, or (dims, values, attributes).
    cells : ResampledCells
    reason : str
        Why numbers are missing; empty where none is.
    **attrs
        Formula, source, method.
    """
    made = {
        name: value if isinstance(value, tuple) else ((), np.asarray(value))
        for name, value in variables.items()
    }
    return xr.Dataset(made, attrs=cells.attrs | attrs | {"reason": reason})
