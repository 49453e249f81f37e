"""Over how many lags the General decoder generalizes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tempgen.generalization.summaries.dataset import latency_variables, summary_dataset
from tempgen.generalization.summaries.informative import informative_lags
from tempgen.generalization.summaries.latency import half_crossings, order_interval, peak_positions
from tempgen.generalization.summaries.resampling import (
    DEFAULT_RESAMPLING,
    ResampledCurve,
    Resampling,
    resample_cells,
)

__all__ = ["generalization_width", "width_of"]


def generalization_width(
    results: xr.Dataset,
    metric: str,
    *,
    target: str = "current",
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """Full width at half maximum of the General decoder's curve above chance: ``fall - onset``.

    Onset and fall are those of `half_crossings`, the two crossings of half of the peak next to it. Beside it the number of
    lags whose score is at least half of the peak, ``#{d: c_d >= c_peak / 2}``, next to the peak or not. Even a code that
    lasts for no time at all has the width that overlapping windows and the haemodynamic response give it.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    mask : DataArray of bool or None
        Lags above chance of a corrected test, see `informative_lags`. Where none is, there is no width.
    resampling : Resampling

    Returns
    -------
    Dataset
        ``width_s`` with ``width_low_s`` and ``width_high_s`` (percentiles over draws, in multiples of ``resolution_s``) and
        ``width_unrounded_s`` to compute with; ``width_lags`` with ``width_low_lags`` and ``width_high_lags``. ``at_least``: the curve is above
        half of its peak at the first or the last lag tested, up to which it is counted then; in draws the upper bound is
        infinite there. NaN, with attribute ``reason``, where no lag is above chance.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target or the General decoder, or the mask does not fit.

    Source
    ------
    Duration over which a decoder trained at one time generalizes: King and Dehaene 2014, doi:10.1016/j.tics.2014.01.002.
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return width_of(cells.curve("general"), mask)


def width_of(curve: ResampledCurve, mask: xr.DataArray | None = None) -> xr.Dataset:
    """`generalization_width` of a curve that was resampled already."""
    cells = curve.cells
    informative = informative_lags(curve, mask)
    width, interval, n_lags, lags_interval = np.nan, (np.nan, np.nan), np.nan, (np.nan, np.nan)
    at_least, reason = False, informative.reason
    if not reason:
        curves = np.concatenate([curve.mean[np.newaxis], curve.drawn])
        rise, fall = half_crossings(curves, curve.lag_s)
        within = np.minimum(fall, curve.lag_s[-1]) - np.maximum(rise, curve.lag_s[0])
        width, at_least = float(within[0]), bool(np.isinf(rise[0]) or np.isinf(fall[0]))
        # what is above half of its peak where the lags end is at least as wide as seen, and perhaps wider
        interval = (
            order_interval(within[1:], level=cells.level)[0],
            order_interval((fall - rise)[1:], level=cells.level)[1],
        )
        positions = peak_positions(curves)
        half = 0.5 * curves[np.arange(len(curves)), positions]
        counts = np.where(positions < 0, np.nan, (curves >= half[:, np.newaxis]).sum(axis=1))
        n_lags, lags_interval = float(counts[0]), order_interval(counts[1:], level=cells.level)
        if at_least:
            reason = "at least: the curve is above half of its peak at the first or the last lag tested"
    return summary_dataset(
        latency_variables(
            "width", width, interval, resolution_s=cells.resolution_s, long_name="full width at half maximum"
        )
        | {
            "width_lags": n_lags,
            "width_low_lags": lags_interval[0],
            "width_high_lags": lags_interval[1],
            "at_least": at_least,
        },
        cells,
        reason=reason,
        decoder=curve.decoder,
        formula="fall - onset at half of the peak",
        source="King and Dehaene 2014, doi:10.1016/j.tics.2014.01.002",
        interval="percentile bootstrap",
        informative=informative.said_by,
    )
