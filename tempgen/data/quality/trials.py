"""Counts of trials: by run, blanks among them, presentations by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.data.store import NEIGHBOUR_GAP

__all__ = ["count_trials", "n_blanks_of_run"]


def count_trials(trials: pd.DataFrame, *, n_runs: int) -> dict[str, Any]:
    """Variables of trials by run and of images by presentations.

    Parameters
    ----------
    trials : DataFrame
        From :func:`tempgen.data.store.trials_of`.
    n_runs : int
        Runs of the store, also those without trials.

    Returns
    -------
    dict
        ``n_trials`` and ``n_blanks`` (run), ``n_images`` (n_presentations), with its coordinate, and
        ``onset_residual_s`` (trial).
    """
    presented = trials["image_id"].value_counts().value_counts().sort_index()
    n_trials = trials["run"].value_counts().reindex(range(n_runs), fill_value=0)
    return {
        "n_trials": ("run", n_trials.to_numpy(), {"long_name": "trials"}),
        "n_blanks": ("run", n_blanks_of_run(trials, n_runs=n_runs), {"long_name": "blanks between trials"}),
        "n_images": ("n_presentations", presented.to_numpy(), {"long_name": "images"}),
        "n_presentations": ("n_presentations", presented.index.to_numpy()),
        "onset_residual_s": (
            "trial",
            trials["onset_residual_s"].to_numpy(),
            {"long_name": "onset minus its volume's time", "units": "s"},
        ),
    }


def n_blanks_of_run(trials: pd.DataFrame, *, n_runs: int) -> NDArray[np.int64]:
    """Trials that are missing between the first and the last of each run, by the median distance of onsets.

    Examples
    --------
    >>> trials = pd.DataFrame({"run": [0, 0, 0, 1, 1], "onset_tr": [0, 3, 9, 0, 3]})
    >>> n_blanks_of_run(trials, n_runs=2).tolist()
    [1, 0]
    """
    gaps = trials.groupby("run")["onset_tr"].diff()
    step = gaps.median()
    missing = (gaps / step).where(gaps > NEIGHBOUR_GAP * step).sub(1).round()
    by_run = missing.groupby(trials["run"]).sum()
    return by_run.reindex(range(n_runs), fill_value=0).to_numpy().astype(np.int64)
