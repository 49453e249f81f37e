"""When a curve begins: the first lag above chance, and when it passes half of its peak (with when it falls below it)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.generalization.selection import Decoder
from tempgen.generalization.summaries.dataset import latency_variables, summary_dataset
from tempgen.generalization.summaries.informative import informative_lags
from tempgen.generalization.summaries.latency import (
    half_crossings,
    jackknife_error,
    order_interval,
    peak_positions,
)
from tempgen.generalization.summaries.resampling import (
    DEFAULT_RESAMPLING,
    ResampledCurve,
    Resampling,
    resample_cells,
)

__all__ = [
    "crossing_of",
    "half_amplitude_fall",
    "half_amplitude_onset",
    "significant_onset",
    "significant_onset_of",
]

Side = Literal["onset", "fall"]

_MILLER = "Miller, Patterson and Ulrich 1998, doi:10.1111/1469-8986.3510099"
_FORMULAS = {
    "onset": "t_k + (theta - c_k) / (c_k+1 - c_k) (t_k+1 - t_k), k the last lag before the peak with c_k < theta = c_peak / 2",
    "fall": "t_k-1 + (c_k-1 - theta) / (c_k-1 - c_k) (t_k - t_k-1), k the first lag after the peak with c_k < theta = c_peak / 2",
}


def significant_onset(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: Decoder = "general",
    target: str = "current",
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """First and last lag significantly above chance: ``min {d: mask_d}`` and ``max {d: mask_d}``.

    More trials make it earlier, so it says when there was evidence and not when the signal began, and it can't be
    compared between conditions of other amplitude or other numbers of trials; `half_amplitude_onset` can.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized"}
    target : str
        Image that reconstructions are compared with.
    mask : DataArray of bool or None
        Lags above chance of a corrected test (``mask`` of `cluster_test` or `max_statistic_test`); None: lags above their
        simultaneous bootstrap bound, see `informative_lags`.
    resampling : Resampling

    Returns
    -------
    Dataset
        ``first_delta`` (TR, a key), ``first_s`` with ``first_low_s`` and ``first_high_s``, ``last_delta``, ``last_s`` (seconds
        from image onset to the window's end, in multiples of ``resolution_s``), ``n_significant`` and ``at_edge`` (the first lag
        is already above chance). The interval, without a mask alone: percentiles of the first lag at which a draw passes the
        bound of the measured curve. NaN, with attribute ``reason``, where no lag is above chance.

    Raises
    ------
    ResultsError
        If the results lack what is asked for, or the mask does not fit.

    Source
    ------
    Why it is no measure of when an effect begins: Sassenhagen and Draschkow 2019, doi:10.1111/psyp.13335.
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return significant_onset_of(cells.curve(decoder), mask)


def significant_onset_of(curve: ResampledCurve, mask: xr.DataArray | None = None) -> xr.Dataset:
    """`significant_onset` of a curve that was resampled already."""
    cells = curve.cells
    informative = informative_lags(curve, mask)
    above = np.flatnonzero(informative.mask)
    first, last = (above[0], above[-1]) if len(above) else (None, None)
    interval = (np.nan, np.nan)
    if informative.threshold is not None and first is not None:
        passes = curve.drawn > informative.threshold
        at = np.where(passes.any(axis=1), curve.lag_s[passes.argmax(axis=1)], np.nan)
        interval = order_interval(at, level=cells.level)
    told = {
        "first": (first, interval, "first lag above chance"),
        "last": (last, (np.nan, np.nan), "last lag above chance"),
    }
    variables = {}
    for name, (k, bounds, long_name) in told.items():
        variables[f"{name}_delta"] = ((), np.nan if k is None else float(curve.deltas[k]), {"units": "TR"})
        variables |= latency_variables(
            name,
            np.nan if k is None else float(curve.lag_s[k]),
            bounds,
            resolution_s=cells.resolution_s,
            long_name=long_name,
        )
    return summary_dataset(
        variables | {"n_significant": len(above), "at_edge": first == 0},
        cells,
        reason=informative.reason,
        decoder=curve.decoder,
        formula="min and max of the lags d with mask_d",
        interval="none for a given mask"
        if informative.threshold is None
        else "percentile bootstrap, bound held fixed",
        informative=informative.said_by,
    )


def half_amplitude_onset(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: Decoder = "general",
    target: str = "current",
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """When the mean score above chance reaches half of its peak, with the jackknife's interval.

    The crossing next to the peak, interpolated (`half_crossings`). The error is that of the jackknife over units:
    ``se = sqrt((n - 1) / n * sum_u (L_u - mean L)^2)`` with L_u the onset without unit u, and the interval is
    ``onset -+ t(n - 1) se``. Independent of amplitude, so it may be compared between conditions.

    Interpolated between lags, an onset is no smooth function of the scores, and the jackknife is a little too sure of it
    where noise is large: in simulations (a Gaussian of 2 TRs, 80 images, 300 experiments) its 95 % interval covered
    95, 93 and 90 % with peaks of 27, 13 and 9 standard errors, the bootstrap's 94 to 95 %. Rounded outwards, as it is told,
    the jackknife's covered 99 % and more.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized"}
    target : str
        Image that reconstructions are compared with.
    mask : DataArray of bool or None
        Lags above chance of a corrected test, see `informative_lags`. Where none is, there is no onset.
    resampling : Resampling

    Returns
    -------
    Dataset
        ``onset_s`` with ``onset_low_s`` and ``onset_high_s`` (jackknife) and ``onset_bootstrap_low_s`` and
        ``onset_bootstrap_high_s`` (percentiles; infinite where draws crossed outside the lags tested), seconds from image
        onset to the window's end in multiples of ``resolution_s``. To compute with: ``onset_unrounded_s`` and
        ``onset_se_s``. ``at_edge``: the peak is at the first or last lag; ``over_gap``: lags between the two points that were
        interpolated were not scored. NaN, with attribute ``reason``, where no lag is above chance, or where
        the curve is above half of its peak from the first lag on.

    Raises
    ------
    ResultsError
        If the results lack what is asked for, or the mask does not fit.

    Source
    ------
    Miller, Patterson and Ulrich 1998, doi:10.1111/1469-8986.3510099. There a unit is a subject, here an image.
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return crossing_of(cells.curve(decoder), "onset", mask)


def half_amplitude_fall(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: Decoder = "general",
    target: str = "current",
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """When the mean score above chance falls below half of its peak again.

    Everything as in `half_amplitude_onset`, mirrored in time; the variables are called ``fall_...``.
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return crossing_of(cells.curve(decoder), "fall", mask)


def crossing_of(curve: ResampledCurve, side: Side, mask: xr.DataArray | None = None) -> xr.Dataset:
    """`half_amplitude_onset` or `half_amplitude_fall` of a curve that was resampled already."""
    from scipy.stats import t as student

    cells = curve.cells
    informative = informative_lags(curve, mask)

    def crossings(curves: NDArray[np.float64]) -> NDArray[np.float64]:
        return half_crossings(curves, curve.lag_s)[0 if side == "onset" else 1]

    seconds, error, drawn_interval, gap = (
        float(crossings(curve.mean[np.newaxis])[0]),
        np.nan,
        (np.nan,) * 2,
        False,
    )
    reason = informative.reason
    if not reason and not np.isfinite(seconds):
        where = "from the first lag on" if side == "onset" else "up to the last lag"
        reason = f"the curve is above half of its peak {where}: it crossed outside the lags tested"
    if not reason:
        error = jackknife_error(crossings(curve.left_out))
        drawn_interval = order_interval(crossings(curve.drawn), level=cells.level)
        after = min(max(int(np.searchsorted(curve.lag_s, seconds)), 1), len(curve.lag_s) - 1)
        gap = bool(curve.deltas[after] - curve.deltas[after - 1] > np.diff(curve.deltas).min())
        if np.isnan(error):
            reason = "no jackknife interval: without some unit the curve does not cross half of its peak"
    else:
        seconds = np.nan
    reach = error * float(student.ppf((1 + cells.level) / 2, cells.attrs["n_units"] - 1))
    bootstrap = latency_variables(
        f"{side}_bootstrap", seconds, drawn_interval, resolution_s=cells.resolution_s, long_name=side
    )
    peak = int(peak_positions(curve.mean[np.newaxis])[0])
    return summary_dataset(
        latency_variables(
            side,
            seconds,
            (seconds - reach, seconds + reach),
            resolution_s=cells.resolution_s,
            long_name=f"{side} at half of the peak",
        )
        | {name: bootstrap[name] for name in (f"{side}_bootstrap_low_s", f"{side}_bootstrap_high_s")}
        | {
            f"{side}_se_s": ((), error, {"units": "s", "long_name": "jackknife standard error"}),
            "at_edge": not informative.reason and peak in (0, len(curve.mean) - 1),
            "over_gap": gap,
        },
        cells,
        reason=reason,
        decoder=curve.decoder,
        formula=_FORMULAS[side],
        source=_MILLER,
        interval=f"jackknife over {cells.attrs['units_in_words']}, t with n - 1 degrees of freedom",
        informative=informative.said_by,
    )
