"""Controls that ask whether the effect stands by itself: without a neighbour, without shared volumes, in one region."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.controls import ControlsConfig
from tempgen.generalization.controls.effects import (
    cluster_test_of_verdicts,
    effect_by_trial,
    effect_difference,
    home_effect,
    mean_effect,
    metric_of_verdicts,
)
from tempgen.generalization.controls.verdict import (
    Verdict,
    VerdictWord,
    judge_absence,
    judge_presence,
    undecided,
)
from tempgen.windows import shares_volumes

__all__ = ["judge_after_blank", "judge_motion", "judge_no_overlap", "judge_part", "judge_roi"]


def judge_part(
    results: xr.Dataset, part: NDArray[np.bool_], rules: ControlsConfig, *, name: str, of_trials: str
) -> Verdict:
    """Whether the image is decoded in a part of the test trials, by the decoder trained on all.

    Parameters
    ----------
    results : Dataset
        Of all test trials.
    part : array of bool, shape (n_trials,)
    of_trials : str
        Which trials these are, for question and statement.
    """
    question = f"Is the image decoded in {of_trials}?"
    if not part.any():
        return undecided(name, question, f"There are no {of_trials} among the test trials.")
    home = home_effect(results, rules)
    effect, everywhere = mean_effect(home[part], rules), mean_effect(home, rules)
    statement = (
        f"{of_trials} score {effect} above chance, all of them {everywhere.mean:.3f} ({effect.n_trials} of "
        f"{everywhere.n_trials} trials)."
    )
    word = judge_presence(effect, everywhere, rules)
    return Verdict.of(name, question, word, statement, effect, reference=everywhere)


def judge_after_blank(results: xr.Dataset, first: NDArray[np.bool_], rules: ControlsConfig) -> Verdict:
    """Whether the image is decoded in trials that no image precedes, as it is in the rest.

    Parameters
    ----------
    first : array of bool, shape (n_trials,)
        First trials of runs and after blanks.
    """
    name, question = "after_blank", "Is the image decoded where no image came before, as in the rest?"
    if not first.any() or first.all():
        return undecided(
            name, question, f"{int(first.sum())} of {len(first)} test trials come after a blank."
        )
    home = home_effect(results, rules)
    effect, rest = mean_effect(home[first], rules), mean_effect(home[~first], rules)
    difference = effect_difference(home[~first], home[first], rules)
    statement = (
        f"first trials after a blank score {effect} above chance, the rest {rest.mean:.3f}, a difference of "
        f"{difference} ({effect.n_trials} and {rest.n_trials} trials)."
    )
    return Verdict.of(name, question, judge_presence(effect, rest, rules), statement, effect, reference=rest)


def judge_no_overlap(results: xr.Dataset, rules: ControlsConfig) -> Verdict:
    """Whether a decoder works at lags whose windows share no volume with those that it was trained on.

    Judged is the mean over the cells with ``|train - test| >= n_tr`` of the lags at which decoders of the lag's own work
    (cluster test over the diagonal).

    Parameters
    ----------
    results : Dataset
        The whole matrix.
    """
    name, question = "no_overlap", "Does generalization survive between windows that share no volume?"
    n_tr = int(results.attrs["n_tr"])
    informative = _informative_deltas(results, rules)
    scored = results[metric_of_verdicts(results, rules)].sel(target="current").notnull().any("trial")
    cells = [
        (train, test)
        for train in informative
        for test in informative
        if not shares_volumes(train, test, n_tr=n_tr) and bool(scored.sel(train_delta=train, test_delta=test))
    ]
    if not cells:
        return undecided(
            name,
            question,
            f"No two lags at which the image is decoded are {n_tr} TRs, a window's width, apart and scored: evaluate the "
            "matrix over more lags.",
        )
    effect = mean_effect(effect_by_trial(results, rules, cells), rules)
    lags = sorted({lag for cell in cells for lag in cell})
    own = mean_effect(effect_by_trial(results, rules, [(lag, lag) for lag in lags]), rules)
    statement = (
        f"between windows without a common volume decoders score {effect} above chance, at these lags themselves "
        f"{own.mean:.3f} ({len(cells)} cells)."
    )
    return Verdict.of(name, question, judge_presence(effect, own, rules), statement, effect, reference=own)


def _informative_deltas(results: xr.Dataset, rules: ControlsConfig) -> list[int]:
    """Lags at which decoders of their own are above chance."""
    test = cluster_test_of_verdicts(results, rules, decoder="specialized")
    if test is None:
        return []
    return [int(delta) for delta in test["test_delta"].values[test["mask"].values.astype(bool)]]


def judge_motion(motion: xr.Dataset, results: xr.Dataset, rules: ControlsConfig) -> Verdict:
    """Whether the motion of the head tells nothing of the image.

    Parameters
    ----------
    motion : Dataset
        Of a decoder that saw motion parameters in the place of BOLD, at ``general_delta``.
    results : Dataset
        Of the decoder itself.
    """
    question = "Does the motion of the head tell nothing of the image?"
    effect, home = (mean_effect(home_effect(one, rules), rules) for one in (motion, results))
    statement = (
        f"from motion parameters the image scores {effect} above chance, from BOLD {home.mean:.3f} "
        f"({effect.n_trials} trials)."
    )
    word = judge_absence(effect, home, rules)
    return Verdict.of("motion", question, word, statement, effect, reference=home)


def judge_roi(
    region: xr.Dataset, results: xr.Dataset, rules: ControlsConfig, *, roi: str, n_voxels: int
) -> Verdict:
    """Whether the image is decoded from one region by itself; a region without it refutes nothing, so that none fails.

    Parameters
    ----------
    region : Dataset
        Of a decoder that saw this region alone, at ``general_delta``.
    results : Dataset
        Of the decoder that saw all voxels.
    """
    question = f"Is the image decoded from {roi} by itself?"
    effect, home = (mean_effect(home_effect(one, rules), rules) for one in (region, results))
    statement = (
        f"{roi} ({n_voxels} voxels) scores {effect} above chance, all voxels {home.mean:.3f} "
        f"({effect.n_trials} trials)."
    )
    word: VerdictWord = "passed" if judge_presence(effect, home, rules) == "passed" else "not decided"
    return Verdict.of(f"rois:{roi}", question, word, statement, effect, reference=home)
