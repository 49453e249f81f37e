"""Each control as a step: the results that it needs of an analysis' variants, and the verdicts on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config import Analysis
from tempgen.config.controls import CONTROLS, ControlsConfig
from tempgen.data.store import has_images, label_names_of, read_seen_images
from tempgen.data.trial_selection import trials_where
from tempgen.errors import ResultsError, SourceDataError, SplitError, StoreError
from tempgen.generalization.controls import (
    Verdict,
    VerdictWord,
    judge_after_blank,
    judge_before_onset,
    judge_motion,
    judge_neighbours,
    judge_no_overlap,
    judge_part,
    judge_permuted_images,
    judge_previous_image,
    judge_repetition,
    judge_retrained,
    judge_roi,
    undecided,
)
from tempgen.workflow.control_variants import Variants
from tempgen.workflow.evaluation import evaluate_decoders
from tempgen.workflow.places import Places
from tempgen.workflow.recording import prepare_recording
from tempgen.workflow.training import train_decoders
from tempgen.workflow.trial_sets import TrialSets

NEXT_ONLY, PREVIOUS_ONLY = "after_blank and not before_blank", "before_blank and not after_blank"
_COPY_BLOCK = 500  # images read at once: 75 MB at 224 pixels a side


def judged(runner: ControlRunner, name: str) -> Iterator[Verdict]:
    """Verdicts of one control; one that these data do not allow decides nothing and says why."""
    try:
        yield from _STEPS[name](runner)
    except (ResultsError, SplitError) as error:
        yield undecided(name, f"{CONTROLS[name][0].upper()}{CONTROLS[name][1:]}", str(error))


@dataclass
class ControlRunner:
    """Results of variants as controls ask for them, each trained and scored once."""

    variants: Variants
    store_is_given: bool
    overwrite: bool
    _found: dict[str, xr.Dataset] = field(default_factory=dict)

    @property
    def rules(self) -> ControlsConfig:
        """How verdicts are reached."""
        return self.variants.rules

    @property
    def home(self) -> xr.Dataset:
        """Result of the analysis itself, trained and tested at ``general_delta``."""
        return self.results(self.variants.home())

    def results(self, part: Analysis, store: xr.Dataset | None = None) -> xr.Dataset:
        """Trained and scored, or found."""
        key = str(Places(part).folder)
        if key not in self._found:
            store = self.variants.store if store is None else store
            train_decoders(part, part.fitted_deltas, store=store, say=_silent, overwrite=self.overwrite)
            self._found[key] = evaluate_decoders(part, store=store, say=_silent, overwrite=self.overwrite)
        return self._found[key]

    def chosen(self, results: xr.Dataset, condition: str) -> NDArray[np.bool_]:
        """Which trials of a result fulfil a condition on the store's trials, shape (n_trials,)."""
        trials, store = self.variants.trials, self.variants.store
        try:
            fulfil = trials_where(trials, condition, key="a control", label_names=label_names_of(store))
        except ValueError:  # none of the trials is such a trial
            return np.zeros(results.sizes["trial"], dtype=bool)
        there = set(zip(trials["run"][fulfil], trials["onset_tr"][fulfil], strict=True))
        pairs = zip(results["run"].values.tolist(), results["onset_tr"].values.tolist(), strict=True)
        return np.array([pair in there for pair in pairs], dtype=bool)


def _silent(_: str) -> None:
    """What the steps of a variant say."""


def _before_onset(runner: ControlRunner) -> Iterator[Verdict]:
    results, rules = runner.results(runner.variants.before_onset()), runner.rules
    isolated = runner.chosen(results, "after_blank")
    if isolated.any():
        yield judge_before_onset(
            results.isel(trial=np.flatnonzero(isolated)),
            rules,
            name="before_onset:isolated",
            of_trials="trials that no image precedes",
        )
    yield judge_before_onset(results, rules)


def _previous_image(runner: ControlRunner) -> Iterator[Verdict]:
    results = runner.results(runner.variants.previous_image())
    yield judge_previous_image(results, runner.rules, shift=runner.variants.shift)


def _permuted_labels(runner: ControlRunner) -> Iterator[Verdict]:
    retrained = [
        runner.results(*runner.variants.permuted(number)) for number in range(runner.rules.n_retrainings)
    ]
    yield judge_retrained(retrained, runner.home, runner.rules)
    yield judge_permuted_images(runner.home, runner.rules)


def _one_neighbour(runner: ControlRunner) -> Iterator[Verdict]:
    home = runner.home
    for side, condition in (("next", NEXT_ONLY), ("previous", PREVIOUS_ONLY)):
        yield judge_part(
            home,
            runner.chosen(home, condition),
            runner.rules,
            name=f"one_neighbour:{side}",
            of_trials=f"trials with a {side} image only",
        )


def _after_blank(runner: ControlRunner) -> Iterator[Verdict]:
    yield judge_after_blank(runner.home, runner.chosen(runner.home, "after_blank"), runner.rules)


def _no_overlap(runner: ControlRunner) -> Iterator[Verdict]:
    yield judge_no_overlap(runner.results(runner.variants.matrix()), runner.rules)


def _repetition(runner: ControlRunner) -> Iterator[Verdict]:
    name, question = "repetition", "Is the score free of images that were trained on?"
    variants = runner.variants
    if not has_images(variants.store):
        yield undecided(name, question, "the store has labels, which recur by design, and no images.")
        return
    own = TrialSets.of(variants.home(), variants.store).split
    n_copies = _n_copies(
        variants.store, variants.trials["image_id"].to_numpy(), train=own.train, test=own.test
    )
    halves = variants.repeated_images()
    if min(len(half) for half in halves) == 0:
        word: VerdictWord = "failed" if n_copies else "passed"
        reason = f"no test image is shown in training runs, {n_copies} have a copy under another name there."
        yield Verdict(name, question, word, reason)
        return
    without = (
        runner.results(variants.without(halves[0], "without-one")),
        runner.results(variants.without(halves[1], "without-other")),
    )
    yield judge_repetition(
        without, halves, runner.home, runner.rules, disjoint=own.image_disjoint, n_copies=n_copies
    )


def _n_copies(
    store: xr.Dataset, shown: NDArray[np.int64], *, train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> int:
    """Test images whose picture is, under another image_id, also one of training; ``shown`` (n_trials,) by trial."""
    tested, trained = np.unique(shown[test]), np.unique(shown[train])
    digests = {"test": _digests(store, tested), "train": _digests(store, trained)}
    known: dict[bytes, set[int]] = {}
    for image, digest in zip(trained.tolist(), digests["train"], strict=True):
        known.setdefault(digest, set()).add(image)
    pairs = zip(tested.tolist(), digests["test"], strict=True)
    return sum(bool(known.get(digest, set()) - {image}) for image, digest in pairs)


def _digests(store: xr.Dataset, images: NDArray[np.int64]) -> list[bytes]:
    found: list[bytes] = []
    for first in range(0, len(images), _COPY_BLOCK):
        pixels = read_seen_images(store, images[first : first + _COPY_BLOCK])
        found += [hashlib.blake2b(picture.tobytes(), digest_size=16).digest() for picture in pixels]
    return found


def _neighbours(runner: ControlRunner) -> Iterator[Verdict]:
    home, other = runner.home, runner.results(runner.variants.other_split())
    by_trial = runner.variants.analysis.split.kind == "interleaved"
    yield judge_neighbours(
        other if by_trial else home,
        home if by_trial else other,
        runner.rules,
        own="by trial" if by_trial else "by run",
        n_shared=int(home.attrs["n_train_sharing_volumes"]),
    )


def _motion(runner: ControlRunner) -> Iterator[Verdict]:
    variants = runner.variants
    part, store, question = (
        variants.motion(),
        variants.store,
        "Does the motion of the head tell nothing of the image?",
    )
    if "motion" not in store:
        with suppress(StoreError, SourceDataError):
            if not runner.store_is_given:
                inputs = {"inputs": part.inputs}
                store = prepare_recording(variants.analysis.model_copy(update=inputs), say=_silent)
    if "motion" not in store:
        yield undecided("motion", question, "the recording comes without motion parameters.")
        return
    yield judge_motion(runner.results(part, store), runner.home, runner.rules)


def _rois(runner: ControlRunner) -> Iterator[Verdict]:
    variants = runner.variants
    regions = variants.rois()
    if not regions:
        yield undecided(
            "rois", "Which regions carry it?", "the store has no atlas: name regions in controls.rois."
        )
    for name, condition in regions.items():
        part = variants.roi(name, condition)
        columns = TrialSets.of(part, variants.store).inputs.columns
        n_voxels = 0 if columns is None else int(columns.sum())
        yield judge_roi(runner.results(part), runner.home, runner.rules, roi=name, n_voxels=n_voxels)


_STEPS: dict[str, Callable[[ControlRunner], Iterator[Verdict]]] = {
    "before_onset": _before_onset,
    "previous_image": _previous_image,
    "permuted_labels": _permuted_labels,
    "one_neighbour": _one_neighbour,
    "after_blank": _after_blank,
    "no_overlap": _no_overlap,
    "repetition": _repetition,
    "neighbours": _neighbours,
    "motion": _motion,
    "rois": _rois,
}
