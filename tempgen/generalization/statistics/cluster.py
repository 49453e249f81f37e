"""Cluster-based permutation over lags and over the matrix: which neighbouring lags are above chance together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import unit_of_trials
from tempgen.generalization.statistics.permutation import warn_if_out_of_reach
from tempgen.generalization.statistics.tested import (
    Against,
    Tail,
    TestedDecoder,
    above_chance,
    inherited_attrs,
    resolve_tail,
    scored_trials,
    unit_means,
)

__all__ = ["cluster_test"]

_ROUNDING = 1e-9  # clusters whose sizes are closer than this, relatively, tie
_CLUSTER_FORMING_P = 0.05  # default threshold, as in mne and in Maris and Oostenveld 2007


def cluster_test(
    results: xr.Dataset,
    metric: str,
    *,
    decoder: TestedDecoder = "general",
    target: str = "current",
    unit: str = "image_id",
    against: Against = "baseline",
    threshold: float | Mapping[str, float] | None = None,
    n_permutations: int = 2000,
    seed: int = 0,
    tail: Tail | None = None,
    alpha: float = 0.05,
) -> xr.Dataset:
    """Clusters of neighbouring lags, or cells of the matrix, whose scores differ from chance.

    Units (images) are independent; each gives one curve or matrix, the mean over its trials of score - chance. Under
    the null hypothesis its sign could as well be the other one, at all lags at once. Neighbouring cells whose t over units
    passes the threshold make a cluster, which is as large as the sum of its t; its p is the share of random sign flips
    whose largest cluster is at least as large. So p holds for all cells together, and it says that there is something in
    a cluster, not where exactly it begins and ends.

    Parameters
    ----------
    results : Dataset
        Scores with dims (train_delta, test_delta, target, trial), see `tempgen.results`.
    metric : str
        One of its score variables.
    decoder : {"general", "specialized", "matrix"}
        Row of the decoder trained at ``general_delta``, diagonal, or all cells; lags that follow one another on the axis
        are neighbours, in the matrix along either axis. Cells that were not computed are left out and part clusters.
    target : str
        Image that reconstructions are compared with.
    unit : str
        Coordinate of the trials whose distinct values are the independent units; ``"run"`` for labels.
    against : {"baseline", "chance"}
        What is subtracted: each trial's own level ``METRIC_baseline`` (for the current image), or the level of the cell,
        ``METRIC_chance`` or the metric's fixed one.
    threshold : float, mapping or None
        |t| that a cell must pass to be in a cluster; ``{"start": 0, "step": 0.2}`` for threshold-free cluster
        enhancement, with a p of its own for each cell (a hundred times slower); None: t of p = 0.05 in this tail.
    n_permutations : int
        Sign flips, the observed signs among them; all 2^n_units (in two tails half of them) where that is fewer.
    seed : int
    tail : {"greater", "less", "two-sided"} or None
        None: the direction in which the metric is better.
    alpha : float
        Clusters with p <= alpha are in ``mask``.

    Returns
    -------
    Dataset
        Along the cells: ``effect`` (mean over units of score - chance), ``t``, ``cluster`` (number of its cluster from 1
        by rising p, 0 for none), ``p`` (of the cluster; 1 outside, NaN where nothing was tested) and ``mask``. Along
        ``cluster_number``: ``cluster_p``, ``cluster_sum`` (of t) and ``cluster_size`` (cells). Attributes say how it
        was tested.

    Warns
    -----
    UserWarning
        If units or permutations are so few that no p can reach alpha.

    Raises
    ------
    ResultsError
        If the results lack what is tested or what is subtracted; if fewer than two units were scored, a unit was scored
        in some of the tested cells only, or all units agree exactly in a cell (no t); or if an argument is out of range.

    Source
    ------
    Maris and Oostenveld 2007, doi:10.1016/j.jneumeth.2007.03.024; Smith and Nichols 2009,
    doi:10.1016/j.neuroimage.2008.03.061 (threshold-free cluster enhancement); computed by
    `mne.stats.permutation_cluster_1samp_test`.
    """
    if n_permutations < 2 or not 0 < alpha < 1:
        raise ResultsError(
            f"A cluster test needs 2 permutations or more and an alpha between 0 and 1, got {n_permutations} and {alpha}."
        )
    tail = resolve_tail(results, metric, tail)
    effects = scored_trials(above_chance(results, metric, decoder=decoder, target=target, against=against))
    cells = effects.isel(trial=0, drop=True)
    per_unit = unit_means(effects.to_numpy(), unit_of_trials(effects, unit)).reshape(-1, cells.size)
    tested = _tested_cells(per_unit, unit)
    sample = per_unit[:, tested]
    passing = _threshold(threshold, n_units=len(sample), tail=tail)
    n_permutations, smallest_p = _reach(n_permutations, n_units=len(sample), tail=tail)
    warn_if_out_of_reach(
        smallest_p, alpha, of=f"{n_permutations} sign flips of {len(sample)} values of {unit}"
    )
    found = _clusters(
        sample,
        adjacency=_adjacency(cells.shape)[tested][:, tested],
        threshold=passing,
        n_permutations=n_permutations,
        seed=seed,
        tail=tail,
    )
    order = np.argsort(found.p, kind="stable")
    number, p = np.zeros(cells.size, dtype=np.int64), np.full(cells.size, np.nan)
    p[tested] = 1.0
    members = [np.flatnonzero(tested)[found.members[k]] for k in order]
    for k, member in enumerate(members):
        number[member], p[member] = k + 1, found.p[order[k]]
    t = _fill(tested, found.t)
    by_cell = {
        "effect": _fill(tested, sample.mean(axis=0)),
        "t": t,
        "cluster": number,
        "p": p,
        "mask": p <= alpha,
    }
    return xr.Dataset(
        {name: (cells.dims, values.reshape(cells.shape)) for name, values in by_cell.items()}
        | {
            "cluster_p": ("cluster_number", found.p[order]),
            "cluster_sum": ("cluster_number", np.array([t[member].sum() for member in members])),
            "cluster_size": ("cluster_number", np.array([len(member) for member in members], dtype=np.int64)),
        },
        coords=dict(cells.coords) | {"cluster_number": np.arange(1, len(order) + 1)},
        attrs=inherited_attrs(results, metric, target)
        | {
            "decoder": decoder,
            "test": "cluster-based permutation of signs, one-sample t"
            + (", threshold-free cluster enhancement" if isinstance(threshold, Mapping) else ""),
            "against": against,
            "threshold": str(passing),
            "tail": tail,
            "alpha": alpha,
            "unit": unit,
            "n_units": len(sample),
            "n_trials": effects.sizes["trial"],
            "n_cells": int(tested.sum()),
            "n_permutations": n_permutations,
            "smallest_p": smallest_p,
            "seed": seed,
        },
    )


class _Found(NamedTuple):
    """Clusters as mne found them: their cells, their p, and t of all cells."""

    members: list[NDArray[np.intp]]
    p: NDArray[np.float64]
    t: NDArray[np.float64]


def _clusters(
    sample: NDArray[np.float64],
    *,
    adjacency: Any,
    threshold: float | dict[str, float],
    n_permutations: int,
    seed: int,
    tail: Tail,
) -> _Found:
    from mne.stats import permutation_cluster_1samp_test, ttest_1samp_no_p
    from mne.utils import use_log_level

    with use_log_level("ERROR"):  # no clusters is an answer, not a warning
        enhanced, found, _, null = permutation_cluster_1samp_test(
            # with tail=-1, mne 1.13 gives wrong p for threshold-free cluster enhancement
            -sample if tail == "less" else sample,
            threshold=threshold,
            n_permutations=n_permutations,
            tail=0 if tail == "two-sided" else 1,
            adjacency=adjacency,
            seed=seed,
            out_type="indices",
            verbose="ERROR",
        )
    members = [np.asarray(cells[0]) for cells in found]
    t = np.asarray(ttest_1samp_no_p(sample), dtype=np.float64)
    by_cell = enhanced if isinstance(threshold, dict) else t
    size = np.array([abs(by_cell[cells].sum()) for cells in members])
    # mne's own p depends on how flips that tie with the observed signs are rounded
    p = (np.abs(null) >= size[:, np.newaxis] * (1 - _ROUNDING)).mean(axis=1) if members else size
    return _Found(members, p, t)


def _reach(n_permutations: int, *, n_units: int, tail: Tail) -> tuple[int, float]:
    """How many sign flips there will be, and the smallest p that they can give."""
    n_all = 2.0 ** (n_units - (tail == "two-sided"))  # of two tails, +x and -x are the same
    if n_permutations < n_all:
        return n_permutations, 1 / n_permutations
    # mne tries all flips; in one tail, its list holds the observed signs in place of the flip of all of them, so that
    # they count twice and p is up to 1 / n_all too large
    return int(n_all), (1 if tail == "two-sided" else 2) / n_all


def _tested_cells(per_unit: NDArray[np.float64], unit: str) -> NDArray[np.bool_]:
    """Cells that were scored for all units, shape (n_cells,); those scored for none are left out."""
    n_units = len(per_unit)
    if n_units < 2:
        raise ResultsError(
            f"A test over {n_units} value of {unit} says nothing; needed are at least 2. Choose another unit."
        )
    there = ~np.isnan(per_unit)
    tested = np.asarray(there.any(axis=0))
    n_incomplete = int(np.count_nonzero(~there[:, tested].all(axis=1)))
    if n_incomplete:
        raise ResultsError(
            f"{n_incomplete} of the {n_units} values of {unit} were scored in some of the {int(tested.sum())} tested cells "
            "only; signs are flipped in all cells at once. Choose lags that all were scored at, results.sel(test_delta=...), "
            "or the trials that were scored at all of them."
        )
    sample = per_unit[:, tested]
    rounding = 8 * np.finfo(np.float64).eps * np.abs(sample).max(axis=0)
    n_constant = int(np.count_nonzero(np.ptp(sample, axis=0) <= rounding))
    if n_constant:
        raise ResultsError(
            f"All {n_units} values of {unit} have exactly the same score at {n_constant} of {int(tested.sum())} cells, so t is "
            "not defined there. Choose other cells, another unit or another metric."
        )
    return tested


def _threshold(
    threshold: float | Mapping[str, float] | None, *, n_units: int, tail: Tail
) -> float | dict[str, float]:
    """Threshold of |t|, or the steps of threshold-free cluster enhancement."""
    from scipy.special import stdtrit

    if isinstance(threshold, Mapping):
        if set(threshold) != {"start", "step"} or threshold["start"] < 0 or threshold["step"] <= 0:
            raise ResultsError(
                "Threshold-free cluster enhancement needs 'start' (0 or more) and 'step' (above 0), "
                f"got {dict(threshold)}."
            )
        return {"start": float(threshold["start"]), "step": float(threshold["step"])}
    if threshold is None:
        threshold = float(stdtrit(n_units - 1, 1 - _CLUSTER_FORMING_P / (2 if tail == "two-sided" else 1)))
    if not (math.isfinite(threshold) and threshold > 0):
        raise ResultsError(f"A cluster-forming threshold is a t above 0, for every tail; got {threshold}.")
    return float(threshold)


def _adjacency(shape: tuple[int, ...]) -> Any:
    """Which cells are neighbours, sparse (n_cells, n_cells): steps of one along an axis."""
    from mne.stats import combine_adjacency
    from scipy.sparse import csr_array, diags_array

    chains = [
        diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1], shape=(n, n))
        for n in shape
    ]
    adjacency = chains[0] if len(chains) == 1 else combine_adjacency(*chains)
    return csr_array(adjacency)


def _fill(tested: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    filled = np.full(tested.shape, np.nan)
    filled[tested] = values
    return filled
