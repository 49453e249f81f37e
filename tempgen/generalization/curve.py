"""Scores by test lag with their intervals: what is drawn as a curve.

An interval must not take repeated presentations of one image for independent evidence, see `cluster_bootstrap`.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import (
    UNIT_PLURALS,
    Decoder,
    cell_chance,
    inherited_attrs,
    mean_over_trials,
    require_chance,
    scores_of,
    select_decoder,
    unit_of_trials,
)
from tempgen.generalization.statistics.bootstrap import cluster_bootstrap

__all__ = ["lag_curve"]


def lag_curve(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: Decoder,
    target: str = "current",
    n_draws: int = 2000,
    level: float = 0.95,
    unit: str = "image_id",
    seed: int = 0,
    above_chance: bool = False,
) -> xr.Dataset:
    """Mean score of a decoder by test lag, with a bootstrap interval over images.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized"}
        General: the row of the decoder trained at ``general_delta`` (an attribute of the results, 0 without it), at
        all test lags. Specialized: the diagonal, at the lags that have a decoder of their own.
    target : str
        Image that reconstructions are compared with.
    n_draws : int
        Bootstrap samples.
    level : float
        Coverage of the interval, between 0 and 1.
    unit : str
        Coordinate of the trials whose distinct values are drawn; ``"run"`` for labels, which have few images.
    seed : int
        The same seed draws the same images, for all lags, decoders and metrics of one result.
    above_chance : bool
        Subtract the chance level of each lag from mean and interval. The interval is shifted and not widened: the
        chance level's own sampling error is not in it.

    Returns
    -------
    Dataset
        ``mean``, ``low``, ``high`` and ``chance`` along ``test_delta`` (TRs), with coordinate ``lag_s`` (seconds from
        image onset to the window's end). NaN where nothing was scored. Attributes name the interval and the counts.

    Raises
    ------
    ResultsError
        If the results lack the metric, the target, the unit or every score of the decoder; or if fewer than two units
        were scored, ``n_draws`` is below 1 or ``level`` is not between 0 and 1; or if ``above_chance`` is asked for
        where chance is not known.
    """
    scores = select_decoder(scores_of(results, metric, target), results, decoder).transpose(
        "test_delta", "trial"
    )
    values = scores.to_numpy().astype(np.float64)
    scored = ~np.isnan(values).all(axis=0)
    if not scored.any():
        raise ResultsError(
            f"The results have no {metric} of the {decoder} decoder for the {target} image. "
            f"Train and evaluate it first; it needs train_delta {_needed_deltas(results, decoder)}."
        )
    units = unit_of_trials(scores, unit)
    mean = mean_over_trials(values)
    n_units = len(np.unique(units[scored]))
    plural = UNIT_PLURALS.get(unit, f"values of {unit}")
    if n_units == 1:
        low = high = np.full_like(mean, np.nan)
        interval = f"no interval: all trials are of one of the {plural}"
    else:
        low, high = cluster_bootstrap(
            values[:, scored], units[scored], n_draws=n_draws, level=level, seed=seed
        )
        interval = f"{100 * level:g} % bootstrap interval over {plural}"
    chance = _chance(results, metric, target, decoder, scores)
    method = "percentile cluster bootstrap of the mean over trials"
    if above_chance:
        require_chance(chance, mean, metric)
        mean, low, high, chance = mean - chance, low - chance, high - chance, chance - chance
        method += "; chance is taken as known"
    made = {
        "decoder": decoder,
        "interval": interval,
        "interval_method": method,
        "interval_unit": unit,
        "interval_level": level,
        "n_draws": n_draws,
        "seed": seed,
        "n_trials": int(scored.sum()),
        "n_units": n_units,
        "n_images": len(np.unique(unit_of_trials(scores, "image_id")[scored])),
    }
    columns = {"mean": mean, "low": low, "high": high, "chance": chance}
    return xr.Dataset(
        {name: ("test_delta", values) for name, values in columns.items()},
        coords={name: scores.coords[name] for name in ("test_delta", "lag_s") if name in scores.coords},
        attrs=inherited_attrs(results, metric, target, above_chance=above_chance) | made,
    )


def _needed_deltas(results: xr.Dataset, decoder: Decoder) -> str:
    return str(results.attrs.get("general_delta", 0)) if decoder == "general" else "equal to test_delta"


def _chance(
    results: xr.Dataset, metric: str, target: str, decoder: Decoder, scores: xr.DataArray
) -> NDArray[np.float64]:
    chance = select_decoder(cell_chance(results, metric), results, decoder)
    return chance.sel(test_delta=scores.test_delta).to_numpy().astype(np.float64)
