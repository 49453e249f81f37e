"""Motion and other confound regressors of a run, as files hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import SourceDataError

BACKWARD_DIFFERENCES = ("framewise_displacement", "dvars", "std_dvars", "rmsd")
"""Beside the ``*_derivative1*`` columns, what fMRIPrep computes from two volumes ("Confounds" in its documentation)."""


def load_confounds(path: Path, columns: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Confound regressors of a run.

    Parameters
    ----------
    path : Path
        Either numbers separated by white space, without a header (NSD's motion files), or tab-separated with a header
        (fMRIPrep). There "n/a" counts as 0 in the first row of a column that compares each volume with the one before.
    columns : sequence of str, optional
        Columns to take from a file with a header, in this order; by default all.

    Returns
    -------
    array, shape (n_rows, n_columns)

    Raises
    ------
    SourceDataError
        If the file is missing or empty, its rows differ in length, a column is not there, or a value is not a finite
        number.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceDataError(
            f"Confounds {path} cannot be read: {error}. A text file with one row per volume is needed."
        ) from error
    has_header = bool(lines) and not any(_is_number(field) for field in lines[0].split())
    split = _split_at_tabs if has_header else str.split
    names = split(lines[0]) if has_header else []
    rows = [split(line) for line in lines[has_header:]]
    if not rows:
        raise SourceDataError(f"Confounds {path} have no rows; one row per volume is needed.")
    width = len(names) if has_header else len(rows[0])
    for row, fields in enumerate(rows):
        if len(fields) != width:
            raise SourceDataError(
                f"Confounds {path}, row {row} (from 0), have {len(fields)} values; {width} are needed in each row. "
                "Copy the file again."
            )
    positions = list(range(width)) if columns is None else _positions(columns, names, path)
    values = np.empty((len(rows), len(positions)))
    for column, position in enumerate(positions):
        name = names[position] if has_header else f"number {position}"
        for row, fields in enumerate(rows):
            values[row, column] = _value(fields[position], name=name, row=row, path=path)
    return values


def _split_at_tabs(line: str) -> list[str]:
    return [field.strip() for field in line.split("\t")]


def _positions(columns: Sequence[str], names: list[str], path: Path) -> list[int]:
    missing = [name for name in columns if name not in names]
    if missing:
        there = ", ".join(names) if names else "none, as it has no header"
        raise SourceDataError(
            f"Confounds {path} lack {', '.join(missing)}. Choose among its columns: {there}."
        )
    return [names.index(name) for name in columns]


def _value(field: str, *, name: str, row: int, path: Path) -> float:
    """One number of the file."""
    if row == 0 and field == "n/a" and ("_derivative1" in name or name in BACKWARD_DIFFERENCES):
        return 0.0  # no volume before the first: no change
    value = float(field) if _is_number(field) else math.nan
    if not math.isfinite(value):
        raise SourceDataError(
            f"Confounds {path}, column {name}, row {row} (from 0): {field!r} came; a finite number is needed. "
            "Choose other columns, or fill the value in."
        )
    return value


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
