"""A table as a figure: means with their standard errors, the best in bold, groups of rows apart."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.errors import ResultsError
from tempgen.plots.style import MM_PER_INCH, PAGE_MM, STAMP_SETTINGS, figure_style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_table", "table_text"]

_IN_PERCENT = ("miou", "dreamsim", "scene_category")
"""Metrics that tables show times 100, beside all whose chance is a fixed share. Source: Dynadiff's tables."""
_NAME_MM, _ROW_MM, _LINE_MM, _EDGE_MM = 30.0, 4.2, 2.9, 2.0
_COLUMN_MM = (14.6, 20.0)  # narrowest and widest; the former lets the paper's ten metrics fill a page
_NAME_LETTERS = 21
_MM_PER_LETTER = 1.4  # of a header, 6.5 points high
_NOTE_LETTERS_PER_MM = 0.75  # of the notes below, 6 points high
_GREY = "0.35"


def plot_table(table: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw a table of decoders and metrics, as wide as it needs, up to a page.

    Parameters
    ----------
    table : Dataset, dims (row, metric)
        From `tempgen.generalization.benchmark.benchmark_table`.
    ax : Axes, optional
        Where to draw, without axis lines; by default a new figure of the table's size.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If there are more metrics than fit on a page.
    """
    from matplotlib import pyplot as plt

    n_rows, n_columns = table.sizes["row"], table.sizes["metric"]
    most = int((PAGE_MM - _NAME_MM - 2 * _EDGE_MM) // _COLUMN_MM[0])
    if n_columns > most:
        raise ResultsError(
            f"{n_columns} metrics came, a page has room for {most}: choose among them with .sel(metric=[...])."
        )
    column_mm = min(_COLUMN_MM[1], (PAGE_MM - _NAME_MM - 2 * _EDGE_MM) / n_columns)
    width_mm = _NAME_MM + n_columns * column_mm + 2 * _EDGE_MM
    groups = [str(group) for group in table["group"].values]
    named = set(groups) != {"this study"}
    with_sem = np.isfinite(table["sem"].to_numpy()).any(axis=1)
    headers = [
        fill(_header(table, k), int(column_mm / _MM_PER_LETTER), break_long_words=False)
        for k in range(n_columns)
    ]
    notes = [fill(line, int(width_mm * _NOTE_LETTERS_PER_MM)) for line in _notes(table)]
    n_header, n_notes = (
        sum(text.count("\n") + 1 for text in texts)
        for texts in ([max(headers, key=lambda text: text.count("\n"))], notes)
    )
    height_mm = (
        2 * _EDGE_MM
        + _LINE_MM * (n_header + n_notes + 2)
        + _ROW_MM * (n_rows + (len(set(groups)) if named else 0))
        + _LINE_MM * int(with_sem.sum())
    )
    with figure_style():
        if ax is None:
            figure: Figure = plt.figure(
                figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="none"
            )
            ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, width_mm), ylim=(height_mm, 0))
        ax.set_axis_off()
        _write_stamp(ax, table, width_mm)
        top_mm = _EDGE_MM + 1.2 * _LINE_MM
        _rule(ax, top_mm, width_mm, 0.9)
        bottom_mm = top_mm + _LINE_MM * n_header + 0.8 * _LINE_MM
        for k, header in enumerate(headers):
            ax.text(
                _middle_mm(k, column_mm),
                (top_mm + bottom_mm) / 2,
                header,
                ha="center",
                va="center_baseline",
                fontsize=6.5,
                linespacing=1.05,
            )
        _rule(ax, bottom_mm, width_mm, 0.5)
        y_mm = bottom_mm
        for row in range(n_rows):
            if named and (row == 0 or groups[row] != groups[row - 1]):
                if row:
                    _rule(ax, y_mm, width_mm, 0.5)
                ax.text(
                    _EDGE_MM,
                    y_mm + _ROW_MM / 2,
                    groups[row],
                    va="center_baseline",
                    fontsize=6.5,
                    style="italic",
                    color=_GREY,
                )
                y_mm += _ROW_MM
            y_mm = _write_row(
                ax, table.isel(row=row), y_mm, column_mm=column_mm, with_sem=bool(with_sem[row])
            )
        _rule(ax, y_mm, width_mm, 0.9)
        ax.text(
            _EDGE_MM,
            y_mm + 0.4 * _LINE_MM,
            "\n".join(notes),
            va="top",
            fontsize=6.0,
            color=_GREY,
            linespacing=1.15,
        )
    return ax


def table_text(table: xr.Dataset) -> Any:
    """The table as a DataFrame of text, for a notebook: ``"0.34 ± 0.01"``, the best between asterisks."""
    import pandas as pd

    rows = [
        [
            _with_sem(*_number(table, row, column), best=bool(table["best"].values[row, column]))
            for column in range(table.sizes["metric"])
        ]
        for row in range(table.sizes["row"])
    ]
    index = pd.MultiIndex.from_arrays([table["group"].values, table["row"].values], names=["", "decoder"])
    return pd.DataFrame(rows, index=index, columns=[_header(table, k) for k in range(table.sizes["metric"])])


def _write_row(ax: Axes, row: xr.Dataset, y_mm: float, *, column_mm: float, with_sem: bool) -> float:
    """Names, means and, under them, standard errors of one row; returns where the next begins."""
    name = fill(str(row["row"].item()), _NAME_LETTERS)
    middle_mm = y_mm + (_ROW_MM + _LINE_MM * (with_sem and "\n" in name)) / 2
    ax.text(_EDGE_MM, middle_mm, name, va="center_baseline", fontsize=7, linespacing=1.05)
    one = row.expand_dims("row")
    for k in range(row.sizes["metric"]):
        mean, sem = _number(one, 0, k)
        weight = "bold" if bool(row["best"].values[k]) else "normal"
        ax.text(
            _middle_mm(k, column_mm),
            y_mm + _ROW_MM / 2,
            mean,
            ha="center",
            va="center_baseline",
            fontsize=7,
            fontweight=weight,
        )
        if sem:
            below_mm = y_mm + _ROW_MM + 0.1 * _LINE_MM
            ax.text(
                _middle_mm(k, column_mm),
                below_mm,
                f"\N{PLUS-MINUS SIGN} {sem}",
                ha="center",
                va="center_baseline",
                fontsize=5.5,
                color=_GREY,
            )
    return y_mm + _ROW_MM + (_LINE_MM if with_sem else 0.0)


def _write_stamp(ax: Axes, table: xr.Dataset, width_mm: float) -> None:
    attrs = table.attrs
    if "data_kind" in attrs:
        words = f"{attrs['data_kind']} data, {attrs.get('subject', '')}".rstrip(", ")
        ax.text(
            width_mm - _EDGE_MM, _EDGE_MM / 2 + 0.4, words, ha="right", va="center_baseline", **STAMP_SETTINGS
        )


def _rule(ax: Axes, y_mm: float, width_mm: float, linewidth: float) -> None:
    ax.plot(
        [_EDGE_MM, width_mm - _EDGE_MM],
        [y_mm, y_mm],
        color="black",
        linewidth=linewidth,
        solid_capstyle="butt",
    )


def _middle_mm(column: int, column_mm: float) -> float:
    return _EDGE_MM + _NAME_MM + (column + 0.5) * column_mm


def _header(table: xr.Dataset, column: int) -> str:
    name = str(table["long_name"].values[column])
    arrow = (
        "\N{DOWNWARDS ARROW}"
        if str(table["direction"].values[column]).startswith("lower")
        else "\N{UPWARDS ARROW}"
    )
    percent = " (%)" if _in_percent(table, column) else ""
    return f"{name}{percent} {arrow}"


def _in_percent(table: xr.Dataset, column: int) -> bool:
    return (
        bool(np.isfinite(table["fixed_chance"].values[column]))
        or str(table["metric"].values[column]) in _IN_PERCENT
    )


def _number(table: xr.Dataset, row: int, column: int) -> tuple[str, str]:
    """Mean and standard error as text; empty where there is none."""
    percent = _in_percent(table, column)
    scale, n_decimals = (100, 2) if percent else (1, 3)
    mean, sem = (float(table[name].values[row, column]) for name in ("mean", "sem"))
    if not np.isfinite(sem):
        n_decimals = 2  # as papers print
    text = (
        "\N{EN DASH}"
        if not np.isfinite(mean)
        else f"{scale * mean:.{n_decimals}f}".replace("-", "\N{MINUS SIGN}")
    )
    return text, f"{scale * sem:.{n_decimals}f}" if np.isfinite(sem) else ""


def _with_sem(mean: str, sem: str, *, best: bool) -> str:
    text = f"{mean} \N{PLUS-MINUS SIGN} {sem}" if sem else mean
    return f"*{text}*" if best else text


def _notes(table: xr.Dataset) -> list[str]:
    attrs = table.attrs
    best = f"Bold: best, compared {attrs['compared']}."
    lines = [f"Mean \N{PLUS-MINUS SIGN} {attrs['sem_of']}. {best} Arrows: the better direction."]
    if "published_source" in attrs:
        lines.append(f"Published scores: {attrs['published_source']}.")
    if attrs.get("not_compared"):
        lines.append(f"Compared within each group: {attrs['not_compared']}.")
    if attrs.get("other_recording"):
        kind = str(attrs.get("data_kind", "")).capitalize()
        lines.append(f"{kind} data and published scores are of other recordings: they are not compared.")
    return lines
