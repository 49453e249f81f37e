"""The permutations that an evaluation asks for, and how they stand in its recipe."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tempgen.generalization.permutations import Permutations


def permutations_of(trials: pd.DataFrame, n_permutations: int, *, seed: int) -> Permutations | None:
    """Permutations of the scored trials' images within runs; None for none."""
    if not n_permutations:
        return None
    return Permutations.within_runs(trials, n_permutations=n_permutations, seed=seed)


def permutations_recipe(n_permutations: int, *, seed: int) -> dict[str, Any]:
    """What determines them beside the trials, as plain values; a result of before there were baselines has no such entry."""
    return {"n": n_permutations, **({"seed": seed} if n_permutations else {})}
