"""Controls of the split: what a decoder gains by images that it was trained on, and by volumes that trials share."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.controls import ControlsConfig
from tempgen.generalization.controls.effects import effect_difference, home_effect, mean_effect
from tempgen.generalization.controls.verdict import Verdict, VerdictWord, judge_absence

__all__ = ["judge_neighbours", "judge_repetition"]


def judge_repetition(
    without: tuple[xr.Dataset, xr.Dataset],
    dropped: tuple[NDArray[np.int64], NDArray[np.int64]],
    results: xr.Dataset,
    rules: ControlsConfig,
    *,
    disjoint: bool,
    n_copies: int = 0,
) -> Verdict:
    """Whether an image scores higher for having been trained on, and whether the analysis is safe from that.

    Two decoders, each trained without one half of the repeated images: every repeated image is new to one of them and known
    to the other, so that the difference is paired by image and both decoders have as much to train on.

    Parameters
    ----------
    without : tuple of two Datasets
        Their results on the same test trials at ``general_delta``.
    dropped : tuple of two arrays of int
        Images that each was trained without: the halves of the test images that occur in training.
    results : Dataset
        Of the analysis' own decoder.
    disjoint : bool
        Whether the analysis' own split keeps images apart.
    n_copies : int
        Test images of which a copy under another name is trained on by the analysis.
    """
    name, question = "repetition", "Is the score free of images that were trained on?"
    home = mean_effect(home_effect(results, rules), rules)
    first, second = (home_effect(one, rules) for one in without)
    in_first, in_second = (np.isin(first["image_id"].values, images) for images in dropped)
    new = xr.where(in_first, first, second.values).where(in_first | in_second)
    known = xr.where(in_first, second.values, first).where(in_first | in_second)
    gain = effect_difference(
        known.assign_coords(unit=first["unit"]), new.assign_coords(unit=first["unit"]), rules
    )
    gained = f"an image that was trained on scores {gain} more than the same one when it was not ({gain.n_trials} trials)"
    # a split that keeps images apart is safe whatever they would have gained, unless one is there twice
    word: VerdictWord = "passed"
    if n_copies:
        word, start = "failed", f"{n_copies} test images have a copy under another name in training"
    elif disjoint:
        start = "no image serves training and test"
    else:
        word, start = judge_absence(gain, home, rules), "images may serve training and test"
    return Verdict.of(name, question, word, f"{start}; {gained}.", gain, reference=home)


def judge_neighbours(
    by_run: xr.Dataset, by_trial: xr.Dataset, rules: ControlsConfig, *, own: str, n_shared: int
) -> Verdict:
    """Whether a split by trial, whose training and test windows share volumes, scores higher than one by run.

    Parameters
    ----------
    by_run, by_trial : Dataset
        Results of both at ``general_delta``; about as many test trials, not the same ones.
    own : {"by run", "by trial"}
        Which of them is the analysis' own.
    n_shared : int
        Training trials that share volumes with test windows in the analysis' own split.
    """
    name, question = "neighbours", "Is the score free of volumes that training and test trials share?"
    run, trial = (home_effect(one, rules) for one in (by_run, by_trial))
    home = mean_effect(run if own == "by run" else trial, rules)
    gain = effect_difference(trial, run, rules)
    word: VerdictWord = "passed" if n_shared == 0 else judge_absence(gain, home, rules)
    shared = (
        "no training trial shares a volume with a test window"
        if n_shared == 0
        else f"{n_shared} training trials share volumes with test windows"
    )
    statement = (
        f"{shared}; split by trial the image scores {float(trial.mean()):.3f} above chance, by run {float(run.mean()):.3f}, "
        f"a difference of {gain}."
    )
    return Verdict.of(name, question, word, statement, gain, reference=home)
