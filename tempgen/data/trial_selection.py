"""Trials chosen by a condition on the trials table: ``session <= 2``, ``after_blank and repetition == 0``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.config.expression import evaluate_condition
from tempgen.config.split import TRIAL_CONDITIONS
from tempgen.errors import ConfigError


def condition_columns(trials: pd.DataFrame, *, label_names: Sequence[str] = ()) -> pd.DataFrame:
    """The columns that a condition may name (``TRIAL_CONDITIONS``), one row a trial.

    Parameters
    ----------
    trials : DataFrame
        From :func:`tempgen.data.store.trials_of`, sorted by run and onset. A column that it lacks is not offered, nor is
        what would be derived from it.
    label_names : sequence of str
        Names of image_id 0, 1, ... where the store has labels; they become the column ``label``.

    Returns
    -------
    DataFrame
        Derived from the neighbours: ``after_blank`` where ``previous_image`` is -1 (the first trial of a run or after a
        blank), ``before_blank`` where ``next_image`` is; ``position_in_run`` counts the trials of each run from 0.
    """
    columns = trials.assign(position_in_run=trials.groupby("run").cumcount())
    for name, neighbour in (("after_blank", "previous_image"), ("before_blank", "next_image")):
        if neighbour in trials:
            columns[name] = trials[neighbour] == -1
    if len(label_names):
        columns["label"] = np.array(label_names, dtype=object)[trials["image_id"]]
    return columns[[name for name in TRIAL_CONDITIONS if name in columns]]


def trials_where(
    trials: pd.DataFrame, condition: str | None, *, key: str, label_names: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Which trials fulfil a condition.

    Parameters
    ----------
    trials : DataFrame
        From :func:`tempgen.data.store.trials_of`.
    condition : str or None
        None chooses all.
    key : str
        Where the condition stands, for messages: ``"split.train_where"``.
    label_names : sequence of str
        Names of image_id 0, 1, ... of a store of labels.

    Returns
    -------
    array of bool, shape (n_trials,)

    Raises
    ------
    ConfigError
        If it is no condition, names a column that these trials lack (those that they have are listed), or no trial
        fulfils it.
    """
    if condition is None:
        return np.ones(len(trials), dtype=bool)
    columns = condition_columns(trials, label_names=label_names)
    chosen = evaluate_condition(
        condition, {str(name): columns[name].to_numpy() for name in columns}, key=key, items="trials"
    )
    if not chosen.any():
        raise ConfigError(f"{key} is {condition!r}: none of the {len(trials)} trials is such a trial.")
    return chosen
