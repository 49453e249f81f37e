"""Exact sign flip across subjects: few subjects, and the smallest p that so many can give."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import mean_over_trials
from tempgen.generalization.statistics.permutation import fdr, tail_of, warn_if_out_of_reach
from tempgen.generalization.statistics.tested import (
    Against,
    Tail,
    TestedDecoder,
    above_chance,
    inherited_attrs,
    resolve_tail,
)

__all__ = ["sign_flip_test"]

_BLOCK_VALUES = 2**22  # statistics held at once: 32 MB
_ROUNDING = 1e-12  # statistics lie in [-1, 1]; closer ones are ties


def sign_flip_test(
    results: Mapping[str, xr.Dataset],
    metric: str,
    *,
    decoder: TestedDecoder = "general",
    target: str = "current",
    against: Against = "baseline",
    tail: Tail | None = None,
    alpha: float = 0.05,
    max_exact: int = 15,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> xr.Dataset:
    """Whether subjects are above chance at each lag, or in each cell of the matrix, by flipping their signs.

    Each subject gives one number a cell, the mean over trials of score - chance. Under the null hypothesis its sign could
    as well be the other one, in all cells at once. All 2^n combinations of signs are tried: p is the share of them, the
    observed one among them, whose statistic is at least as large. So n subjects reach 2^-n at best in one tail and
    2^(1-n) in two: 1/16 and 1/8 for four. The statistic is u = mean / root mean square over subjects, which orders flips
    of a cell as Student's t does (t = sqrt(n - 1) u / sqrt(1 - u^2)), makes cells comparable and stays finite.

    Parameters
    ----------
    results : mapping of str to Dataset
        Subject to its result, see `tempgen.results`.
    metric : str
        One of their score variables.
    decoder : {"general", "specialized", "matrix"}
        Row of the decoder trained at ``general_delta``, diagonal, or all cells. Cells that all subjects have are tested.
    target : str
        Image that reconstructions are compared with.
    against : {"baseline", "chance"}
        What is subtracted: each trial's own level ``METRIC_baseline`` (for the current image), or the level of the cell.
    tail : {"greater", "less", "two-sided"} or None
        None: the direction in which the metric is better.
    alpha : float
        Cells with corrected p <= alpha are in ``mask``.
    max_exact : int
        With more subjects, random flips are drawn instead of all.
    n_permutations : int
        How many random flips; p = (1 + number with a statistic at least as large) / (1 + n_permutations).
    seed : int
        Of the random flips.

    Returns
    -------
    Dataset
        Along the cells: ``effect`` (mean over subjects), ``u``, ``p`` (corrected over the cells by the largest statistic),
        ``p_uncorrected``, ``q`` (Benjamini-Hochberg) and ``mask``; ``subject_effect`` (subject, cells). Attributes: among
        others ``smallest_p``, and ``note``, the same in words.

    Warns
    -----
    UserWarning
        If the subjects are so few that no p can reach alpha.

    Raises
    ------
    ResultsError
        If there are fewer than two subjects, one lacks what is tested or what is subtracted, or they share no cell.

    Source
    ------
    Fisher 1935, The Design of Experiments, section 21; Nichols and Holmes 2002, doi:10.1002/hbm.1058 (largest statistic).
    """
    if len(results) < 2:
        raise ResultsError(f"A test across subjects needs the results of at least 2, got {len(results)}.")
    if not 0 < alpha < 1 or n_permutations < 1:
        raise ResultsError(
            f"Needed are an alpha between 0 and 1 and 1 permutation or more, got {alpha} and {n_permutations}."
        )
    effects = _subject_effects(results, metric, decoder=decoder, target=target, against=against)
    first = next(iter(results.values()))
    tail = resolve_tail(first, metric, tail)
    cells = effects.isel(subject=0, drop=True)
    values = effects.to_numpy().reshape(len(results), -1)
    tested = ~np.isnan(values).any(axis=0)
    if not tested.any():
        raise ResultsError(f"No cell of the {decoder} decoder was scored in all {len(results)} subjects.")
    exact = len(results) <= max_exact
    signs = _all_signs(len(results)) if exact else _random_signs(len(results), n_permutations, seed)
    u, uncorrected, p = (np.full(cells.size, np.nan) for _ in range(3))
    u[tested], uncorrected[tested], p[tested] = _compare(values[:, tested], signs, tail)
    n_signs = len(signs)
    smallest_p = (2 if exact and tail == "two-sided" else 1) / n_signs
    people = f"{len(results)} subjects"
    warn_if_out_of_reach(smallest_p, alpha, of=people)
    by_cell = {
        "effect": np.where(tested, values.mean(axis=0), np.nan),
        "u": u,
        "p": p,
        "p_uncorrected": uncorrected,
    }
    tests = xr.Dataset(
        {name: (cells.dims, column.reshape(cells.shape)) for name, column in by_cell.items()}
        | {"subject_effect": effects},
        coords=dict(cells.coords),
        attrs={
            name: value for name, value in inherited_attrs(first, metric, target).items() if name != "subject"
        }
        | {
            "decoder": decoder,
            "test": ("exact" if exact else "random")
            + " sign flip across subjects, largest mean / rms over cells",
            "against": against,
            "tail": tail,
            "alpha": alpha,
            "unit": "subject",
            "n_units": len(results),
            "n_cells": int(tested.sum()),
            "n_permutations": n_signs if exact else n_permutations,
            "smallest_p": smallest_p,
            "note": f"the smallest p that {people} can give, {tail}, is {smallest_p:.4g}",
            "seed": seed,
        },
    )
    return tests.assign(q=fdr(tests["p_uncorrected"], alpha=alpha)["q"], mask=tests["p"] <= alpha)


def _subject_effects(
    results: Mapping[str, xr.Dataset],
    metric: str,
    *,
    decoder: TestedDecoder,
    target: str,
    against: Against,
) -> xr.DataArray:
    """Mean over trials of score - chance, dims (subject, cells), on the lags that all subjects have."""
    effects = []
    for subject, result in results.items():
        try:
            scores = above_chance(result, metric, decoder=decoder, target=target, against=against)
        except ResultsError as error:
            raise ResultsError(f"Subject {subject}: {error}") from error
        effects.append(xr.zeros_like(scores.isel(trial=0, drop=True)) + mean_over_trials(scores.to_numpy()))
    return xr.concat(
        effects,
        dim=xr.DataArray(list(results), dims="subject", name="subject"),
        join="inner",
        coords="minimal",
        compat="override",
    )


def _all_signs(n: int) -> NDArray[np.float64]:
    """All 2^n combinations of signs, the observed one first, shape (2^n, n)."""
    bits = (np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1
    return np.asarray(1 - 2 * bits, dtype=np.float64)


def _random_signs(n: int, n_permutations: int, seed: int) -> NDArray[np.float64]:
    """The observed signs, then random ones, shape (1 + n_permutations, n)."""
    flips = np.random.default_rng(seed).integers(2, size=(n_permutations, n))
    return np.concatenate([np.ones((1, n)), np.asarray(1 - 2 * flips, dtype=np.float64)])


def _compare(
    values: NDArray[np.float64], signs: NDArray[np.float64], tail: Tail
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Statistic u of each cell, and its p alone and corrected over all, of values (n_subjects, n_cells)."""
    size = np.sqrt(np.square(values).mean(axis=0))
    scaled = values / np.where(size > 0, size, 1) / len(values)
    u = scaled.sum(axis=0)
    observed = tail_of(u, tail) - _ROUNDING
    n_alone, n_corrected = np.zeros(len(u)), np.zeros(len(u))
    step = max(1, _BLOCK_VALUES // len(u))
    for first in range(0, len(signs), step):
        flipped = tail_of(signs[first : first + step] @ scaled, tail)
        n_alone += (flipped >= observed).sum(axis=0)
        n_corrected += (flipped.max(axis=1)[:, np.newaxis] >= observed).sum(axis=0)
    return u, n_alone / len(signs), n_corrected / len(signs)
