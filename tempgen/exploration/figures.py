"""The interactive figures: curves, matrix and strip of scores, as plotly shows them in a notebook."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from tempgen.exploration.model import Exploration
from tempgen.plots import DECODER_LINES

__all__ = [
    "cell_outline",
    "curve_traces",
    "curves_layout",
    "lag_line",
    "matrix_layout",
    "matrix_trace",
    "strip_layout",
    "strip_trace",
]

_DASHES = {"-": "solid", "--": "dash"}
_MARKERS = {"o": "circle", "s": "square-open"}
_FONT = {"family": "sans-serif", "size": 12, "color": "#222"}


def curves_layout(exploration: Exploration) -> dict[str, Any]:
    """Layout of the curves: seconds to the right, the metric upwards, a line at the chosen lag."""
    metric = exploration.selection.metric
    name = str(exploration.results[metric].attrs.get("long_name", metric))
    shared = _layout(width=560, height=330, x="time from image onset to the window's end (s)", y=name)
    return shared | {"shapes": [lag_line(exploration)]}


def matrix_layout(exploration: Exploration) -> dict[str, Any]:
    """Layout of the matrix: test lag to the right, training lag upwards, a frame around the chosen cell."""
    shared = _layout(width=430, height=330, x="test lag (s)", y="training lag (s)")
    return shared | {"shapes": [cell_outline(exploration)]}


def strip_layout() -> dict[str, Any]:
    """Layout of the strip of scores, in which dragging selects."""
    shared = _layout(width=460, height=300, x="score of a trial (drag to select)", y="trial, in time")
    return shared | {"dragmode": "select"}


def _layout(*, width: int, height: int, x: str, y: str) -> dict[str, Any]:
    """Settings that the three figures share; axes have a line and no grid. Width and height in pixels."""
    axis = {"showline": True, "linecolor": "#444", "ticks": "outside", "zeroline": False, "showgrid": False}
    return {
        "template": "none",
        "width": width,
        "height": height,
        "margin": {"l": 62, "r": 12, "t": 34, "b": 48},
        "font": _FONT,
        "hovermode": "closest",
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": {"title": {"text": x}, **axis},
        "yaxis": {"title": {"text": y}, **axis},
        "legend": {"orientation": "h", "y": 1.14, "x": 0},
    }


def curve_traces(exploration: Exploration) -> dict[str, list[go.Scatter]]:
    """Band, chance and curve of each decoder, by its name; points bear the shift in TRs."""
    return {name: _one_curve(name, curve) for name, curve in exploration.curves().items()}


def _one_curve(name: str, curve: xr.Dataset) -> list[go.Scatter]:
    line = DECODER_LINES[name]
    lag_s, low, high = (curve[each].to_numpy() for each in ("lag_s", "low", "high"))
    # an explicit outline: what is not known (NaN) would tear the area
    known = ~np.isnan(low)
    x, y = np.r_[lag_s[known], lag_s[known][::-1]], np.r_[low[known], high[known][::-1]]
    red, green, blue = (int(line.colour[k : k + 2], 16) for k in (1, 3, 5))
    band = go.Scatter(
        x=x,
        y=y,
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.18)",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name=str(curve.attrs["interval"]),
        showlegend=False,
    )
    chance = go.Scatter(
        x=lag_s,
        y=curve["chance"].to_numpy(),
        mode="lines",
        line={"color": line.colour, "dash": "dot", "width": 1},
        hoverinfo="skip",
        name="chance",
        showlegend=False,
    )
    mean = go.Scatter(
        x=lag_s,
        y=curve["mean"].to_numpy(),
        customdata=curve["test_delta"].to_numpy(),
        mode="lines+markers",
        line={"color": line.colour, "dash": _DASHES[line.dashes], "width": 2},
        marker={"symbol": _MARKERS[line.marker], "size": 8},
        name=name.capitalize(),
        hovertemplate="delta %{customdata} TR<br>%{x:.2f} s<br>%{y:.3f}<extra>"
        + name.capitalize()
        + "</extra>",
    )
    return [band, chance, mean]


def matrix_trace(exploration: Exploration) -> go.Heatmap:
    """The generalization matrix above chance; chance is white, cells that were not computed stay empty."""
    matrix = exploration.matrix()
    values = matrix.to_numpy()
    reach = float(np.nanmax(np.abs(values - float(np.nan_to_num(matrix.attrs["chance"]))))) or 1.0
    return go.Heatmap(
        z=values,
        x=matrix["lag_s"].to_numpy(),
        y=matrix["train_lag_s"].to_numpy(),
        zmid=float(np.nan_to_num(matrix.attrs["chance"])),
        zmin=-reach,
        zmax=reach,
        colorscale="RdBu_r",
        hoverongaps=False,
        colorbar={"title": {"text": "above<br>chance"}, "thickness": 12},
        hovertemplate="trained at %{y:.2f} s, tested at %{x:.2f} s<br>%{z:.3f}<extra></extra>",
    )


def lag_line(exploration: Exploration) -> dict[str, Any]:
    """A line at the chosen test lag, as a shape of the curves' layout."""
    lag_s = float(exploration.results["lag_s"].sel(test_delta=exploration.selection.cell[1]))
    line = {"color": "#444", "width": 1}
    return {"type": "line", "x0": lag_s, "x1": lag_s, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def cell_outline(exploration: Exploration) -> dict[str, Any]:
    """A rectangle around the chosen cell, as a shape of the matrix' layout."""
    train, test = exploration.selection.cell
    results = exploration.results
    half = float(results.attrs.get("tr_s", 1.0)) / 2
    x = float(results["lag_s"].sel(test_delta=test))
    y = float(results["train_lag_s"].sel(train_delta=train))
    line = {"color": "black", "width": 2}
    return {"type": "rect", "x0": x - half, "x1": x + half, "y0": y - half, "y1": y + half, "line": line}


def strip_trace(exploration: Exploration) -> go.Scatter:
    """Score of each trial of the chosen cell, in time; those that are brushed are dark."""
    scores = exploration.scores().to_numpy()
    brushed = exploration.selection.brushed
    return go.Scatter(
        x=scores,
        y=np.arange(len(scores)),
        mode="markers",
        marker={"size": 6, "color": "#444"},
        selectedpoints=None if brushed is None else list(brushed),
        unselected={"marker": {"opacity": 0.2}},
        hovertemplate="trial %{y}<br>%{x:.3f}<extra></extra>",
        showlegend=False,
    )
