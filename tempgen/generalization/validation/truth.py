"""What is true of a simulated data set: the scores that its decoders are expected to have.

**What is estimated.** An interval over images speaks of *these* trained decoders of *this* subject on other images of the
same population. So its truth is the expectation of their scores over images and noise, with subject and decoders held
fixed, and not the mean over subjects, from which each subject differs by more than its interval says. Without signal the expectation is
chance, exactly. With signal it is measured on further runs of the same subject, many more than those of the test; that
measurement has an error of its own (``truth_error``), which makes intervals seem to cover a little less often.

**Latencies.** Peak, onset and fall are functions of a curve, and their truth is the same function of the expected curve:
where the expectation is largest, and where it crosses half of that, interpolated between lags as in
`tempgen.generalization.summaries`. Neural activity through each voxel's haemodynamic response and a window of several TRs
determines that curve; it is broader and later than the activity, and no estimator can tell more than the curve does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from tempgen.generalization.selection import (
    Decoder,
    cell_chance,
    mean_over_trials,
    select_decoder,
    unit_of_trials,
)
from tempgen.generalization.statistics.tested import trial_scores, unit_means

__all__ = ["CURVES", "chance_truth", "measured_truth"]

CURVES: tuple[Decoder, ...] = ("general", "specialized")
"""Decoders that have a curve over test lags."""

_Quantity = Literal["score", "above_chance", "variance"]


def chance_truth(results: xr.Dataset, metrics: Sequence[str]) -> xr.Dataset:
    """Truth of a subject without signal: nothing above chance, at any lag.

    Returns
    -------
    Dataset, dims (curve, metric, test_delta)
        ``above_chance``: 0; ``score``: the metric's fixed level of chance, NaN if it has none; ``truth_error``: 0. NaN at
        lags that a decoder was not scored at.
    """
    zero = _by_curve(results, metrics, "score") * 0.0
    fixed = [float(results[metric].attrs.get("chance", np.nan)) for metric in metrics]
    return xr.Dataset(
        {
            "above_chance": zero,
            "score": zero + xr.DataArray(fixed, coords={"metric": list(metrics)}, dims="metric"),
            "truth_error": zero,
        }
    )


def measured_truth(further: Sequence[xr.Dataset], metrics: Sequence[str]) -> xr.Dataset:
    """Truth of a subject with signal: mean scores of its decoders on further runs, which had no part in the test.

    Parameters
    ----------
    further : sequence of Dataset
        Results of the same decoders, each with ``METRIC_chance``.

    Returns
    -------
    Dataset, dims (curve, metric, test_delta)
        ``above_chance``, ``score``, and ``truth_error``, their standard error over images. NaN at lags that a decoder was
        not scored at.
    """
    parts = [
        xr.Dataset(
            {
                quantity: _by_curve(results, metrics, quantity)
                for quantity in ("score", "above_chance", "variance")
            }
        ).assign_coords(n_trials=results.sizes["trial"])
        for results in further
    ]
    together = xr.concat(parts, dim="part")
    weight = together["n_trials"] / together["n_trials"].sum()
    return xr.Dataset(
        {
            "above_chance": (together["above_chance"] * weight).sum("part", skipna=False),
            "score": (together["score"] * weight).sum("part", skipna=False),
            "truth_error": np.sqrt((together["variance"] * weight**2).sum("part", skipna=False)),
        }
    )


def _by_curve(results: xr.Dataset, metrics: Sequence[str], quantity: _Quantity) -> xr.DataArray:
    """A quantity of the mean over trials, dims (curve, metric, test_delta)."""
    curves = []
    for decoder in CURVES:
        rows = [_row(results, metric, decoder, quantity) for metric in metrics]
        curves.append(xr.concat(rows, dim=xr.Variable("metric", list(metrics))))
    return xr.concat(curves, dim=xr.Variable("curve", list(CURVES)), join="outer")


def _row(results: xr.Dataset, metric: str, decoder: Decoder, quantity: _Quantity) -> xr.DataArray:
    scores = trial_scores(results, metric, decoder=decoder, target="current")
    values = scores.to_numpy()
    row = scores.isel(trial=0, drop=True).reset_coords(drop=True).copy(data=mean_over_trials(values))
    if quantity == "above_chance":
        chance = select_decoder(cell_chance(results, metric), results, decoder)
        return row - chance.reset_coords(drop=True)
    if quantity == "variance":
        per_image = unit_means(values, unit_of_trials(scores, "image_id"))
        return row.copy(data=per_image.var(axis=0, ddof=1) / len(per_image))
    return row
