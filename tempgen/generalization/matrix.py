"""The mean score of every decoder at every test lag: the generalization matrix."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.selection import (
    cell_chance,
    inherited_attrs,
    mean_over_trials,
    require_chance,
    scores_of,
)
from tempgen.windows import shares_volumes

__all__ = ["generalization_matrix"]


def generalization_matrix(
    results: xr.Dataset, metric: str, *, target: str = "current", above_chance: bool = False
) -> xr.DataArray:
    """Mean score of every decoder at every test lag.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    target : str
        Image that reconstructions are compared with.
    above_chance : bool
        Subtract each cell's own chance level. Where chance is measured it differs between cells: a decoder that found
        nothing gives the mean image, which is a little like any image.

    Returns
    -------
    DataArray, dims (train_delta, test_delta)
        Mean over trials, NaN where a cell was not computed. Coordinates ``train_lag_s`` and ``lag_s`` (seconds from
        image onset to the window's end), ``chance`` of each cell (0 once it is subtracted), and ``shares_volumes``:
        whether the training and the test window have volumes in common, |train_delta - test_delta| < n_tr. Attribute
        ``chance``: mean over the cells.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target or ``n_tr``, or nothing was scored; or if ``above_chance`` is asked
        for where chance is not known.
    """
    scores = scores_of(results, metric, target).transpose("train_delta", "test_delta", "trial")
    mean = mean_over_trials(scores.to_numpy().astype(np.float64))
    if np.isnan(mean).all():
        raise ResultsError(
            f"The results have no {metric} for the {target} image in any cell. Evaluate a decoder first."
        )
    if "n_tr" not in results.attrs:
        raise ResultsError("The results do not say how wide the window is (attribute n_tr). Evaluate again.")
    overlap = shares_volumes(
        scores.train_delta.to_numpy()[:, np.newaxis],
        scores.test_delta.to_numpy(),
        n_tr=int(results.attrs["n_tr"]),
    )
    cells = ("train_delta", "test_delta")
    chance = np.where(np.isnan(mean), np.nan, cell_chance(results, metric).transpose(*cells))
    if above_chance:
        require_chance(chance, mean, metric)
        mean, chance = mean - chance, chance - chance
    known = chance[~np.isnan(chance)]
    labels = {name: scores.coords[name] for name in (*cells, "train_lag_s", "lag_s") if name in scores.coords}
    return xr.DataArray(
        mean,
        dims=cells,
        coords=labels | {"chance": (cells, chance), "shares_volumes": (cells, overlap)},
        name=metric,
        attrs=inherited_attrs(results, metric, target, above_chance=above_chance)
        | {"chance": float(known.mean()) if known.size else np.nan},
    )
