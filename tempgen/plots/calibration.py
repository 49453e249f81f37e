"""Figures of a calibration: false positive rates, power, coverage, and errors of latencies. All data are simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from tempgen.plots.style import (
    DECODER_LINES,
    Line,
    draw_legend_below,
    fit_height,
    own_axes,
    stamp_data_kind,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_coverage", "plot_latency_bias", "plot_power", "plot_rejection_rates"]

_LINES = {
    **DECODER_LINES,
    "matrix": Line("#009E73", ":", "D", filled=True),
}
_HEIGHT_MM = 70.0
_REFERENCE: Mapping[str, Any] = {"color": "0.3", "linestyle": ":", "linewidth": 0.8}


def plot_rejection_rates(summary: xr.Dataset, metric: str, *, ax: Axes | None = None) -> Axes:
    """Rejection rates without signal with their intervals, a row for each condition and test, beside alpha.

    Parameters
    ----------
    summary : Dataset
        From `tempgen.generalization.validation.calibrate`; drawn are the conditions whose ``snr`` is 0.
    metric : str
    """
    rates = summary.sel(metric=metric).isel(condition=np.flatnonzero(summary["snr"].to_numpy() == 0))
    rows = [
        (str(condition), str(test))
        for condition in rates["condition"].to_numpy()
        for test in rates["test"].to_numpy()
        if int(rates["rejection_n"].sel(condition=condition, test=test).max()) > 0
    ]
    with own_axes(ax, height_mm=25 + 5 * max(1, len(rows))) as axes:
        for k, decoder in enumerate(rates["decoder"].to_numpy()):
            for row, (condition, test) in enumerate(rows):
                one = rates.sel(condition=condition, test=test, decoder=decoder)
                if int(one["rejection_n"]) == 0:
                    continue
                _draw_interval(axes, one, "rejection", row + 0.22 * (k - 1), str(decoder))
        axes.axvline(float(summary.attrs["alpha"]), label="level of the tests", **_REFERENCE)
        axes.set_yticks(
            range(len(rows)), [f"{condition}, {test.replace('_', ' ')}" for condition, test in rows]
        )
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(left=-0.02 * axes.get_xlim()[1])  # markers at 0 are whole
        axes.set_xlabel("False positive rate")
        axes.set_title(metric, loc="left")
        _name_interval(axes, f"exact {_percent(summary)} interval")
        _finish(axes, summary, own=ax is None)
    return axes


def plot_power(
    summary: xr.Dataset, metric: str, *, code: str, test: str = "cluster", ax: Axes | None = None
) -> Axes:
    """Share of the data sets in which a test rejects, against the signal-to-noise ratio.

    Parameters
    ----------
    summary : Dataset
        Drawn are the conditions with signal of this code, of overlapping trials and of the most frequent spread of HRFs.
    metric, code, test : str
    """
    chosen = _of_code(summary, code).sel(metric=metric, test=test).sortby("snr")
    with own_axes(ax, height_mm=_HEIGHT_MM) as axes:
        for decoder in chosen["decoder"].to_numpy():
            rates = chosen.sel(decoder=decoder)
            rates = rates.isel(condition=np.flatnonzero(rates["rejection_n"].to_numpy() > 0))
            if not rates.sizes["condition"]:
                continue
            line = _LINES[str(decoder)]
            axes.plot(rates["snr"], rates["rejection"], label=str(decoder).capitalize(), **line.settings())
            axes.fill_between(
                rates["snr"],
                rates["rejection_low"],
                rates["rejection_high"],
                color=line.colour,
                alpha=0.2,
                lw=0,
            )
        axes.axhline(float(summary.attrs["alpha"]), label="level of the test", **_REFERENCE)
        axes.fill_between([], [], color="0.8", linewidth=0, label=f"exact {_percent(summary)} interval")
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("Signal-to-noise ratio")
        axes.set_ylabel(f"Power, {test.replace('_', ' ')}")
        axes.set_title(f"{code}, {metric}", loc="left")
        _finish(axes, summary, own=ax is None)
    return axes


def plot_coverage(
    summary: xr.Dataset, metric: str, *, interval: str = "percentile", ax: Axes | None = None
) -> Axes:
    """Mean over lags of the coverage of bootstrap intervals, a row for each condition, beside their level.

    Parameters
    ----------
    summary : Dataset
    metric, interval : str
    """
    return _plot_by_condition(
        summary.sel(metric=metric, interval=interval),
        "mean_coverage",
        fewest=1,
        reference=float(summary.attrs["level"]),
        reference_label="level of the intervals",
        x_label=f"Coverage, {interval.replace('_', ' ')}",
        ax=ax,
    )


def plot_latency_bias(summary: xr.Dataset, metric: str, *, latency: str, ax: Axes | None = None) -> Axes:
    """Estimate minus truth of a latency, mean over data sets with its interval, a row for each condition.

    Parameters
    ----------
    summary : Dataset
    metric : str
    latency : {"peak", "onset", "fall"}
    """
    return _plot_by_condition(
        summary.sel(metric=metric, latency=latency),
        "latency_bias_s",
        fewest=2,
        reference=0.0,
        reference_label="no bias",
        x_label=f"{latency.capitalize()}, estimate \N{MINUS SIGN} truth (s)",
        ax=ax,
    )


def _plot_by_condition(
    chosen: xr.Dataset,
    name: str,
    *,
    fewest: int,
    reference: float,
    reference_label: str,
    x_label: str,
    ax: Axes | None,
) -> Axes:
    """A row for each condition with ``fewest`` data sets or more, and in it a mark with its interval for each curve."""
    counts = chosen[f"{name}_n"]
    there = np.flatnonzero(counts.max("curve").to_numpy() >= fewest)
    conditions = [str(condition) for condition in chosen["condition"].to_numpy()[there]]
    with own_axes(ax, height_mm=25 + 5 * max(1, len(conditions))) as axes:
        for k, curve in enumerate(chosen["curve"].to_numpy()):
            for row, condition in enumerate(conditions):
                if int(counts.sel(condition=condition, curve=curve)) >= fewest:
                    one = chosen.sel(condition=condition, curve=curve)
                    _draw_interval(axes, one, name, row + 0.2 * (k - 0.5), str(curve))
        axes.axvline(reference, label=reference_label, **_REFERENCE)
        axes.set_yticks(range(len(conditions)), conditions)
        axes.set_ylim(max(len(conditions), 1) - 0.5, -0.5)
        _name_interval(axes, f"{_percent(chosen)} interval over data sets")
        axes.set_xlabel(x_label)
        axes.set_title(str(chosen["metric"].item()), loc="left")
        _finish(axes, chosen, own=ax is None)
    return axes


def _of_code(summary: xr.Dataset, code: str) -> xr.Dataset:
    spreads, counts = np.unique(summary["hrf_spread_s"], return_counts=True)
    usual = spreads[counts.argmax()]
    chosen = (
        (summary["code"] == code)
        & (summary["snr"] > 0)
        & (summary["soa_slots"] == 1)
        & (summary["hrf_spread_s"] == usual)
    )
    return summary.isel(condition=np.flatnonzero(chosen.to_numpy()))


def _draw_interval(axes: Axes, one: xr.Dataset, name: str, row: float, decoder: str) -> None:
    line = _LINES[decoder]
    low, middle, high = (float(one[key]) for key in (f"{name}_low", name, f"{name}_high"))
    axes.plot([low, high], [row, row], color=line.colour, linestyle=line.dashes, linewidth=1.0)
    axes.plot([middle], [row], **{**line.settings(), "linestyle": "none"}, label=decoder.capitalize())


def _percent(summary: xr.Dataset) -> str:
    """Level of the intervals that are drawn."""
    return f"{100 * float(summary.attrs.get('interval_level', 0.95)):g} %"


def _name_interval(axes: Axes, words: str) -> None:
    """Say in the legend what the horizontal lines are."""
    axes.plot([], [], color="0.5", linewidth=1.0, label=words)


def _finish(axes: Axes, summary: xr.Dataset, *, own: bool) -> None:
    """Stamp and legend; a figure of its own is made as high as it needs."""
    stamp_data_kind(axes, summary.attrs)
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    draw_legend_below(axes, list(once.values()), list(once), own_figure=own)
    figure = axes.get_figure(root=True)
    if own and figure is not None and not axes.get_yticklabels():
        fit_height(figure, [axes], ratio=0.8)
