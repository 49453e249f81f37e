"""Where and when: the scores of decoders that saw one region each, by lag, and on the voxels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from tempgen.config.expression import evaluate_condition
from tempgen.data.decoder_inputs import voxel_columns
from tempgen.errors import ResultsError
from tempgen.generalization.curve import lag_curve
from tempgen.generalization.selection import Decoder
from tempgen.generalization.summaries import Resampling, curve_peak, half_amplitude_onset

__all__ = ["on_voxels", "region_condition", "region_curves"]

_KEY = "inputs.voxels_where"
_OF_VOXELS = ("i", "j", "k", "x_mm", "y_mm", "z_mm")


def region_condition(results: xr.Dataset) -> str | None:
    """Which voxels the decoders of a result saw, as a condition on the store's voxels; None: all of them."""
    inputs = json.loads(str(results.attrs.get("analysis", "{}"))).get("inputs", {})
    condition = inputs.get("voxels_where")
    return None if condition is None else str(condition)


def region_curves(
    regions: Mapping[str, xr.Dataset],
    metric: str,
    *,
    decoder: Decoder = "specialized",
    target: str = "current",
    n_draws: int = 2000,
    level: float = 0.95,
    unit: str = "image_id",
    seed: int = 0,
) -> xr.Dataset:
    """Score above chance by lag of each region's decoders, with onset and peak.

    Parameters
    ----------
    regions : mapping of str to Dataset
        Name to the result of an analysis whose decoders saw that region (``inputs.voxels_where``), all of one subject and
        tested at the same lags on the same trials.
    metric, decoder, target, n_draws, level, unit, seed
        See `tempgen.generalization.lag_curve`.

    Returns
    -------
    Dataset, dims (region, test_delta)
        ``mean``, ``low``, ``high`` above chance. Along ``region``: ``onset_s``, ``onset_low_s``, ``onset_high_s`` (half of the peak,
        jackknife), ``peak_s``, ``peak_low_s``, ``peak_high_s``, ``peak_score`` (above chance), NaN where there is nothing to tell;
        ``condition``, which voxels. A score is positive where it is better than chance, also of metrics of which lower is better.

    Raises
    ------
    ResultsError
        If there is no result, or they differ in lags, trials or subject; and as of `lag_curve`.
    """
    if not regions:
        raise ResultsError("No region came: give at least one result.")
    _check_same_trials(regions)
    resampling = Resampling(unit=unit, n_draws=n_draws, level=level, seed=seed)
    curves, latencies = [], []
    for results in regions.values():
        curve = lag_curve(
            results,
            metric,
            decoder=decoder,
            target=target,
            n_draws=n_draws,
            level=level,
            unit=unit,
            seed=seed,
            above_chance=True,
        )
        curves.append(_better_is_positive(curve, results[metric].attrs))
        onset = half_amplitude_onset(results, metric, decoder=decoder, target=target, resampling=resampling)
        peak = curve_peak(results, metric, decoder=decoder, target=target, resampling=resampling)
        latencies.append(
            {name: float(onset[name]) for name in ("onset_s", "onset_low_s", "onset_high_s")}
            | {name: float(peak[name]) for name in ("peak_s", "peak_low_s", "peak_high_s")}
            | {"peak_score": float(peak["peak_above_chance"])}
        )
    first = curves[0]
    conditions = [region_condition(results) or "all voxels" for results in regions.values()]
    return xr.Dataset(
        {
            **{
                name: (("region", "test_delta"), np.stack([curve[name].to_numpy() for curve in curves]))
                for name in ("mean", "low", "high")
            },
            **{name: ("region", [one[name] for one in latencies]) for name in latencies[0]},
        },
        coords={
            "test_delta": first["test_delta"].to_numpy(),
            "lag_s": ("test_delta", first["lag_s"].to_numpy()),
            "region": np.array(list(regions), dtype=object),
            "condition": ("region", np.array(conditions, dtype=object)),
        },
        attrs=first.attrs,
    )


def on_voxels(curves: xr.Dataset, store: xr.Dataset, *, variable: str = "mean") -> xr.DataArray:
    """Values of regions on the voxels of a store, to be drawn on the brain.

    Parameters
    ----------
    curves : Dataset
        From `region_curves`.
    store : Dataset
        That the regions' conditions are about.
    variable : str
        One of its variables, along ``region`` or (region, test_delta).

    Returns
    -------
    DataArray, dims (voxel,) or (test_delta, voxel)
        NaN in voxels of no region, the mean in voxels of several; with the places of the voxels. A condition that
        chooses all voxels is no region and is left out, unless it is the only one.

    Raises
    ------
    ConfigError
        If a condition names a column that the store lacks.
    """
    members = _members(curves, store)
    if len(members) > 1 and not members.all():
        members &= ~members.all(axis=1, keepdims=True)
    values = np.moveaxis(curves[variable].to_numpy(), 0, -1)  # (..., region)
    known = np.isfinite(values)
    n_of_voxel = known.astype(np.float64) @ members
    total = np.where(known, values, 0.0) @ members
    mean = np.divide(total, n_of_voxel, out=np.full_like(total, np.nan), where=n_of_voxel > 0)
    dims = (*curves[variable].dims[1:], "voxel")
    coords = {name: ("voxel", store[name].values) for name in _OF_VOXELS}
    coords |= {
        str(name): ("test_delta", curves[name].values)
        for name in ("test_delta", "lag_s")
        if "test_delta" in dims
    }
    places = {name: store.attrs[name] for name in ("affine", "volume_shape")}
    return xr.DataArray(mean, dims=dims, coords=coords, attrs={**curves.attrs, **places}, name=variable)


def _members(curves: xr.Dataset, store: xr.Dataset) -> Any:
    """Which voxels belong to which region, bool (n_regions, n_voxels)."""
    columns, n_voxels = voxel_columns(store), store.sizes["voxel"]
    return np.stack(
        [
            np.ones(n_voxels, dtype=bool)
            if condition == "all voxels"
            else evaluate_condition(condition, columns, key=_KEY, items="voxels")
            for condition in curves["condition"].values.tolist()
        ]
    )


def _check_same_trials(regions: Mapping[str, xr.Dataset]) -> None:
    first_name, first = next(iter(regions.items()))
    for name, results in regions.items():
        for key in ("test_delta", "run", "onset_tr", "image_id"):
            if not np.array_equal(results[key], first[key]):
                raise ResultsError(
                    f"The regions {first_name!r} and {name!r} were not tested on the same lags and trials (they differ in {key}): "
                    "run them as variants of one study."
                )


def _better_is_positive(curve: xr.Dataset, metric_attrs: Mapping[str, Any]) -> xr.Dataset:
    if metric_attrs.get("direction") != "lower is better":
        return curve
    return curve.assign(mean=-curve["mean"], low=-curve["high"], high=-curve["low"])
