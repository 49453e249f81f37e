"""Max-statistic test on permuted images, and the false discovery rate: which single lags are above chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import mean_over_trials
from tempgen.generalization.statistics.tested import (
    Tail,
    TestedDecoder,
    decoder_cells,
    inherited_attrs,
    resolve_tail,
    trial_scores,
)

__all__ = ["fdr", "max_statistic_test", "tail_of", "warn_if_out_of_reach"]

_ROUNDING = 4 * float(np.finfo(np.float32).eps)  # null means are stored as float32: closer ones are ties


def max_statistic_test(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: TestedDecoder = "general",
    tail: Tail | None = None,
    alpha: float = 0.05,
) -> xr.Dataset:
    """Mean score of each lag, or cell of the matrix, against images permuted among the trials of a run.

    Each cell's mean score, and its mean under each permutation, is measured in standard deviations of all of them,
    observed and permuted: z = (score - mean) / sd. So cells count alike, and the observed order is one of n + 1 that are
    equally likely if reconstructions have nothing to do with the images. p = (1 + number of permutations with z at
    least as large) / (1 + n); the corrected p compares a cell's z with the largest z of all cells in each permutation.

    Parameters
    ----------
    results : Dataset
        A result with ``METRIC_null`` (permutation, train_delta, test_delta), which was made with the same permutations in
        all cells, for the current image.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized", "matrix"}
        Row of the decoder trained at ``general_delta``, diagonal, or all cells; corrected over those.
    tail : {"greater", "less", "two-sided"} or None
        None: the direction in which the metric is better.
    alpha : float
        Cells with corrected p <= alpha are in ``mask``.

    Returns
    -------
    Dataset
        Along the cells: ``score`` (mean over trials), ``null_mean`` and ``null_sd`` (of the permutations alone), ``z``, ``p``
        (corrected over the cells), ``p_uncorrected``, ``q`` (Benjamini-Hochberg) and ``mask``. NaN where a cell was not
        computed. Attributes say how it was tested; ``smallest_p`` is what this number of permutations can reach.

    Warns
    -----
    UserWarning
        If the permutations are so few that no p can reach alpha.

    Raises
    ------
    ResultsError
        If the results lack the metric, the decoder or the permutations, or a scored cell has none.

    Source
    ------
    Nichols and Holmes 2002, doi:10.1002/hbm.1058 (largest statistic); Phipson and Smyth 2010, doi:10.2202/1544-6115.1585
    (1 + number); Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    if not 0 < alpha < 1:
        raise ResultsError(f"An alpha between 0 and 1 is needed, got {alpha}.")
    tail = resolve_tail(results, metric, tail)
    scores = trial_scores(results, metric, decoder=decoder, target="current")
    cells = scores.isel(trial=0, drop=True)
    score = mean_over_trials(scores.to_numpy()).ravel()
    null = _null(results, metric, decoder, cells)
    tested = ~np.isnan(score)
    n_without = int(np.isnan(null[:, tested]).any(axis=0).sum())
    if n_without:
        raise ResultsError(
            f"{metric}_null is NaN in {n_without} of the {int(tested.sum())} scored cells. Evaluate again, with the same "
            "permutations in all cells."
        )
    n_permutations = len(null)
    smallest_p = 1 / (1 + n_permutations)
    warn_if_out_of_reach(smallest_p, alpha, of=f"{n_permutations} permutations")
    z, p, uncorrected = (np.full(cells.size, np.nan) for _ in range(3))
    z[tested], uncorrected[tested], p[tested] = _compare(score[tested], null[:, tested], tail)
    by_cell = {
        "score": score,
        "null_mean": np.where(tested, null.mean(axis=0), np.nan),
        "null_sd": np.where(tested, null.std(axis=0), np.nan),
        "z": z,
        "p": p,
        "p_uncorrected": uncorrected,
    }
    tests = xr.Dataset(
        {name: (cells.dims, values.reshape(cells.shape)) for name, values in by_cell.items()},
        coords=dict(cells.coords),
        attrs=inherited_attrs(results, metric, "current")
        | {
            "decoder": decoder,
            "test": "permutation of images within runs, largest z over cells",
            "tail": tail,
            "alpha": alpha,
            "unit": "trial within run",
            "n_trials": int(scores.notnull().any(scores.dims[:-1]).sum()),
            "n_cells": int(tested.sum()),
            "n_permutations": n_permutations,
            "smallest_p": smallest_p,
            "seed": results[f"{metric}_null"].attrs.get("seed", "as stored with the permutations"),
        },
    )
    return tests.assign(q=fdr(tests["p_uncorrected"], alpha=alpha)["q"], mask=tests["p"] <= alpha)


def _null(
    results: xr.Dataset, metric: str, decoder: TestedDecoder, cells: xr.DataArray
) -> NDArray[np.float64]:
    """Mean scores under the permutations, shape (n_permutations, n_cells)."""
    name = f"{metric}_null"
    if name not in results:
        stored = [
            str(other).removesuffix("_null") for other in results.data_vars if str(other).endswith("_null")
        ]
        raise ResultsError(
            f"The results have no {name}: no images were permuted for this metric"
            + (f" (they were for {', '.join(stored)})" if stored else "")
            + ". Evaluate again with permutations, or take `cluster_test`, which needs none."
        )
    null = decoder_cells(results[name], results, decoder).transpose("permutation", *cells.dims)
    if null.sizes["permutation"] < 1:
        raise ResultsError(f"{name} has no permutation. Evaluate again with permutations.")
    return null.to_numpy().astype(np.float64).reshape(null.sizes["permutation"], -1)


def _compare(
    score: NDArray[np.float64], null: NDArray[np.float64], tail: Tail
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each cell its z and its p, alone and corrected over all; score (n_cells,), null (n_permutations, n_cells)."""
    pooled = np.concatenate([score[np.newaxis], null])
    rounding = _ROUNDING * np.abs(pooled).max(axis=0)
    sd = pooled.std(axis=0)
    varies = sd > rounding
    scale = np.where(varies, sd, 1)
    z = np.where(varies, (pooled - pooled.mean(axis=0)) / scale, 0)
    size = tail_of(z, tail)
    observed, permuted = size[0] - rounding / scale, size[1:]
    alone = (1 + (permuted >= observed).sum(axis=0)) / len(pooled)
    corrected = (1 + (permuted.max(axis=1)[:, np.newaxis] >= observed).sum(axis=0)) / len(pooled)
    return z[0], alone, corrected


def tail_of(statistic: NDArray[np.float64], tail: Tail) -> NDArray[np.float64]:
    """A statistic so that more evidence is always a larger number."""
    if tail == "two-sided":
        return np.abs(statistic)
    return -statistic if tail == "less" else statistic


def warn_if_out_of_reach(smallest_p: float, alpha: float, *, of: str) -> None:
    """Warn if a test cannot reject, whatever the data."""
    import warnings

    if smallest_p > alpha * (1 + 1e-12):
        warnings.warn(
            f"No p of {of} can be below {smallest_p:.4g}, so that nothing can be significant at alpha {alpha:g}.",
            stacklevel=3,
        )


def fdr(p: xr.DataArray, *, alpha: float = 0.05, method: Literal["indep", "negcorr"] = "indep") -> xr.Dataset:
    """False discovery rate over all cells of an array of p values.

    Parameters
    ----------
    p : DataArray
        Uncorrected p values of any dims; NaN are left out.
    alpha : float
        Expected share of false ones among the cells in ``mask``.
    method : {"indep", "negcorr"}
        Benjamini-Hochberg, for tests that are independent or positively dependent, as neighbouring lags are; or
        Benjamini-Yekutieli, for any dependence.

    Returns
    -------
    Dataset
        ``q`` (adjusted p, the smallest alpha at which the cell is in the mask) and ``mask`` (q <= alpha).

    Raises
    ------
    ResultsError
        If a p lies outside [0, 1], alpha outside (0, 1), or the method is unknown.

    Source
    ------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini and Yekutieli 2001,
    doi:10.1214/aos/1013699998; computed by `mne.stats.fdr_correction`.

    Examples
    --------
    >>> fdr(xr.DataArray([0.01, 0.5, 0.04], dims="test_delta"))["q"].to_numpy().round(3)
    array([0.03, 0.5 , 0.06])
    """
    from mne.stats import fdr_correction

    if method not in ("indep", "negcorr") or not 0 < alpha < 1:
        raise ResultsError(
            f"Choose the method indep or negcorr and an alpha between 0 and 1; got {method!r} and {alpha}."
        )
    values = p.to_numpy().astype(np.float64)
    there = ~np.isnan(values)
    if np.any((values[there] < 0) | (values[there] > 1)):
        raise ResultsError("A p value lies outside of 0 to 1; give uncorrected p values.")
    q = np.full(values.shape, np.nan)
    if there.any():
        q[there] = fdr_correction(values[there], alpha=alpha, method=method)[1]
    names = {"indep": "Benjamini-Hochberg", "negcorr": "Benjamini-Yekutieli"}
    return xr.Dataset(
        {"q": (p.dims, q), "mask": (p.dims, q <= alpha)},
        coords=dict(p.coords),
        attrs={
            "test": f"false discovery rate, {names[method]}",
            "alpha": alpha,
            "n_cells": int(there.sum()),
        },
    )
