"""Decoders side by side at one lag: a table of scores, chance levels and distances in standard errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.results import metrics_of

__all__ = ["score_table"]


def score_table(
    results: Mapping[str, xr.Dataset], *, train_delta: int = 0, test_delta: int = 0, target: str = "current"
) -> pd.DataFrame:
    """Scores of one or more decoders in one cell, with standard errors over images.

    Trials of one image count as one, their mean: images are the independent units. Differences between decoders are
    taken image by image, over the images that both were tested on.

    Parameters
    ----------
    results : mapping of str to Dataset
        Name of a decoder to its result; differences are to the first.
    train_delta, test_delta : int
        Which cell (TRs).
    target : str
        Image that reconstructions are compared with.

    Returns
    -------
    DataFrame
        One row for each metric and decoder, with columns ``score``, ``chance``, ``se``, ``above_chance_se`` (distance
        from chance in standard errors; chance is taken as known), ``difference`` to the first decoder and
        ``difference_se`` (NaN for the first).

    Raises
    ------
    ResultsError
        If there is no result, or one lacks the cell or the target.

    Examples
    --------
    >>> score_table({})
    Traceback (most recent call last):
    tempgen.errors.ResultsError: There is no result to tabulate; give at least one.
    """
    if not results:
        raise ResultsError("There is no result to tabulate; give at least one.")
    rows = []
    first = next(iter(results.values()))
    for metric in metrics_of(first):
        reference: pd.Series | None = None
        for name, result in results.items():
            if metric not in result:
                continue
            scores = _image_means(result, metric, name, (train_delta, test_delta, target))
            chance = float(result[f"{metric}_chance"].sel(train_delta=train_delta, test_delta=test_delta))
            error = float(np.std(scores.to_numpy(), ddof=1) / np.sqrt(len(scores)))
            row = {
                "metric": str(result[metric].attrs.get("long_name", metric)),
                "decoder": name,
                "score": float(scores.mean()),
                "chance": chance,
                "se": error,
                "above_chance_se": (float(scores.mean()) - chance) / error if error > 0 else np.inf,
                "difference": np.nan,
                "difference_se": np.nan,
            }
            if reference is not None:
                differences = (scores - reference).dropna()
                values = differences.to_numpy()
                row |= {
                    "difference": float(values.mean()),
                    "difference_se": float(np.std(values, ddof=1) / np.sqrt(len(values))),
                }
            else:
                reference = scores
            rows.append(row)
    return pd.DataFrame(rows).set_index(["metric", "decoder"])


def _image_means(result: xr.Dataset, metric: str, name: str, cell: tuple[int, int, str]) -> pd.Series:
    """Mean score of each image."""
    try:
        scores = result[metric].sel(train_delta=cell[0], test_delta=cell[1], target=cell[2])
    except KeyError as error:
        raise ResultsError(
            f"The result of {name!r} has no cell of train_delta {cell[0]}, test_delta {cell[1]} and target {cell[2]!r}."
        ) from error
    table = pd.Series(scores.to_numpy().astype(np.float64), index=scores["image_id"].to_numpy())
    means = table.dropna().groupby(level=0).mean()
    if len(means) < 2:
        raise ResultsError(
            f"The result of {name!r} has {len(means)} scored images in this cell; 2 are needed."
        )
    return means
