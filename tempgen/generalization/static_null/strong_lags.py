"""Lags at which there is enough to lose: decoders that are barely above chance make an index of nothing but overlap and noise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.static_null.lag_decoders import METRIC
from tempgen.generalization.summaries.informative import informative_lags
from tempgen.generalization.summaries.resampling import Resampling, resample_cells

__all__ = ["LEAST_SHARE", "strong_lags"]

LEAST_SHARE = 0.25
"""Of the largest Specialized score. Source: house choice. Deconvolution smears activity over its neighbours with either sign: below
a quarter a static code's lags after its end count, where it is decoded with the sign turned."""

RESAMPLING = Resampling(n_draws=500)
"""Draws of the bound that lags have to pass. Source: house choice; the bound is a quantile of 0.95."""


def strong_lags(
    results: xr.Dataset,
    metric: str = METRIC,
    *,
    least_share: float = LEAST_SHARE,
    resampling: Resampling = RESAMPLING,
) -> xr.DataArray:
    """Lags whose Specialized decoder is above chance, and scores a share of the best lag's or more.

    Parameters
    ----------
    results : Dataset
        See :mod:`tempgen.results`.
    metric : str
    least_share : float
        Between 0 and 1.
    resampling : Resampling
        Decides what is above chance, simultaneously over lags.

    Returns
    -------
    DataArray of bool, dims (test_delta,)
        A mask for `dynamics_index`; the attribute ``test`` says how, ``reason`` why there is none.

    Raises
    ------
    ResultsError
        If the share is not between 0 and 1, or the results lack the metric or the Specialized decoder.
    """
    if not 0 <= least_share < 1:
        raise ResultsError(f"least_share is {least_share:g}; 0 or more, and below 1, is needed.")
    curve = resample_cells(results, metric, resampling=resampling).curve("specialized")
    informative = informative_lags(curve)
    strong = informative.mask & (curve.mean >= least_share * np.max(curve.mean))
    return xr.DataArray(
        strong,
        dims="test_delta",
        coords={"test_delta": curve.deltas},
        attrs={
            "test": f"{informative.said_by}; {least_share:g} of the best lag's score or more",
            "reason": informative.reason,
        },
    )
