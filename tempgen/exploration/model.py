"""What is chosen of results, and what follows from it: curves, matrix, trials, images. Knows no widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.exploration.entries import Entry
from tempgen.exploration.pictures import Pictures
from tempgen.exploration.selection import ORDERS, Cell, Selection, scored_cells
from tempgen.generalization import generalization_matrix, lag_curve
from tempgen.generalization.selection import (
    Decoder,
    cell_chance,
    decodes_labels,
    independent_unit,
    scored_decoders,
    scores_of,
)
from tempgen.results import metrics_of

__all__ = ["PAGE", "Exploration"]

PAGE = 6
"""Trials whose images are shown at a time. Source: house choice, what a laptop's screen holds beside the curves."""
TRIAL_COLUMNS = ("session", "run", "onset_tr", "image_id", "repetition", "n_repetitions")


class Exploration:
    """A view of results that can be moved: `choose` changes it, the other methods give what it shows.

    Parameters
    ----------
    entries : sequence of Entry
        From `open_entries`.
    n_draws : int
        Bootstrap draws of the curves' intervals.

    Attributes
    ----------
    selection : Selection
    """

    def __init__(self, entries: Sequence[Entry], *, n_draws: int = 1000) -> None:
        if not entries:
            raise ResultsError("There is no result to explore; give at least one.")
        self.entries = tuple(entries)
        self.n_draws = n_draws
        self._curves: dict[tuple[int, str, str], dict[str, xr.Dataset]] = {}
        self._cells: dict[tuple[int, str], frozenset[Cell]] = {}
        self.selection = self._at(0)

    def _at(self, entry: int, before: Selection | None = None) -> Selection:
        """The selection on another result, as far as that has what was chosen before."""
        results = self.entries[entry].results
        metrics, targets = metrics_of(results), [str(name) for name in results["target"].to_numpy()]
        decoders = _decoders_of(results, metrics[0])
        general = int(results.attrs.get("general_delta", 0))
        cells = self.cells(entry, metrics[0])
        near = min(cells, key=lambda cell: (abs(cell[0] - general) + abs(cell[1] - general), cell))
        if before is None:
            target = "current" if "current" in targets else targets[0]
            return Selection(entry, metrics[0], target, decoders[0], near)
        return replace(
            before,
            entry=entry,
            metric=before.metric if before.metric in metrics else metrics[0],
            target=before.target if before.target in targets else targets[0],
            decoder=before.decoder if before.decoder in decoders else decoders[0],
            cell=before.cell if before.cell in cells else near,
            brushed=None,
            first=0,
        )

    @property
    def entry(self) -> Entry:
        """The chosen result."""
        return self.entries[self.selection.entry]

    @property
    def results(self) -> xr.Dataset:
        """Scores of the chosen result."""
        return self.entry.results

    @property
    def decodes_labels(self) -> bool:
        """Whether the chosen result is of decoders that name one of a few labels, and make no image."""
        return decodes_labels(self.results)

    @property
    def options(self) -> dict[str, list[str]]:
        """What can be chosen: labels by which the results differ, ``metric``, ``target``, ``decoder``, ``order``."""
        labels = dict.fromkeys(name for entry in self.entries for name in entry.labels)
        of_labels = {
            name: list(dict.fromkeys(entry.labels.get(name, "") for entry in self.entries)) for name in labels
        }
        return {
            **{name: values for name, values in of_labels.items() if len(values) > 1},
            "metric": metrics_of(self.results),
            "target": [str(name) for name in self.results["target"].to_numpy()],
            "decoder": [str(name) for name in _decoders_of(self.results, self.selection.metric)],
            "order": list(ORDERS),
        }

    def choose(self, **choice: Any) -> None:
        """Change what is chosen, by the names of `options` and ``only_kept``, ``first``.

        A label (``subject``, ``region``, ...) leads to the result that has it and most of the other labels. Another
        decoder goes to the cell of the same test lag.

        Raises
        ------
        ResultsError
            If there is no such option.
        """
        options = self.options
        for name, value in choice.items():
            if name in options and value not in options[name]:
                raise ResultsError(
                    f"There is no {name} {value!r} to choose; there are: {', '.join(options[name])}."
                )
            if name in ("metric", "target", "decoder", "order", "only_kept", "first"):
                self.selection = replace(self.selection, **{"first": 0, name: value})
                if name == "decoder":
                    self.choose_lag(self.selection.cell[1])
            elif name in options:
                self.selection = self._at(self._nearest(name, value), self.selection)
            else:
                raise ResultsError(
                    f"There is nothing called {name!r} to choose; there are: {', '.join(options)}."
                )

    def _nearest(self, name: str, value: str) -> int:
        wanted = self.entry.labels | {name: value}
        having = [k for k, entry in enumerate(self.entries) if entry.labels.get(name, "") == value]
        return max(having, key=lambda k: len(wanted.items() & self.entries[k].labels.items()))

    def choose_lag(self, test_delta: int) -> None:
        """Choose the cell of the chosen decoder at a test lag (TRs), or the nearest one that was scored.

        Brushed trials stay brushed.
        """
        general = int(self.results.attrs.get("general_delta", 0))
        of_general = self.selection.decoder == "general"
        own = [cell for cell in self.cells() if cell[0] == (general if of_general else cell[1])]
        self.choose_cell(*min(own, key=lambda cell: (abs(cell[1] - test_delta), cell)))

    def choose_cell(self, train_delta: int, test_delta: int) -> None:
        """Choose a cell of the matrix (TRs).

        Raises
        ------
        ResultsError
            If nothing was scored there.
        """
        if (train_delta, test_delta) not in self.cells():
            raise ResultsError(
                f"Nothing was scored at train_delta {train_delta}, test_delta {test_delta}: 'tempgen evaluate --matrix' scores "
                "all cells."
            )
        self.selection = replace(self.selection, cell=(train_delta, test_delta), first=0)

    def cells(self, entry: int | None = None, metric: str | None = None) -> frozenset[Cell]:
        """Cells (train_delta, test_delta) in which something was scored, by default of what is chosen."""
        key = (
            self.selection.entry if entry is None else entry,
            self.selection.metric if metric is None else metric,
        )
        if key not in self._cells:
            self._cells[key] = scored_cells(self.entries[key[0]].results[key[1]])
        return self._cells[key]

    def brush(self, trials: Sequence[int] | None) -> None:
        """Show only these trials (positions along ``trial`` of the result), None: all of them."""
        chosen = None if trials is None else tuple(sorted({int(k) for k in trials}))
        self.selection = replace(self.selection, brushed=chosen, first=0)

    def curves(self) -> dict[str, xr.Dataset]:
        """Curves of the decoders that were scored, by ``general`` and ``specialized``: see `lag_curve`."""
        key = (self.selection.entry, self.selection.metric, self.selection.target)
        if key not in self._curves:
            unit = independent_unit(self.results)
            self._curves[key] = {
                name: lag_curve(
                    self.results, key[1], decoder=name, target=key[2], n_draws=self.n_draws, unit=unit
                )
                for name in _decoders_of(self.results, key[1])
            }
        return self._curves[key]

    def matrix(self) -> xr.DataArray:
        """Mean scores of all cells, above the chance of each where chance is known: see `generalization_matrix`."""
        metric, target = self.selection.metric, self.selection.target
        scored = generalization_matrix(self.results, metric, target=target)
        unknown = np.isnan(scored["chance"].to_numpy()) & ~np.isnan(scored.to_numpy())
        if unknown.any():
            return scored
        return generalization_matrix(self.results, metric, target=target, above_chance=True)

    def scores(self, cell: Cell | None = None) -> xr.DataArray:
        """Score of each trial in a cell, by default the chosen one; NaN where the trial was not scored."""
        train, test = cell or self.selection.cell
        scores = scores_of(self.results, self.selection.metric, self.selection.target)
        return scores.sel(train_delta=train, test_delta=test)

    def chance(self, cell: Cell | None = None) -> float:
        """Chance level of a cell, NaN where it is not known."""
        train, test = cell or self.selection.cell
        return float(cell_chance(self.results, self.selection.metric).sel(train_delta=train, test_delta=test))

    def trials(self, cell: Cell | None = None) -> pd.DataFrame:
        """The trials behind a cell, in the chosen order: scored, brushed and, where asked for, with a reconstruction.

        Parameters
        ----------
        cell : (train_delta, test_delta), optional
            The chosen one unless given.

        Returns
        -------
        DataFrame
            Index: position along ``trial``. Columns ``score``, what the result tells of trials (``run``, ``onset_tr``,
            ``image_id``, ...), ``previous_image``, ``next_image`` and ``kept``.
        """
        cell = cell or self.selection.cell
        scores = self.scores(cell)
        columns = {name: scores[name].to_numpy() for name in TRIAL_COLUMNS if name in scores.coords}
        table = pd.DataFrame({"score": scores.to_numpy().astype(float), **columns})
        there = {"run", "onset_tr"} <= set(columns)
        table = self.entry.images.with_neighbours(table) if there else table
        if there and "n_repetitions" in columns:  # neighbours of the first presentation alone
            table = table.assign(previous_image=-1, next_image=-1)
        table["kept"] = self.entry.images.is_kept(table, cell) if there else False
        shown = table["score"].notna()
        if self.selection.brushed is not None:
            shown &= table.index.isin(self.selection.brushed)
        if self.selection.only_kept and table["kept"].any():
            shown &= table["kept"]
        table = table[shown]
        if self.selection.order == ORDERS[0]:
            return table
        lower = self.results[self.selection.metric].attrs.get("direction") == "lower is better"
        ascending = lower == (self.selection.order == "best first")
        return table.sort_values("score", ascending=ascending, kind="stable")

    def page(self, cell: Cell | None = None) -> tuple[pd.DataFrame, list[Pictures]]:
        """The trials whose images are shown now, with their images."""
        cell = cell or self.selection.cell
        table = self.trials(cell).iloc[self.selection.first : self.selection.first + PAGE]
        if not {"previous_image", "image_id", "run"} <= set(table.columns):
            return table, []
        what = "label" if self.decodes_labels else "image"
        return table, self.entry.images.pictures(table, cell, what=what)

    def turn(self, pages: int) -> None:
        """Go some pages on or back, not beyond the ends."""
        last = max(0, (len(self.trials()) - 1) // PAGE * PAGE)
        self.choose(first=min(max(0, self.selection.first + pages * PAGE), last))

    def table(self) -> pd.DataFrame:
        """All listed trials with what tells the view from others, to be kept as CSV."""
        chosen, (train, test) = self.selection, self.selection.cell
        told = {
            **self.entry.labels,
            "data_kind": str(self.results.attrs.get("data_kind", "")),
            "metric": chosen.metric,
            "target": chosen.target,
            "train_delta": train,
            "test_delta": test,
            "lag_s": float(self.results["lag_s"].sel(test_delta=test)),
            "chance": self.chance(),
        }
        trials = self.trials()
        return pd.concat([pd.DataFrame(told, index=trials.index), trials], axis=1)

    @property
    def stem(self) -> str:
        """Name of files that hold the view, without suffix."""
        train, test = self.selection.cell
        words = [
            "explore",
            *(self.entry.labels[name] for name in self.options if name in self.entry.labels),
            self.selection.metric,
            self.selection.target,
            f"train{train:+03d}",
            f"test{test:+03d}",
        ]
        return "_".join("".join(c if c.isalnum() or c in "+-" else "-" for c in word) for word in words)


def _decoders_of(results: xr.Dataset, metric: str) -> list[Decoder]:
    """Decoders that were scored with a metric, whatever the target."""
    found = scored_decoders(results[metric], results)
    if not found:
        raise ResultsError(
            "The result has neither a General nor a Specialized decoder's scores: evaluate one first."
        )
    return found
