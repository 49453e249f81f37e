"""Where a decoder scores furthest above chance, and how far."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tempgen.generalization.selection import Decoder
from tempgen.generalization.statistics.bootstrap import percentile_interval
from tempgen.generalization.summaries.dataset import latency_variables, summary_dataset
from tempgen.generalization.summaries.informative import informative_lags
from tempgen.generalization.summaries.latency import order_interval, peak_positions
from tempgen.generalization.summaries.resampling import (
    DEFAULT_RESAMPLING,
    ResampledCurve,
    Resampling,
    resample_cells,
)

__all__ = ["curve_peak", "peak_of"]

_FORMULA = "argmax over test lags d of the mean score above chance c_d; of equal ones the earliest"


def curve_peak(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: Decoder = "general",
    target: str = "current",
    mask: xr.DataArray | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> xr.Dataset:
    """Lag and height of the largest mean score above chance: ``d* = argmax_d c_d``.

    Above chance, not as it stands: a decoder that found nothing draws the mean image, which scores well by itself.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized"}
        Row of the decoder trained at ``general_delta``, or diagonal.
    target : str
        Image that reconstructions are compared with.
    mask : DataArray of bool or None
        Lags above chance of a corrected test, see `informative_lags`. Where none is, there is no peak.
    resampling : Resampling

    Returns
    -------
    Dataset
        ``peak_delta`` (TR, a key of the results) and ``peak_s`` with ``peak_low_s`` and ``peak_high_s`` (seconds from
        image onset to the window's end, in multiples of ``resolution_s``): percentiles of the peak's lag over draws.
        ``peak_above_chance`` with ``_low`` and ``_high``: draws of the score at d*, which was chosen for being the largest,
        so that the height is a little too large where neighbouring lags are as good. ``peak_score``: as it stands.
        ``at_edge``: the peak is at the first or the last lag, so that the curve may rise further beyond it. ``n_tied``:
        lags as high as the peak. All NaN, with attribute ``reason``, where no lag is above chance.

    Raises
    ------
    ResultsError
        If the results lack what is asked for, or the mask does not fit.

    Source
    ------
    Efron and Tibshirani 1993, doi:10.1201/9780429246593, chapter 13 (percentile interval).
    """
    cells = resample_cells(results, metric, target=target, resampling=resampling)
    return peak_of(cells.curve(decoder), mask)


def peak_of(curve: ResampledCurve, mask: xr.DataArray | None = None) -> xr.Dataset:
    """`curve_peak` of a curve that was resampled already."""
    cells = curve.cells
    informative = informative_lags(curve, mask)
    reason = informative.reason
    k = int(peak_positions(curve.mean[np.newaxis])[0])
    if not reason and k < 0:
        reason = "at chance: no mean score is above it"
    at_peak = {"delta": np.nan, "above_chance": np.nan, "score": np.nan, "low": np.nan, "high": np.nan}
    seconds, interval, n_tied, at_edge = np.nan, (np.nan, np.nan), 0, False
    if not reason:
        low, high = percentile_interval(curve.drawn[:, [k]], level=cells.level)
        at_peak = {
            "delta": float(curve.deltas[k]),
            "above_chance": curve.mean[k],
            "score": curve.score[k],
            "low": low[0],
            "high": high[0],
        }
        drawn_peaks = peak_positions(curve.drawn)
        interval = order_interval(
            np.where(drawn_peaks < 0, np.nan, curve.lag_s[drawn_peaks]), level=cells.level
        )
        seconds = float(curve.lag_s[k])
        n_tied = int(np.count_nonzero(np.isclose(curve.mean, curve.mean[k], rtol=1e-6, atol=0)))
        at_edge = k in (0, len(curve.mean) - 1)
    return summary_dataset(
        {
            "peak_delta": ((), at_peak["delta"], {"units": "TR"}),
            **latency_variables(
                "peak", seconds, interval, resolution_s=cells.resolution_s, long_name="lag of the peak"
            ),
            "peak_above_chance": at_peak["above_chance"],
            "peak_above_chance_low": at_peak["low"],
            "peak_above_chance_high": at_peak["high"],
            "peak_score": at_peak["score"],
            "at_edge": at_edge,
            "n_tied": n_tied,
        },
        cells,
        reason=reason,
        decoder=curve.decoder,
        formula=_FORMULA,
        interval="percentile bootstrap",
        informative=informative.said_by,
    )
