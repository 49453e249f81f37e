"""From events.tsv files to trials: which column says what was seen, and which rows count.

Source: BIDS specification 1.10, "Task events".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.data.onsets import nearest_volume
from tempgen.data.source import TRIAL_COLUMNS
from tempgen.errors import SourceDataError

STIMULUS_COLUMNS = ("stim_file", "stimulus", "trial_type")
"""Columns that say what was seen, the most specific first."""
MISSING = "n/a"
"""What BIDS writes where there is no value."""


@dataclass(frozen=True)
class Events:
    """What was shown when, over all runs of a subject.

    Attributes
    ----------
    table : DataFrame
        One row for each presentation, sorted by run and onset: ``run`` (int), ``onset_s``, ``duration_s`` (seconds from
        the run's first volume; the duration is NaN where it is not known), ``seen`` (int, into ``names``).
    column : str
        The column that was read.
    names : tuple of str
        Its distinct values, sorted.
    n_dropped : int
        Rows without a value in it.
    """

    table: pd.DataFrame
    column: str
    names: tuple[str, ...]
    n_dropped: int


def read_events(paths: Sequence[Path], *, run_length_s: Sequence[float], column: str | None = None) -> Events:
    """Read the events of all runs.

    Parameters
    ----------
    paths : sequence of Path
        One events.tsv for each run.
    run_length_s : sequence of float
        Seconds from the first volume's start to the last one's end, for each run.
    column : str or None
        Column that says what was seen; None takes the first of ``STIMULUS_COLUMNS`` that all runs have and some
        run has values in.

    Raises
    ------
    SourceDataError
        If a file is no table with onset and duration, no column serves, an onset or duration is no number, an onset lies
        outside its run, or no row has a value.
    """
    tables = [_read_table(path) for path in paths]
    column = _stimulus_column(tables, paths, column)
    shown: list[pd.DataFrame] = []
    n_dropped = 0
    for run, (table, path, length_s) in enumerate(zip(tables, paths, run_length_s, strict=True)):
        kept = table[table[column].notna()]
        n_dropped += len(table) - len(kept)
        onset_s = _numbers(kept, "onset", path)
        _check_onsets(onset_s, kept, path, length_s)
        duration_s = _numbers(kept, "duration", path, missing_allowed=True)
        shown.append(
            pd.DataFrame(
                {"run": run, "onset_s": onset_s, "duration_s": duration_s, "name": kept[column].to_numpy()}
            )
        )
    events = pd.concat(shown, ignore_index=True)
    if events.empty:
        raise SourceDataError(
            f"No row of {paths[0]} and {len(paths) - 1} more has a value of {column}: nothing was shown."
        )
    events = events.sort_values(["run", "onset_s"], kind="stable", ignore_index=True)
    names, seen = np.unique(events.pop("name").to_numpy(dtype=str), return_inverse=True)
    events["seen"] = seen.astype(np.int64)
    return Events(events, column, tuple(names.tolist()), n_dropped)


def trials_of_events(events: Events, *, tr_s: float, start_s: float = 0.0) -> pd.DataFrame:
    """The trials table of a source.

    Parameters
    ----------
    tr_s, start_s : float
        Seconds between the volumes of the store, and time of its first one in the files; onsets count from there.

    Returns
    -------
    DataFrame
        With the columns ``TRIAL_COLUMNS``: ``onset_tr`` is the nearest volume, which for an onset in a run's last half volume
        is one beyond it; ``image_id`` is the rank of the value among the distinct ones.
    """
    trials = events.table.rename(columns={"seen": "image_id"})
    trials["onset_s"] -= start_s
    trials["onset_tr"] = nearest_volume(trials["onset_s"], tr_s=tr_s)
    trials["onset_residual_s"] = trials["onset_s"] - trials["onset_tr"] * tr_s
    trials["repetition"] = trials.groupby("image_id").cumcount()
    trials["shared1000"] = False
    return trials[list(TRIAL_COLUMNS)]


def _read_table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            path, sep="\t", index_col=False, dtype=str, keep_default_na=False, na_values=[MISSING, ""]
        )
    except (OSError, ValueError) as error:
        raise SourceDataError(
            f"{path} cannot be read as a table: {error}. Needed are tab-separated columns."
        ) from error
    lacking = [name for name in ("onset", "duration") if name not in table.columns]
    if lacking:
        raise SourceDataError(
            f"{path} has no column {' and '.join(lacking)}; it has: {', '.join(table.columns)}. BIDS needs both, in seconds."
        )
    return table


def _stimulus_column(tables: Sequence[pd.DataFrame], paths: Sequence[Path], column: str | None) -> str:
    if column is not None:
        lacking = [path for table, path in zip(tables, paths, strict=True) if column not in table.columns]
        if lacking:
            there = sorted(set.intersection(*(set(table.columns) for table in tables)))
            raise SourceDataError(
                f"{lacking[0]} has no column {column!r}; all runs have: {', '.join(there)}. Choose one as stimulus_column."
            )
        return column
    for candidate in STIMULUS_COLUMNS:
        everywhere = all(candidate in table.columns for table in tables)
        if everywhere and any(table[candidate].notna().any() for table in tables):
            return candidate
    there = sorted({name for table in tables for name in table.columns})
    raise SourceDataError(
        f"None of the columns {', '.join(STIMULUS_COLUMNS)} is in the events of every run ({paths[0].name}, ...) with values; "
        f"there are: {', '.join(there)}. Name the one that says what was seen (stimulus_column)."
    )


def _numbers(
    table: pd.DataFrame, name: str, path: Path, *, missing_allowed: bool = False
) -> NDArray[np.float64]:
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values)
    if missing_allowed:
        bad &= table[name].notna().to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise SourceDataError(
            f"{path}, line {_line(table, row)}: the {name} is {table[name].fillna(MISSING).iloc[row]!r}; seconds are needed. "
            "Correct it, or write n/a as the stimulus to leave the row out."
        )
    return values


def _check_onsets(onset_s: NDArray[np.float64], table: pd.DataFrame, path: Path, length_s: float) -> None:
    outside = np.flatnonzero((onset_s < 0) | (onset_s >= length_s))
    if outside.size:
        onset = onset_s[outside[0]]
        where = "before its first volume" if onset < 0 else f"after its end at {length_s:g} s"
        raise SourceDataError(
            f"{path}, line {_line(table, outside[0])}: the onset, {onset:g} s, lies {where}. Onsets count in seconds from the "
            "first volume in the file: check that events and BOLD belong together, and the dropped volumes."
        )


def _line(table: pd.DataFrame, row: int) -> int:
    """Line of the file that holds a row of a table or of a part of it; line 1 is the header."""
    return int(table.index.to_numpy()[row]) + 2
