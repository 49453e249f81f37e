"""What `tempgen dynamics` made of a recording: to open, to tabulate, to draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.config.dynamics import METHODS
from tempgen.errors import ResultsError
from tempgen.generalization.curve import lag_curve
from tempgen.generalization.matrix import generalization_matrix
from tempgen.generalization.selection import Decoder
from tempgen.generalization.static_null import METRIC, Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DynamicsResult", "draw_dynamics", "open_dynamics", "verdict_table"]

FOLDER, VERDICT = "dynamics", "verdict.json"
_CURVES: tuple[Decoder, ...] = ("general", "specialized")


@dataclass(frozen=True)
class DynamicsResult:
    """What every method made of a recording, and said.

    Attributes
    ----------
    bold, deconvolved : Dataset
        Scores, see :mod:`tempgen.results`.
    separability : Dataset
        From `tempgen.generalization.separability.separability_test`.
    static_null : Dataset
        From `tempgen.generalization.static_null.static_null`.
    verdict : Dataset, dims (method,)
        ``verdict``, ``reason``, ``statistic``, ``low``, ``high`` and ``p`` of each method and of ``together``.
    """

    bold: xr.Dataset
    deconvolved: xr.Dataset
    separability: xr.Dataset
    static_null: xr.Dataset
    verdict: xr.Dataset

    @property
    def says(self) -> str:
        """``"static"``, ``"dynamic"`` or ``"undecided"``."""
        return str(self.verdict["verdict"].sel({"method": "together"}).item())

    def matrices(self) -> dict[str, xr.DataArray]:
        """Mean scores of both signals, to draw."""
        return {
            signal: generalization_matrix(made, METRIC)
            for signal, made in (("bold", self.bold), ("deconvolved", self.deconvolved))
        }

    def curves(self) -> dict[str, dict[str, xr.Dataset]]:
        """The General and the Specialized curve of both signals, to draw."""
        return {
            signal: {decoder: lag_curve(made, METRIC, decoder=decoder) for decoder in _CURVES}
            for signal, made in (("bold", self.bold), ("deconvolved", self.deconvolved))
        }

    def nulls(self) -> dict[str, xr.Dataset]:
        """What the static null and separability observed, and what a static code would give, to draw."""
        of_all = self.separability.sel(roi="all")
        return {
            "static_null": self.static_null[["observed", "null", "p"]],
            "separability": xr.Dataset(
                {
                    "observed": of_all["mean_gain"],
                    "null": of_all["mean_gain_null"],
                    "p": of_all["p_mean_gain"],
                }
            ),
        }


def open_dynamics(folder: Path | str) -> DynamicsResult:
    """What `run_dynamics` wrote.

    Parameters
    ----------
    folder : Path or str
        Of the analysis, or its folder ``dynamics``.

    Raises
    ------
    ResultsError
        If there is none, or it is not whole.
    """
    folder = Path(folder)
    folder = folder if (folder / VERDICT).is_file() else folder / FOLDER
    try:
        content = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
        made = {
            method: xr.open_zarr(folder / f"{method}.zarr", consolidated=False, chunks=None).load()
            for method in METHODS
        }
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(
            f"{folder} holds no verdict: make one with 'tempgen dynamics' ({error})."
        ) from error
    rows = content.pop("findings")
    names = list(rows)
    columns = {field: [rows[name][field] for name in names] for field in Finding._fields}
    verdict = xr.Dataset(
        {
            field: (
                "method",
                np.array(values, dtype=object if field in ("verdict", "reason") else np.float64),
            )
            for field, values in columns.items()
        },
        coords={"method": names},
        attrs=content,
    )
    return DynamicsResult(
        made["raw"], made["deconvolved"], made["separability"], made["static_null"], verdict
    )


def verdict_table(results: Mapping[str, DynamicsResult]) -> pd.DataFrame:
    """What each method says of each recording, and why, a row for each.

    Parameters
    ----------
    results : mapping of name to DynamicsResult
    """
    frames = {name: one.verdict.to_dataframe()[["verdict", "p", "reason"]] for name, one in results.items()}
    return pd.concat(frames, names=["recording", "method"])


def draw_dynamics(results: Mapping[str, DynamicsResult]) -> Figure:
    """The codes (or subjects) side by side, see `tempgen.plots.dynamics.plot_dynamics`.

    Parameters
    ----------
    results : mapping of name to DynamicsResult
    """
    from tempgen.plots.dynamics import plot_dynamics

    nulls = {name: one.nulls() for name, one in results.items()}
    return plot_dynamics(
        {name: one.matrices() for name, one in results.items()},
        {name: one.curves() for name, one in results.items()},
        {test: {name: nulls[name][test] for name in nulls} for test in ("static_null", "separability")},
    )
