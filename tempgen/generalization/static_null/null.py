"""The dynamics index of a recording beside that of a static code with the same HRFs, trial order and noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from tempgen.errors import ResultsError
from tempgen.generalization.separability import Features
from tempgen.generalization.static_null.index import matrix_index, separated_pairs
from tempgen.generalization.static_null.lag_decoders import METRIC, LagDecoders
from tempgen.generalization.static_null.strong_lags import RESAMPLING, strong_lags
from tempgen.generalization.static_null.subject import StaticSubject
from tempgen.generalization.summaries.resampling import Resampling

__all__ = ["static_null"]


def static_null(
    decoders: LagDecoders,
    store: xr.Dataset,
    features: Features,
    *,
    lags: Sequence[int] = range(16),
    n_surrogates: int = 99,
    min_separation: int | None = None,
    resampling: Resampling = RESAMPLING,
    seed: int = 0,
    progress: bool = False,
) -> xr.Dataset:
    """The dynamics index of a recording against its distribution under a static code.

    A separable (rank 1) encoding model of each voxel, fitted to all runs, and its residuals make surrogate BOLD, which the
    same windows, split, decoders and index see. The model is estimated: the noise in its time courses makes its surrogates
    more dynamic than the code that it stands for, and another recording would have given another model. So each surrogate is treated
    as a recording: a model is fitted to it, and a surrogate of that is decoded. With d the observed index, d_b those of
    surrogates and e_b those of surrogates of surrogates, d - mean(d_b) is compared with d_b - e_b
    (after Beran's prepivoting, with one inner draw for each outer one)::

        null_b = mean(d_b) + d_b - e_b        p = (1 + #{null_b >= d}) / (1 + n_surrogates)

    Parameters
    ----------
    decoders : LagDecoders
    store : Dataset
        With the voxels that decoders see.
    features : DataFrame or DataArray, shape (n_images, n_features)
        Of the encoding model, by ``image_id``.
    lags : sequence of int
        Volumes from image onset at which the model may answer.
    n_surrogates : int
    min_separation : int or None
        TRs between the lags of a pair. None: the window's width, 2 at least.
    resampling : Resampling
        Decides at which lags the Specialized decoder is above chance, see `strong_lags`; they are the same for surrogates.
    seed : int
    progress : bool
        Show a bar over surrogates.

    Returns
    -------
    Dataset
        ``observed``, ``null`` (surrogate), ``p``; ``surrogate_index`` (surrogate) is d_b, ``bias`` the mean of e_b - d_b;
        ``score`` and ``surrogate_score`` (train_delta, test_delta) the observed mean scores and those of all surrogates,
        which tell whether the surrogates have the recording's signal-to-noise ratio; ``informative`` (test_delta). ``p`` is NaN, and
        the attribute ``reason`` says why, if fewer than two lags are informative or a surrogate has no index.

    Raises
    ------
    ResultsError
        If there are no surrogates or lags of a pair would be the same.

    Source
    ------
    Wild bootstrap by run: Wu 1986, doi:10.1214/aos/1176350142; null distribution of a statistic that is itself estimated: Beran
    1988, doi:10.1080/01621459.1988.10478649. The index is this package's.
    """
    if n_surrogates < 1 or (min_separation is not None and min_separation < 1):
        raise ResultsError(
            f"A null needs a surrogate and lags 1 TR apart or more, got n_surrogates={n_surrogates}, "
            f"min_separation={min_separation}."
        )
    apart = max(2, decoders.window.n_tr) if min_separation is None else min_separation
    subject = StaticSubject.of(store, features, lags=lags)
    results, penalties = decoders.results(subject.bold)
    score = results[METRIC].isel(target=0).mean("trial").to_numpy().astype(np.float64)
    strong = strong_lags(results, resampling=resampling)
    pairs = separated_pairs(np.array(decoders.deltas), strong.to_numpy(), min_separation=apart)
    observed = matrix_index(score, pairs)
    reason = str(strong.attrs["reason"])
    if not reason and not len(pairs):
        reason = f"of the {int(strong.sum())} informative lags no two are {apart} TRs apart or more"
    of_surrogates, of_theirs = (np.full(n_surrogates, np.nan) for _ in range(2))
    surrogate_score = np.full_like(score, np.nan if reason else 0)
    if not reason:
        for number in tqdm(range(n_surrogates), desc="static null", disable=None if progress else True):
            recorded = subject.record((seed, number, 0))
            scored = decoders.matrix(recorded, penalties)
            surrogate_score += scored / n_surrogates
            of_surrogates[number] = matrix_index(scored, pairs)
            again = subject.refitted(recorded).record((seed, number, 1))
            of_theirs[number] = matrix_index(decoders.matrix(again, penalties), pairs)
        n_without = np.count_nonzero(~np.isfinite(of_surrogates + of_theirs))
        if n_without:
            reason = (
                f"in {n_without} of {n_surrogates} surrogates no decoder is above chance at its own lag: the encoding model explains "
                "too little of what is decoded, take better features or more runs"
            )
    null = of_surrogates.mean() + of_surrogates - of_theirs
    p = float("nan") if reason else (1 + np.count_nonzero(null >= observed)) / (1 + n_surrogates)
    square = ("train_delta", "test_delta")
    return xr.Dataset(
        {
            "observed": (
                (),
                observed,
                {"long_name": "dynamics index, pooled over pairs of lags", "units": "1"},
            ),
            "null": ("surrogate", null, {"long_name": "dynamics index of a static code", "units": "1"}),
            "p": ((), p),
            "surrogate_index": ("surrogate", of_surrogates),
            "bias": ((), (of_theirs - of_surrogates).mean()),
            "score": (square, score, results[METRIC].attrs),
            "surrogate_score": (square, surrogate_score),
            "informative": ("test_delta", strong.to_numpy()),
        },
        coords={name: results[name] for name in ("train_delta", "test_delta", "train_lag_s", "lag_s")},
        attrs={
            "reason": reason,
            "n_pairs": len(pairs),
            "n_surrogates": n_surrogates,
            "min_separation_tr": apart,
            "seed": seed,
            "formula": "sum over pairs of informative lags of (G_ii + G_jj - G_ij - G_ji), over that of (G_ii + G_jj)",
            "test": "wild bootstrap by run from the separable encoding model, prepivoted (Wu 1986, Beran 1988)",
            "informative": str(strong.attrs["test"]),
            "n_tr": decoders.window.n_tr,
            "tr_s": decoders.window.tr_s,
        },
    )
