"""Conditions see the trials table and what follows from it."""

import numpy as np
import pandas as pd
import pytest

from tempgen.config.split import TRIAL_CONDITIONS
from tempgen.data.trial_selection import condition_columns, trials_where
from tempgen.errors import ConfigError

TRIALS = pd.DataFrame(
    {
        "run": [0, 0, 0, 0, 3, 3],
        "session": [1, 1, 1, 1, 2, 2],
        "onset_tr": [9, 12, 18, 21, 9, 12],
        "onset_s": [12.0, 16.0, 24.0, 28.0, 12.0, 16.0],
        "duration_s": 3.0,
        "image_id": [0, 1, 2, 0, 1, 1],
        "repetition": [0, 0, 0, 1, 1, 2],
        "shared1000": False,
        "previous_image": [-1, 0, -1, 2, -1, 1],
        "next_image": [1, -1, 0, -1, 1, -1],
        "run_length": 225,
    }
)


def chosen(condition, **options):
    return np.flatnonzero(trials_where(TRIALS, condition, key="split.test_where", **options)).tolist()


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ("after_blank", [0, 2, 4]),
        ("before_blank", [1, 3, 5]),
        ("not after_blank and not before_blank or session == 2", [4, 5]),
        ("position_in_run == 0", [0, 4]),
        ("position_in_run >= 2", [2, 3]),
        ("repetition == 0", [0, 1, 2]),
        ("image_id < 1", [0, 3]),
    ],
)
def test_trials_are_chosen_by_what_they_are_and_where_they_stand(condition, rows):
    assert chosen(condition) == rows


def test_labels_are_chosen_by_name():
    assert chosen("label == 'house'", label_names=("face", "house", "cat")) == [1, 4, 5]
    with pytest.raises(ConfigError, match="no column label. Columns: session, run, position_in_run"):
        chosen("label == 'house'")


def test_every_documented_column_is_offered_and_no_other():
    offered = condition_columns(TRIALS, label_names=("a", "b", "c"))
    assert list(offered) == list(TRIAL_CONDITIONS)
    assert "after_blank" not in condition_columns(TRIALS.drop(columns="previous_image"))


def test_condition_that_no_trial_fulfils_is_refused():
    with pytest.raises(ConfigError, match="split.test_where is 'session == 9': none of the 6 trials"):
        chosen("session == 9")
