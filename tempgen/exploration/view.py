"""The interactive view: menus, curves, matrix, strip of scores and images; every event goes through the `Exploration`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from tempgen.errors import TempgenError
from tempgen.exploration.complete_figure import CompleteFigure
from tempgen.exploration.drawing import draw_view
from tempgen.exploration.figures import (
    cell_outline,
    curve_traces,
    curves_layout,
    lag_line,
    matrix_layout,
    matrix_trace,
    strip_layout,
    strip_trace,
)
from tempgen.exploration.model import PAGE, Exploration
from tempgen.exploration.panel import trials_html
from tempgen.files import whole_file
from tempgen.plots import save_figure

__all__ = ["ExplorationView"]

Cell = tuple[int, int]


class ExplorationView(widgets.VBox):
    """What JupyterLab shows of an `Exploration`.

    Parameters
    ----------
    exploration : Exploration

    Attributes
    ----------
    exploration : Exploration
        What is chosen now, for further analysis in the notebook.
    """

    def __init__(self, exploration: Exploration) -> None:
        self.exploration = exploration
        self._updating = False
        self._menus = {name: self._menu(name, values) for name, values in exploration.options.items()}
        self._only_kept = widgets.Checkbox(
            value=exploration.selection.only_kept,
            description="only trials with a kept reconstruction",
            indent=False,
        )
        self._only_kept.observe(
            lambda change: self._act(lambda: exploration.choose(only_kept=change["new"])), "value"
        )
        self._title, self._trials, self._said = widgets.HTML(), widgets.HTML(), widgets.Label()
        wrapped = {"flex_flow": "row wrap"}
        self._above, self._below = widgets.HBox(layout=wrapped), widgets.HBox(layout=wrapped)
        self._draw_all()
        super().__init__([*self._rows()])

    def _rows(self) -> list[widgets.Widget]:
        buttons = {
            "previous trials": lambda: self._act(lambda: self.exploration.turn(-1)),
            "next trials": lambda: self._act(lambda: self.exploration.turn(1)),
            "all trials": lambda: self._act(lambda: self.exploration.brush(None)),
            "save PNG": self._save_png,
            "save CSV": self._save_csv,
        }
        made = [widgets.Button(description=name, layout={"width": "auto"}) for name in buttons]
        for button, act in zip(made, buttons.values(), strict=True):
            button.on_click(lambda _, act=act: act())
        menus = widgets.HBox([*self._menus.values(), self._only_kept], layout={"flex_flow": "row wrap"})
        wrapped = {"flex_flow": "row wrap"}
        return [
            self._title,
            menus,
            self._above,
            widgets.HBox([*made, self._said], layout=wrapped),
            self._below,
        ]

    def _menu(self, name: str, values: list[str]) -> widgets.Dropdown:
        chosen = self._chosen(name)
        menu = widgets.Dropdown(options=values, value=chosen, description=name, layout={"width": "260px"})
        menu.observe(
            lambda change: self._act(lambda: self.exploration.choose(**{name: change["new"]})), "value"
        )
        return menu

    def _chosen(self, name: str) -> str:
        exploration = self.exploration
        if name in ("metric", "target", "decoder", "order"):
            return str(getattr(exploration.selection, name))
        return exploration.entry.labels.get(name, "")

    def _act(self, change: Callable[[], None]) -> None:
        """Change the exploration and show what follows; what cannot be done is said beside the buttons."""
        if self._updating:  # the menus follow the exploration
            return
        before = self.exploration.selection
        try:
            change()
        except TempgenError as error:
            self._said.value = str(error)
            return
        self._said.value = ""
        after = self.exploration.selection
        if (before.entry, before.metric, before.target) != (after.entry, after.metric, after.target):
            self._draw_all()
        else:
            self._draw_cell()

    def _draw_all(self) -> None:
        """Other scores: new figures.

        They are complete when they are made, see `CompleteFigure`.
        """
        exploration = self.exploration
        traces = curve_traces(exploration)
        self._curves = CompleteFigure(
            [trace for parts in traces.values() for trace in parts], curves_layout(exploration)
        )
        self._matrix = CompleteFigure([matrix_trace(exploration)], matrix_layout(exploration))
        self._strip = CompleteFigure([strip_trace(exploration)], strip_layout())
        for k, decoder in enumerate(traces):
            curve = self._curves.data[3 * k + 2]
            curve.on_click(lambda _, points, __, decoder=decoder: self._click_curve(decoder, points))
            curve.on_hover(lambda _, points, __, decoder=decoder: self._hover_curve(decoder, points))
            curve.on_unhover(lambda *_: self._show_trials())
        cells = self._matrix.data[0]
        cells.on_click(lambda _, points, __: self._click_matrix(points))
        cells.on_hover(lambda _, points, __: self._hover(self._cell_of(points)))
        cells.on_unhover(lambda *_: self._show_trials())
        self._strip.data[0].on_selection(lambda _, points, __: self._select(points))
        self._above.children = (self._curves, self._matrix)
        self._below.children = (self._trials, self._strip)
        self._follow()

    def _draw_cell(self) -> None:
        """Another cell, other trials: marks, strip, images and menus follow."""
        exploration = self.exploration
        self._curves.layout.shapes = [lag_line(exploration)]
        self._matrix.layout.shapes = [cell_outline(exploration)]
        with self._strip.batch_update():
            self._strip.data[0].update(strip_trace(exploration).to_plotly_json(), overwrite=True)
        self._follow()

    def _follow(self) -> None:
        """Menus and images follow the exploration."""
        self._updating = True
        for name, values in self.exploration.options.items():
            if tuple(values) != tuple(self._menus[name].options):
                self._menus[name].options = values
            self._menus[name].value = self._chosen(name)
        self._updating = False
        self._only_kept.layout.display = "none" if self.exploration.decodes_labels else None
        self._show_trials()

    def _show_trials(self, cell: Cell | None = None) -> None:
        """Images of the chosen cell, or (hovering) of another."""
        exploration = self.exploration
        chosen = exploration.selection
        table, pictures = exploration.page(cell)
        self._trials.value = trials_html(
            table,
            pictures,
            target=chosen.target,
            preview=cell is not None,
            reconstructed=not exploration.decodes_labels,
        )
        self._title.value = _title(exploration, cell or chosen.cell, preview=cell is not None)

    def _select(self, points: Any) -> None:
        self._act(lambda: self.exploration.brush(points.point_inds or None))

    def _lag_of(self, name: str, lag_s: float) -> int:
        results = self.exploration.results
        seconds = results["lag_s" if name == "test_delta" else "train_lag_s"].to_numpy()
        return int(results[name].to_numpy()[np.argmin(np.abs(seconds - lag_s))])

    def _cell_of(self, points: Any) -> Cell | None:
        if not points.xs:
            return None
        return self._lag_of("train_delta", points.ys[0]), self._lag_of("test_delta", points.xs[0])

    def _click_curve(self, decoder: str, points: Any) -> None:
        if points.xs:
            self._act(lambda: self._go(decoder, self._lag_of("test_delta", points.xs[0])))

    def _go(self, decoder: str, test_delta: int) -> None:
        self.exploration.choose(decoder=decoder)
        self.exploration.choose_lag(test_delta)

    def _click_matrix(self, points: Any) -> None:
        cell = self._cell_of(points)
        if cell is not None:
            self._act(lambda: self.exploration.choose_cell(*cell))

    def _hover_curve(self, decoder: str, points: Any) -> None:
        if points.xs:
            test = self._lag_of("test_delta", points.xs[0])
            train = (
                int(self.exploration.results.attrs.get("general_delta", 0)) if decoder == "general" else test
            )
            self._hover((train, test))

    def _hover(self, cell: Cell | None) -> None:
        if cell in self.exploration.cells() and cell != self.exploration.selection.cell:
            self._show_trials(cell)

    def _save_png(self) -> None:
        from matplotlib import pyplot as plt

        figure = draw_view(self.exploration)
        written = save_figure(figure, Path(self.exploration.stem), formats=("png",))
        plt.close(figure)
        self._said.value = f"wrote {written[0].resolve()}"

    def _save_csv(self) -> None:
        path = Path(f"{self.exploration.stem}.csv")
        with whole_file(path) as temporary:
            self.exploration.table().to_csv(temporary, index_label="trial")
        self._said.value = f"wrote {path.resolve()}"


def _title(exploration: Exploration, cell: Cell, *, preview: bool) -> str:
    from html import escape

    chosen, results = exploration.selection, exploration.results
    n_trials = len(exploration.trials(cell))
    lag_s = float(results["lag_s"].sel(test_delta=cell[1]))
    kind = str(results.attrs.get("data_kind", "")).upper()
    shown = f"{min(chosen.first + 1, n_trials)} to {min(chosen.first + PAGE, n_trials)} of {n_trials} trials"
    words = (
        f"{kind} data; trained at delta {cell[0]}, tested at delta {cell[1]} (window ends {lag_s:.2f} s after onset): {shown}, "
        f"{chosen.order}; chance {exploration.chance(cell):.3f}"
    )
    return f"<b>{'Looking at' if preview else 'Chosen'}:</b> {escape(words)}"
