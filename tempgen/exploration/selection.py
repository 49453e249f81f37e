"""What is chosen of results, as one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from tempgen.generalization.selection import Decoder

__all__ = ["ORDERS", "Cell", "Selection", "scored_cells"]

Cell = tuple[int, int]
ORDERS = ("in time", "best first", "worst first")
"""In which order trials are listed; never by hand."""


@dataclass(frozen=True)
class Selection:
    """What is chosen.

    Attributes
    ----------
    entry : int
        Which of the results.
    metric, target : str
    decoder : {"general", "specialized"}
        Whose lags are chosen along the curve.
    cell : (train_delta, test_delta)
        Whose trials are shown (TRs).
    brushed : tuple of int or None
        Positions of the trials that are shown; None: all that were scored.
    order : str
        Of `ORDERS`.
    only_kept : bool
        Show only trials whose reconstruction was kept.
    first : int
        Position of the first trial shown among those listed.
    """

    entry: int
    metric: str
    target: str
    decoder: Decoder
    cell: Cell
    brushed: tuple[int, ...] | None = None
    order: str = ORDERS[0]
    only_kept: bool = True
    first: int = 0


def scored_cells(scores: xr.DataArray) -> frozenset[Cell]:
    """Cells of one metric's scores in which any trial was scored with any target."""
    scored = scores.notnull().any(["target", "trial"]).transpose("train_delta", "test_delta")
    rows, columns = np.nonzero(scored.to_numpy())
    trains, tests = scores["train_delta"].to_numpy()[rows], scores["test_delta"].to_numpy()[columns]
    return frozenset(zip(trains.tolist(), tests.tolist(), strict=True))
