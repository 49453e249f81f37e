"""Trials to show, chosen by rule: best, median and worst by a score, or those that show a neighbour's image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.selection import scores_of
from tempgen.results import metrics_of

__all__ = ["RULES", "choose_exemplars"]

_KEYS = ("run", "onset_tr")

NEIGHBOUR = "score with the previous or the next image furthest above that with its own"
RULES: Mapping[str, str] = {
    "best": "highest score",
    "median": "score in the middle of the ranks",
    "worst": "lowest score",
    "neighbour": NEIGHBOUR,
}
"""Name of a rule to what it chooses; of a metric that counts errors, best is lowest."""


def choose_exemplars(
    reconstructions: xr.Dataset,
    results: xr.Dataset,
    metric: str,
    *,
    rules: Sequence[str] = ("best", "median", "worst"),
    n_each: int = 1,
    with_neighbours: bool = False,
) -> xr.Dataset:
    """Choose kept trials by their score in the cell of the General decoder at its own lag.

    Trials are ranked by ``metric``, equal ones in the order of trials (run, then onset). The median is the trial at rank
    (n + 1) / 2, rounded down; of several, those around it. No trial is chosen twice: a rule passes over those of the rules before
    it. Nothing else enters the choice.

    Parameters
    ----------
    reconstructions : Dataset
        From `tempgen.reconstructions.open_reconstructions`.
    results : Dataset
        Scores of the same trials and more.
    metric : str
        One of the results' metrics.
    rules : sequence of str
        Of `RULES`; ``"neighbour"`` needs the results' targets ``previous`` or ``next``.
    n_each : int
        Trials of each rule, of ``"neighbour"`` at most.
    with_neighbours : bool
        Choose among the trials that have both a previous and a next image.

    Returns
    -------
    Dataset, dims (trial,)
        ``position`` in the reconstructions; ``rule``; ``rank`` from 1, best first; ``score``; ``closest``, the target (current,
        previous, next) that the reconstruction scores best with; and the score in all metrics, by name. Attributes:
        ``metric``, ``long_name``, ``n_ranked``, ``rule`` (a sentence for the figure) and what the results say of the data.

    Raises
    ------
    ResultsError
        If a rule or metric is unknown, the General decoder was not scored at its own lag, or there are fewer such trials
        than are asked for.
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown or not rules:
        raise ResultsError(f"Trials are chosen by the rules {', '.join(RULES)}; got {list(rules)}.")
    general_delta = int(results.attrs.get("general_delta", 0))
    place = {"train_delta": general_delta, "test_delta": general_delta}
    own = _own_scores(results, metric, place)
    positions, rows = _candidates(reconstructions, results, own, with_neighbours=with_neighbours)
    if len(rows) < n_each * len(rules):
        raise ResultsError(
            f"{n_each} trials of each of the rules {', '.join(rules)} were asked for; {len(rows)} scored trials were kept. "
            "Keep more (evaluation.keep_reconstructions) or ask for fewer."
        )
    sign = -1.0 if results[metric].attrs.get("direction") == "lower is better" else 1.0
    order = np.argsort(-sign * own[rows], kind="stable")
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(1, len(rows) + 1)
    chosen: list[int] = []
    named: list[str] = []
    for rule in rules:
        preferred = _preference(rule, order, lambda: sign * _gain(results, metric, place, own)[rows])
        new = [k for k in preferred.tolist() if k not in chosen][:n_each]
        chosen += sorted(new, key=lambda k: rank[k])
        named += [rule] * len(new)
    every = {
        name: ("trial", _own_scores(results, name, place)[rows[chosen]], results[name].attrs)
        for name in metrics_of(results)
    }
    return xr.Dataset(
        {
            "position": ("trial", positions[chosen]),
            "rule": ("trial", np.array(named, dtype=object)),
            "rank": ("trial", rank[chosen]),
            "score": ("trial", own[rows[chosen]]),
            "closest": ("trial", _closest(results, metric, place, rows[chosen])),
            **every,
        },
        attrs=_attrs(
            results,
            metric,
            dict.fromkeys(named or rules),
            n_ranked=len(rows),
            with_neighbours=with_neighbours,
        ),
    )


def _preference(
    rule: str, order: NDArray[np.int64], gain: Callable[[], NDArray[np.float64]]
) -> NDArray[np.int64]:
    """Rows from the one that a rule likes most to the one that it likes least; ``order`` is from best to worst."""
    if rule == "best":
        return order
    if rule == "worst":
        return order[::-1]
    if rule == "median":
        middle = (len(order) - 1) // 2
        return order[np.argsort(np.abs(np.arange(len(order)) - middle), kind="stable")]
    gained = gain()
    likely = np.argsort(-np.nan_to_num(gained, nan=-np.inf), kind="stable")
    return likely[gained[likely] > 0]


def _own_scores(results: xr.Dataset, metric: str, place: Mapping[str, int]) -> NDArray[np.float64]:
    """Scores of all trials with their own image in one cell, shape (n_trials,)."""
    scores = scores_of(results, metric, "current")
    lag = place["train_delta"]
    if lag not in scores.train_delta or lag not in scores.test_delta:
        raise ResultsError(
            f"The General decoder was not scored at its own lag, delta {lag}: evaluate it there."
        )
    return np.asarray(scores.sel(place).to_numpy(), dtype=np.float64)


def _gain(
    results: xr.Dataset, metric: str, place: Mapping[str, int], own: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score with the better of the neighbouring images minus that with the own one, shape (n_trials,)."""
    targets = [str(name) for name in results["target"].to_numpy() if name != "current"]
    if not targets:
        raise ResultsError(
            "The rule 'neighbour' needs scores with the previous or the next image: evaluate these targets."
        )
    others = np.stack(
        [scores_of(results, metric, name).sel(place).to_numpy().astype(np.float64) for name in targets]
    )
    lower = results[metric].attrs.get("direction") == "lower is better"
    best = np.fmin.reduce(others) if lower else np.fmax.reduce(others)
    return np.asarray(best - own)


def _closest(
    results: xr.Dataset, metric: str, place: Mapping[str, int], rows: NDArray[np.int64]
) -> NDArray[Any]:
    """Target with the best score, shape (n_trials,); the current image where others tie with it."""
    others = [str(name) for name in results["target"].to_numpy() if name != "current"]
    targets = np.array(["current", *others], dtype=object)
    scores = np.stack([scores_of(results, metric, name).sel(place).to_numpy()[rows] for name in targets])
    sign = -1.0 if results[metric].attrs.get("direction") == "lower is better" else 1.0
    return np.asarray(targets[np.nan_to_num(sign * scores, nan=-np.inf).argmax(axis=0)])


def _candidates(
    reconstructions: xr.Dataset, results: xr.Dataset, own: NDArray[np.float64], *, with_neighbours: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Trials that are kept and scored, in the order of trials: positions in the reconstructions, and rows in the results."""
    kept = _positions(reconstructions, results)
    if with_neighbours:
        both = (reconstructions["previous_image"] >= 0) & (reconstructions["next_image"] >= 0)
        kept = {k: at for k, at in kept.items() if bool(both[k])}
    positions = np.array(sorted(kept, key=lambda k: _key(reconstructions, k)), dtype=np.int64)
    rows = np.array([kept[int(k)] for k in positions], dtype=np.int64)
    scored = ~np.isnan(own[rows])
    return positions[scored], rows[scored]


def _positions(reconstructions: xr.Dataset, results: xr.Dataset) -> dict[int, int]:
    """Position of each kept trial that was scored, and its row in the results."""
    rows = {
        key: row
        for row, key in enumerate(zip(*(results[name].values.tolist() for name in _KEYS), strict=True))
    }
    kept = zip(*(reconstructions[name].values.tolist() for name in _KEYS), strict=True)
    return {position: rows[key] for position, key in enumerate(kept) if key in rows}


def _key(reconstructions: xr.Dataset, position: int) -> tuple[int, int]:
    return int(reconstructions["run"][position]), int(reconstructions["onset_tr"][position])


def _attrs(
    results: xr.Dataset, metric: str, rules: Iterable[str], *, n_ranked: int, with_neighbours: bool
) -> dict[str, Any]:
    general_delta = int(results.attrs.get("general_delta", 0))
    name = str(results[metric].attrs.get("long_name", metric))
    which = "kept test trials with both neighbours" if with_neighbours else "kept test trials"
    inherited = ("subject", "data_kind", "note_code", "soa_s", "tr_s", "decoder", "decoder_target")
    return {
        **{key: results.attrs[key] for key in inherited if key in results.attrs},
        "metric": metric,
        "long_name": name,
        "n_ranked": n_ranked,
        "rule": f"{', '.join(rules)} of {n_ranked} {which} by {name} of the General decoder at delta {general_delta}; "
        f"ties: the earlier trial first{f'; neighbour: {NEIGHBOUR}' if 'neighbour' in rules else ''}",
    }
