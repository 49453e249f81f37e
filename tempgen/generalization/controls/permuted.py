"""Controls of the labels: decoders that were trained on permuted images, and scores of permuted images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

from tempgen.config.controls import ControlsConfig
from tempgen.errors import ResultsError
from tempgen.generalization.controls.effects import home_effect, mean_effect, metric_of_verdicts
from tempgen.generalization.controls.verdict import Estimate, Verdict, VerdictWord, judge_absence, undecided

__all__ = ["judge_permuted_images", "judge_retrained"]

_FEWEST_RETRAININGS = 3


def judge_retrained(retrained: Sequence[xr.Dataset], results: xr.Dataset, rules: ControlsConfig) -> Verdict:
    """Whether decoders that were trained on images permuted within runs decode nothing.

    With three retrainings or more the interval is Student's over retrainings: each permutation gives another decoder, and
    one that happens to point the right way scores above chance at all test trials alike.

    Parameters
    ----------
    retrained : sequence of Dataset
        Results of decoders trained and tested at ``general_delta``, each on another permutation.
    results : Dataset
        The same without permutation.
    """
    name, question = "permuted_labels", "Do decoders trained on images permuted within runs decode nothing?"
    home = mean_effect(home_effect(results, rules), rules)
    estimates = [mean_effect(home_effect(one, rules), rules) for one in retrained]
    means = np.array([one.mean for one in estimates])
    effect = estimates[0]
    if len(estimates) > 1:
        low = high = np.nan
        if len(estimates) >= _FEWEST_RETRAININGS:
            from scipy.stats import t

            reach = t.ppf((1 + rules.level) / 2, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
            low, high = float(means.mean() - reach), float(means.mean() + reach)
        effect = Estimate(float(means.mean()), low, high, effect.n_trials, len(means), rules.level)
    over = "over retrainings" if len(estimates) > 1 else "over test trials of one retraining"
    statement = (
        f"trained on permuted images it scores {effect} above chance {over}, trained on the true ones {home.mean:.3f} "
        f"({len(estimates)} permutations)."
    )
    return Verdict.of(name, question, judge_absence(effect, home, rules), statement, effect, reference=home)


def judge_permuted_images(results: xr.Dataset, rules: ControlsConfig) -> Verdict:
    """Whether the decoder scores higher than it does with the images permuted among the test trials of a run."""
    name = "permuted_labels:test"
    question = "Does the decoder score higher than with the test images permuted within runs?"
    from tempgen.generalization.statistics.permutation import max_statistic_test

    metric = metric_of_verdicts(results, rules)
    home = mean_effect(home_effect(results, rules), rules)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a p out of reach is said below
            test = max_statistic_test(results, metric, decoder="general", alpha=rules.alpha)
    except ResultsError as error:
        return undecided(name, question, str(error))
    general_delta = int(results.attrs.get("general_delta", 0))
    at = test.sel(test_delta=general_delta)
    p, null, n = float(at["p_uncorrected"]), float(at["null_mean"]), int(test.attrs["n_permutations"])
    reachable = float(test.attrs["smallest_p"]) <= rules.alpha
    word: VerdictWord = "not decided"
    if p <= rules.alpha:
        word = "passed"
    elif reachable and home.is_known and home.low > 0:
        word = "failed"  # above the assumed chance level, and not above what permuted images score
    statement = (
        f"the score is {float(at['score']):.3f}, with permuted images {null:.3f} on average, p = {p:.3g} "
        f"({n} permutations)."
    )
    return Verdict.of(name, question, word, statement, home, p=p)
