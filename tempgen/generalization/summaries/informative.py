"""At which lags there is anything to summarize: so that chance has no peak and no onset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import select_decoder
from tempgen.generalization.summaries.resampling import ResampledCurve

__all__ = ["Informative", "informative_lags", "simultaneous_band"]

_ROUNDING = 1e-6  # of the largest score: single precision


@dataclass(frozen=True)
class Informative:
    """Lags above chance, corrected for how many were looked at.

    Attributes
    ----------
    mask : array of bool, shape (n_lags,)
    threshold : array or None, shape (n_lags,)
        Score above chance that a lag has to pass; None where a mask was given.
    said_by : str
        The test, in words.
    """

    mask: NDArray[np.bool_]
    threshold: NDArray[np.float64] | None
    said_by: str

    @property
    def reason(self) -> str:
        """Why there is nothing to summarize; empty if there is."""
        return "" if self.mask.any() else f"at chance: no lag is above it ({self.said_by})"


def informative_lags(curve: ResampledCurve, mask: xr.DataArray | None = None) -> Informative:
    """Lags that a given mask names, or at which the curve is above its simultaneous bootstrap bound.

    Parameters
    ----------
    curve : ResampledCurve
    mask : DataArray of bool, dims (test_delta,) or (train_delta, test_delta), or None
        Significant lags or cells of a corrected test, e.g. ``mask`` of `cluster_test`. None: lag d is above chance if
        ``mean_d > q * se_d``, with se the standard deviation over draws and q the quantile ``level`` of
        ``max_d (draw_d - mean_d) / se_d``. So all lags together are wrong in a share 1 - level of null curves.

    Raises
    ------
    ResultsError
        If the mask has no such dimension or lacks lags of the curve.

    Source
    ------
    Romano and Wolf 2005, doi:10.1198/016214504000000539 (studentized maximum over bootstrap draws).
    """
    if mask is None:
        level = curve.cells.level
        threshold = simultaneous_band(curve.mean, curve.drawn, level=level)
        floor = _ROUNDING * np.nanmax(np.abs(curve.score))
        said_by = f"one-sided simultaneous bootstrap bound over {len(curve.mean)} lags, level {level:g}"
        return Informative(curve.mean > np.maximum(threshold, floor), threshold, said_by)
    if "train_delta" in mask.dims:
        mask = select_decoder(mask, curve.cells.results, curve.decoder)
    if mask.dims != ("test_delta",):
        raise ResultsError(
            f"A mask of lags has the dimension test_delta (or train_delta and test_delta), got {mask.dims}."
        )
    lacking = np.setdiff1d(curve.deltas, mask["test_delta"])
    if lacking.size:
        raise ResultsError(
            f"The mask says nothing of the test lags {lacking.tolist()}, which were scored. Test the same result."
        )
    marked = mask.sel(test_delta=curve.deltas).to_numpy().astype(bool)
    return Informative(marked, None, f"mask given: {mask.attrs.get('test', 'no test named')}")


def simultaneous_band(
    mean: NDArray[np.float64], drawn: NDArray[np.float64], *, level: float, two_sided: bool = False
) -> NDArray[np.float64]:
    """Distance from the mean that draws pass at no lag at all in a share ``level`` of them.

    Parameters
    ----------
    mean : array, shape (n_lags,)
    drawn : array, shape (n_draws, n_lags)
    level : float
        Between 0 and 1.
    two_sided : bool
        Whether draws on either side of the mean count.

    Returns
    -------
    array, shape (n_lags,)
        ``q * se``; 0 where all draws are the same.
    """
    error = np.nanstd(drawn, axis=0, ddof=1)
    varies = error > _ROUNDING * max(float(np.nanmax(np.abs(drawn))), 1e-300)
    if not varies.any():
        return np.zeros_like(mean)
    deviation = (drawn[:, varies] - mean[varies]) / error[varies]
    largest = np.nanmax(np.abs(deviation) if two_sided else deviation, axis=1)
    return np.where(varies, np.nanquantile(largest, level) * error, 0.0)
