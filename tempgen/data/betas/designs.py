"""Regressors of single trials: each HRF's response to one trial, set to the trial's onset."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tempgen.data.deconvolution.library import HrfLibrary
from tempgen.errors import ConfigError

Basis = Literal["single", "early-late"]

COMPONENTS: dict[str, tuple[str, ...]] = {"single": ("whole",), "early-late": ("early", "late")}
"""Parts of the activity that a trial evokes, equally long; each gets a beta."""


def trial_design(
    library: HrfLibrary,
    onset_s: NDArray[np.floating],
    *,
    duration_s: NDArray[np.floating],
    basis: Basis = "single",
    n_volumes: int,
    tr_s: float,
) -> NDArray[np.float64]:
    """Regressors of a run's trials, for each HRF.

    The neural activity that a trial evokes is assumed to be constant for ``duration_s``. Early is its first half and late
    its second: their regressors sum to that of the whole, so that equal betas mean activity that stays the same.

    Parameters
    ----------
    library : HrfLibrary
    onset_s : array, shape (n_trials,)
        Seconds from the run's first volume; need not lie on volumes.
    duration_s : array, shape (n_trials,)
        Of the assumed activity.
    basis : {"single", "early-late"}
    n_volumes, tr_s : int, float
        The run's volumes, at 0, tr_s, 2 tr_s, ...

    Returns
    -------
    array, shape (n_hrf, n_volumes, n_trials, n_components)
        The response to the whole activity peaks at 1.

    Raises
    ------
    ConfigError
        If the basis is unknown, or activity without duration is to be halved.
    """
    if basis not in COMPONENTS:
        raise ConfigError(f"A basis {basis!r} came; {' or '.join(COMPONENTS)} is needed.")
    n_components = len(COMPONENTS[basis])
    if n_components > 1 and not (duration_s > 0).all():
        raise ConfigError(
            "Activity of 0 s has no early and late half: use basis single, or assume a duration (duration_s of the HRFs)."
        )
    volume_s = np.arange(n_volumes) * tr_s
    design = np.empty((len(library), n_volumes, len(onset_s), n_components))
    for duration in np.unique(duration_s):
        trials = np.flatnonzero(duration_s == duration)
        since_s = np.subtract.outer(volume_s, onset_s[trials]).ravel()
        grid_s = np.arange(0, library.length_s + duration, library.step_s)
        height = library.response(grid_s, duration_s=duration).max(axis=1)
        part_s = float(duration) / n_components
        for k in range(n_components):
            response = library.response(since_s - k * part_s, duration_s=part_s) / height[:, None]
            design[:, :, trials, k] = response.reshape(len(library), n_volumes, -1)
    return design
