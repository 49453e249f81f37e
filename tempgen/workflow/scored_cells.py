"""Scores of an unfinished evaluation, cell by cell on disk: a killed one goes on where it was, several write side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tempgen.errors import ConfigError
from tempgen.metrics import ImageScores
from tempgen.result_cells import Cell, CellFiles
from tempgen.workflow.places import is_done

_PARTS = ("baseline", "null")
"""What a cell may have beside scores and chance."""


@dataclass(frozen=True)
class ScoredCells:
    """A folder with one small file a scored cell.

    Attributes
    ----------
    files : CellFiles
        Of the result that the cells will make up.
    """

    files: CellFiles

    @classmethod
    def begin(
        cls,
        results: Path,
        recipe: Mapping[str, Any],
        *,
        overwrite: bool = False,
        remake: str = "tempgen evaluate",
    ) -> ScoredCells:
        """Begin an evaluation of this recipe, or go on with one that others began.

        Raises
        ------
        ConfigError
            If cells of another recipe, or of one that is not known any more, are there and ``overwrite`` is off; with it
            they make room.
        """
        files = CellFiles.of(results)
        cells = files.there()
        plan = files.plan()  # read last: whoever wrote a cell meanwhile had written it before
        if plan is None and cells and not overwrite:
            raise ConfigError(
                f"{files.folder} holds {len(cells)} scored cells, but {files.folder / 'plan.json'}, which says with what they were "
                f"made, is damaged or gone. Bring it back from a copy, or score them again with '{remake} --overwrite'; until then "
                "nothing is removed."
            )
        goes_on = plan is not None and is_done(
            plan, recipe, what=files.folder, overwrite=overwrite, remake=remake
        )
        if not goes_on and (cells or plan is not None or files.has_layout):
            files.remove()
        files.begin(recipe)
        return cls(files)

    def read(self, cell: Cell) -> ImageScores | None:
        """Scores of a cell, None if it was not scored yet or its file is damaged."""
        arrays = self.files.read(cell)
        if arrays is None:
            return None
        names = [name for name in arrays if f"{name}_chance" in arrays]
        return ImageScores(
            {name: arrays[name] for name in names},
            {name: float(arrays[f"{name}_chance"]) for name in names},
            **{
                part: {name: arrays[f"{name}_{part}"] for name in names if f"{name}_{part}" in arrays}
                for part in _PARTS
            },
        )

    def write(self, cell: Cell, scores: ImageScores) -> None:
        """Keep the scores of a cell, whole or not at all."""
        arrays: dict[str, Any] = dict(scores.score)
        arrays |= {f"{name}_chance": np.float64(value) for name, value in scores.chance.items()}
        for part in _PARTS:
            arrays |= {f"{name}_{part}": values for name, values in getattr(scores, part).items()}
        self.files.write(cell, arrays)

    def remove(self) -> None:
        """Remove the folder: the result is written."""
        self.files.remove()
