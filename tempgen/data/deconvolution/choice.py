"""Which HRF of a library each voxel has, by the mean evoked response in training runs.

All trials of a run evoke one and the same response, whatever their images: its regressor is the sum over trials, so that overlap is
part of the model, and image labels are never looked at. Of every HRF of the library the one is chosen whose regressor explains most of
the voxel's variance. Each run is read once and leaves sums of products behind, from which everything else follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen.data.deconvolution.library import HrfLibrary
from tempgen.data.deconvolution.precision import peaks_of_scores, standard_error_of_peak
from tempgen.data.deconvolution.voxel_hrf import VoxelHrf
from tempgen.data.store import trials_of
from tempgen.data.store_drift import StoreDrift
from tempgen.errors import StoreError

CANDIDATE_DURATIONS_S = (1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0)
"""Durations of neural activity that are compared, beside the one assumed. Source: house choice; up to three times NSD's 3 s and beyond."""

MAX_BLOCKS = 30
"""Runs are gathered into at most this many blocks, which are what is resampled. Source: house choice; bounds memory."""

Duration = float | Literal["estimated"] | None


@dataclass(frozen=True, eq=False)
class MeanResponseFit:
    """Sums over volumes, from which the fit of every HRF in every subset of the blocks follows.

    Attributes
    ----------
    library : HrfLibrary
    durations_s : tuple of float or None
        Assumed durations of the activity; None: of each trial its own.
    xx : array, shape (n_durations, n_blocks, n_hrf)
        Of the regressors' squares.
    xy : array of float32, shape (n_durations, n_blocks, n_hrf, n_voxels)
        Of the products of regressors and BOLD.
    yy : array, shape (n_blocks, n_voxels)
        Of the BOLD's squares.
    """

    library: HrfLibrary
    durations_s: tuple[float | None, ...]
    xx: NDArray[np.float64]
    xy: NDArray[np.float32]
    yy: NDArray[np.float64]

    def explained(self, duration: int) -> NDArray[np.float64]:
        """Part of each voxel's variance that each HRF explains, shape (n_hrf, n_voxels)."""
        xy, xx = self.xy[duration].sum(axis=0, dtype=np.float64), self.xx[duration].sum(axis=0)
        return _ratio(xy**2, xx[:, None] * self.yy.sum(axis=0))

    def explained_left_out(self, duration: int, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Part of the variance of each block that the others predict with HRF ``index`` of each voxel, shape (n_voxels,)."""
        xy = self.xy[duration][:, index, np.arange(len(index))].astype(np.float64)  # (n_blocks, n_voxels)
        xx = self.xx[duration][:, index]
        amplitude = _ratio(xy.sum(axis=0) - xy, xx.sum(axis=0) - xx)
        explained = (2 * amplitude * xy - amplitude**2 * xx).sum(axis=0)
        return _ratio(explained, self.yy.sum(axis=0))


def fit_mean_response(
    store: xr.Dataset,
    runs: Sequence[int],
    library: HrfLibrary,
    *,
    durations_s: Sequence[float | None] = (None,),
) -> MeanResponseFit:
    """Read training runs once, and sum what the choice of HRFs needs.

    Parameters
    ----------
    store : xarray.Dataset
        See :mod:`tempgen.data.store`.
    runs : sequence of int
        Runs to learn from, from 0: those without any test trial.
    durations_s : sequence of float or None

    Raises
    ------
    StoreError
        If there is no run, or no trial in these runs.
    """
    runs, tr_s, drift = list(runs), float(store.attrs["tr_s"]), StoreDrift.of(store)
    trials = trials_of(store)
    if not trials["run"].isin(runs).any():
        raise StoreError(
            f"HRFs are chosen on training runs with trials, and there are none among {len(runs)} runs. Split by run "
            "(split.kind: time-resolved), so that runs without any test trial are left."
        )
    n_blocks = min(MAX_BLOCKS, len(runs))
    sizes = (len(durations_s), n_blocks, len(library))
    xx, xy = np.zeros(sizes), np.zeros((*sizes, store.sizes["voxel"]), dtype=np.float32)
    yy = np.zeros((n_blocks, store.sizes["voxel"]))
    for number, run in enumerate(tqdm(runs, desc="HRFs", unit="run", disable=None)):
        block = number * n_blocks // len(runs)
        length = int(store["run_length"].values[run])
        slow = drift.basis(length, tr_s=tr_s)
        bold = without(slow, store["bold"][run, :length].values.astype(np.float64))
        yy[block] += (bold**2).sum(axis=0)
        of_run = trials[trials["run"] == run]
        for position, duration_s in enumerate(durations_s):
            x = without(slow, mean_regressor(library, of_run, duration_s, n_volumes=length, tr_s=tr_s).T)
            xx[position, block] += (x**2).sum(axis=0)
            xy[position, block] += x.T @ bold
    return MeanResponseFit(library, tuple(durations_s), xx, xy, yy)


def choose_hrf(
    store: xr.Dataset, runs: Sequence[int], library: HrfLibrary, *, duration_s: Duration = None, seed: int = 0
) -> VoxelHrf:
    """Choose each voxel's HRF on training runs, and say how well it is known.

    Parameters
    ----------
    store : xarray.Dataset
    runs : sequence of int
        Runs without any test trial.
    library : HrfLibrary
    duration_s : float, "estimated" or None
        Assumed duration of the neural activity, one for all voxels; None: as long as each image was shown; ``"estimated"``: the one of
        ``CANDIDATE_DURATIONS_S`` with which the library fits best, averaged over voxels. That takes the library's widths for granted.
    seed : int
        Of the resampling of runs.

    Raises
    ------
    StoreError
        If there is no run, or no trial in these runs.
    """
    durations_s = _candidates(store, runs, duration_s)
    fit = fit_mean_response(store, runs, library, durations_s=durations_s)
    mean_r2 = [float(fit.explained(k).max(axis=0).mean()) for k in range(len(durations_s))]
    taken = int(np.argmax(mean_r2)) if duration_s == "estimated" else 0
    scores = fit.explained(taken)
    index = scores.argmax(axis=0)
    known = dict(zip(durations_s, mean_r2, strict=True))
    return VoxelHrf(
        library=library,
        index=index,
        r2=fit.explained_left_out(taken, index),
        time_to_peak_s=peaks_of_scores(scores, library),
        standard_error_s=standard_error_of_peak(fit.xx[taken], fit.xy[taken], library, seed=seed),
        duration_s=durations_s[taken],
        fit_by_duration={float(key): value for key, value in known.items() if key is not None},
        assumed_fit=mean_r2[taken],
    )


def mean_regressor(
    library: HrfLibrary, trials: pd.DataFrame, duration_s: float | None, *, n_volumes: int, tr_s: float
) -> NDArray[np.float64]:
    """BOLD of a run whose trials all evoke activity of 1, for each HRF.

    Parameters
    ----------
    trials : DataFrame
        Those of the run (:func:`tempgen.data.store.trials_of`).
    duration_s : float or None
        Of the activity; None: as long as each image was shown.

    Returns
    -------
    array, shape (n_hrf, n_volumes)
    """
    durations_s = trials["duration_s"].to_numpy() if duration_s is None else np.full(len(trials), duration_s)
    total = np.zeros((len(library), n_volumes))
    for each_s in np.unique(durations_s):
        onsets_s = onsets_in_run_s(trials[durations_s == each_s], tr_s=tr_s)
        since_s = np.subtract.outer(np.arange(n_volumes) * tr_s, onsets_s)
        response = library.response(since_s.ravel(), duration_s=float(each_s))
        total += response.reshape(len(library), *since_s.shape).sum(axis=-1)
    return total


def onsets_in_run_s(trials: pd.DataFrame, *, tr_s: float) -> NDArray[np.float64]:
    """Seconds from the first volume of the run to each onset, shape (n_trials,)."""
    return np.asarray(trials["onset_tr"] * tr_s + trials["onset_residual_s"], dtype=np.float64)


def without(slow: NDArray[np.float64], series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Series (n_volumes, n) without what an orthonormal basis (n_volumes, n_slow) explains."""
    return series - slow @ (slow.T @ series)


def _candidates(store: xr.Dataset, runs: Sequence[int], duration_s: Duration) -> tuple[float | None, ...]:
    """The assumed duration first, then those it is compared with."""
    if duration_s == "estimated":
        return CANDIDATE_DURATIONS_S
    assumed = duration_s
    if assumed is None:
        shown_s = np.unique(trials_of(store).query("run in @runs")["duration_s"])
        assumed = float(shown_s[0]) if len(shown_s) == 1 else None
    return (assumed, *(other for other in CANDIDATE_DURATIONS_S if other != assumed))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
