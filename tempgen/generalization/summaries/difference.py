"""What is gained by a decoder of each lag's own over the General one."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.generalization.statistics.bootstrap import percentile_interval
from tempgen.generalization.summaries.informative import simultaneous_band
from tempgen.generalization.summaries.resampling import (
    DEFAULT_RESAMPLING,
    ResampledCells,
    Resampling,
    resample_cells,
)

__all__ = ["difference_of", "specialized_minus_general"]


def specialized_minus_general(
    results: xr.Dataset, metric: str, *, target: str = "current", resampling: Resampling = DEFAULT_RESAMPLING
) -> xr.Dataset:
    """Specialized minus General by lag, above chance: ``D_d = (S_d - chance(d, d)) - (G_d - chance(general, d))``.

    Both are means over the same drawn images in each draw, so that what images have in common drops out of the interval. At
    ``general_delta`` they are one decoder and D is 0. Where windows at d and at ``general_delta`` are far apart, D > 0 says
    that there is information at d in another code than that of the General decoder.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    resampling : Resampling

    Returns
    -------
    Dataset, dims (test_delta,)
        ``difference`` (positive: Specialized is better) with ``low`` and ``high`` (percentiles, at each lag by itself),
        ``band_low`` and ``band_high`` (for all lags together) and ``differs`` (0 is outside the band); at the lags that
        both decoders were scored at. Coordinate ``lag_s``.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target or one of the decoders.

    Source
    ------
    Band: Romano and Wolf 2005, doi:10.1198/016214504000000539 (studentized maximum over bootstrap draws).
    """
    return difference_of(resample_cells(results, metric, target=target, resampling=resampling))


def difference_of(cells: ResampledCells) -> xr.Dataset:
    """`specialized_minus_general` of cells that were resampled already."""
    special, general = cells.curve("specialized"), cells.curve("general")
    deltas, at_special, at_general = np.intersect1d(special.deltas, general.deltas, return_indices=True)
    difference = special.mean[at_special] - general.mean[at_general]
    drawn = special.drawn[:, at_special] - general.drawn[:, at_general]
    columns: dict[str, NDArray[Any]] = {"difference": difference}
    if len(deltas):
        columns["low"], columns["high"] = percentile_interval(drawn, level=cells.level)
        reach = simultaneous_band(difference, drawn, level=cells.level, two_sided=True)
    else:
        columns["low"] = columns["high"] = reach = difference
    columns |= {"band_low": difference - reach, "band_high": difference + reach}
    columns["differs"] = (columns["band_low"] > 0) | (columns["band_high"] < 0)
    return xr.Dataset(
        {name: ("test_delta", values) for name, values in columns.items()},
        coords={
            "test_delta": ("test_delta", deltas, {"units": "TR"}),
            "lag_s": ("test_delta", special.lag_s[at_special], {"units": "s"}),
        },
        attrs=cells.attrs
        | {
            "formula": "mean Specialized above chance - mean General above chance, at each test lag",
            "interval": "percentile bootstrap, the same draws for both decoders",
            "reason": "" if len(deltas) else "no test lag at which both decoders were scored",
        },
    )
