"""Controls of time: windows before onset, and windows that hold the trial before."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from tempgen.config.controls import ControlsConfig
from tempgen.generalization.controls.effects import (
    cluster_test_of_verdicts,
    effect_by_trial,
    effect_difference,
    home_effect,
    mean_effect,
    metric_of_verdicts,
)
from tempgen.generalization.controls.verdict import Verdict, VerdictWord, judge_absence, undecided
from tempgen.generalization.selection import Decoder
from tempgen.windows import format_deltas

__all__ = ["deltas_before_onset", "judge_before_onset", "judge_previous_image"]


def deltas_before_onset(results: xr.Dataset) -> list[int]:
    """Test lags whose windows end with the last volume before the onset's, or earlier.

    Those that decoders were trained at where there are any: the General decoder is judged at the same lags.
    """
    end = int(results.attrs["start_tr"]) + int(results.attrs["n_tr"])
    before = [int(delta) for delta in results["test_delta"].values if end + delta <= 0]
    return [delta for delta in before if delta in results.train_delta] or before


def judge_before_onset(
    results: xr.Dataset, rules: ControlsConfig, *, name: str = "before_onset", of_trials: str = "all trials"
) -> Verdict:
    """Whether the image is absent from windows that end before it was shown.

    Judged are the General decoder and those trained at these very lags, each by its mean over the lags before onset and by
    the cluster test over them (p doubled, for two decoders); the graver verdict is given.

    Parameters
    ----------
    results : Dataset
        With lags before onset among test and training lags; of the trials that are asked about.
    of_trials : str
        Which trials these are, for the statement.
    """
    question = f"Is the image absent from windows that end before it was shown ({of_trials})?"
    deltas = deltas_before_onset(results)
    if not deltas:
        return undecided(name, question, "No window of these lags ends before onset.")
    general_delta = int(results.attrs.get("general_delta", 0))
    cells: dict[Decoder, list[tuple[int, int]]] = {
        "general": [(general_delta, delta) for delta in deltas],
        "specialized": [(delta, delta) for delta in deltas if delta in results.train_delta],
    }
    home = mean_effect(home_effect(results, rules), rules)
    found = []
    for decoder in (name for name, of_decoder in cells.items() if of_decoder):
        effect = mean_effect(effect_by_trial(results, rules, cells[decoder]), rules)
        p = _cluster_p(results.sel(test_delta=deltas), rules, decoder=decoder)
        p = min(1.0, p * sum(map(bool, cells.values())))
        found.append((judge_absence(effect, home, rules, p=p), decoder, effect, p))
    # the gravest, and of equally grave ones the larger effect
    grave: tuple[VerdictWord, ...] = ("passed", "not decided", "failed")
    word, decoder, effect, p = max(found, key=lambda one: (grave.index(one[0]), np.nan_to_num(one[2].mean)))
    who = "the General decoder scores" if decoder == "general" else "decoders trained there score"
    statement = (
        f"in windows of {of_trials} at lags {format_deltas(deltas)}, which end before onset, {who} {effect} above chance"
        f"{'' if math.isnan(p) else f', p = {p:.3g}'}; at lag {general_delta} it is {home.mean:.3f} ({effect.n_trials} trials)."
    )
    return Verdict.of(name, question, word, statement, effect, reference=home, p=p)


def _cluster_p(results: xr.Dataset, rules: ControlsConfig, *, decoder: Decoder) -> float:
    """Smallest cluster p of a decoder over lags; NaN if the units are too few for any test."""
    test = cluster_test_of_verdicts(results, rules, decoder=decoder)
    if test is None or 2 * float(test.attrs["smallest_p"]) > rules.alpha:  # the interval is all there is
        return math.nan
    return float(test["cluster_p"].min()) if test.sizes["cluster_number"] else 1.0


def judge_previous_image(results: xr.Dataset, rules: ControlsConfig, *, shift: int) -> Verdict:
    """Whether windows that are shifted back by one trial show the previous image, and not the current one.

    Parameters
    ----------
    results : Dataset
        With the General decoder at ``general_delta - shift``, compared with previous and current images.
    shift : int
        From one onset to the next (TRs).
    """
    name, question = (
        "previous_image",
        "Do windows shifted back by one trial show the previous image, not the current one?",
    )
    general_delta = int(results.attrs.get("general_delta", 0))
    delta = general_delta - shift
    if delta not in results.test_delta or not {"previous", "current"} <= set(
        results["target"].values.tolist()
    ):
        return undecided(
            name, question, f"Lag {delta} was not compared with the previous and the current image."
        )
    metric = metric_of_verdicts(results, rules)
    there = results[metric].sel(train_delta=general_delta, test_delta=delta, target="previous").notnull()
    if int(there.sum()) < 3:
        return undecided(
            name, question, "Fewer than three test trials have a previous image that was not trained on."
        )
    both = results.isel(trial=np.flatnonzero(there.values))
    previous, current = (
        effect_by_trial(both, rules, [(general_delta, delta)], target=target, against="chance")
        for target in ("previous", "current")
    )
    difference = effect_difference(previous, current, rules)
    word: VerdictWord = "not decided"
    if difference.is_known:
        word = "passed" if difference.low > 0 else "failed" if difference.high < 0 else "not decided"
    statement = (
        f"at lag {delta} the previous image scores {float(previous.mean()):.3f} above chance and the current one "
        f"{float(current.mean()):.3f}, a difference of {difference} ({difference.n_trials} trials)."
    )
    return Verdict.of(name, question, word, statement, difference)
