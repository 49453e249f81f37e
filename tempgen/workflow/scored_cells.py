"""Scores of an unfinished evaluation, cell by cell on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tempgen.files import whole_file
from tempgen.metrics import ImageScores

Cell = tuple[int, int]
_PARTS = ("baseline", "null")
"""What a cell may have beside scores and chance."""


@dataclass(frozen=True)
class ScoredCells:
    """A folder with one small file a scored cell.

    Attributes
    ----------
    folder : Path
        ``NAME.partial`` of the result that they will make up.
    """

    folder: Path

    @classmethod
    def begin(cls, results: Path, recipe: Mapping[str, Any]) -> ScoredCells:
        """Go on with an unfinished evaluation of this recipe; one of another recipe makes room."""
        folder = results.with_name(results.name + ".partial")
        plan, text = folder / "plan.json", json.dumps(recipe, sort_keys=True)
        if not (plan.is_file() and plan.read_text(encoding="utf-8") == text):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with whole_file(plan) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return cls(folder)

    def _path(self, cell: Cell) -> Path:
        return self.folder / f"{cell[0]:+d},{cell[1]:+d}.npz"

    def read(self, cell: Cell) -> ImageScores | None:
        """Scores of a cell, None if it was not scored yet or its file is damaged."""
        try:
            with np.load(self._path(cell)) as file:
                names = [name.removeprefix("score_") for name in file.files if name.startswith("score_")]
                return ImageScores(
                    {name: file[f"score_{name}"] for name in names},
                    {name: float(file[f"chance_{name}"]) for name in names},
                    **{
                        part: {name: file[f"{part}_{name}"] for name in names if f"{part}_{name}" in file}
                        for part in _PARTS
                    },
                )
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def write(self, cell: Cell, scores: ImageScores) -> None:
        """Keep the scores of a cell, whole or not at all."""
        arrays: dict[str, Any] = {f"score_{name}": values for name, values in scores.score.items()}
        arrays |= {f"chance_{name}": np.float64(value) for name, value in scores.chance.items()}
        for part in _PARTS:
            arrays |= {f"{part}_{name}": values for name, values in getattr(scores, part).items()}
        with whole_file(self._path(cell)) as temporary:
            np.savez(temporary, **arrays)

    def remove(self) -> None:
        """Remove the folder: the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)
