"""Step 4 of an analysis: score its decoders at shifted windows, and keep the reconstructions that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.config import Analysis, fingerprint
from tempgen.config.decoder import sampling_recipe
from tempgen.generalization.evaluate import Cell, gather_scores, score_predictions
from tempgen.generalization.headline import headline
from tempgen.generalization.permutations import Permutations
from tempgen.generalization.scorers import Scorer
from tempgen.metrics import ImageScores
from tempgen.reconstructions import ReconstructionWriter
from tempgen.results import describe_scored, metrics_of, open_results, recipe_of, write_results
from tempgen.workflow.attributes import attributes_of
from tempgen.workflow.cells import cells_of, decoded_cells
from tempgen.workflow.permuted import permutations_of, permutations_recipe
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.reconstruction import begin_reconstructions, kept_trials, reconstruct_images
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.scored_cells import ScoredCells
from tempgen.workflow.scoring import check_scoring, scorer_of, scoring_attrs, scoring_recipe, shown_images
from tempgen.workflow.training import trained_deltas
from tempgen.workflow.trial_sets import TrialSets

ELSEWHERE = {
    "train_deltas",
    "seed",
    "repetitions",
    "max_trials",
    "suite",
    "metrics",
    "identification",
    "segmentation",
    "n_permutations",
}
"""Keys of the evaluation whose effect stands in the recipe by itself: which trials are scored, by what."""
CHANGE_NO_SCORE = {"keep_reconstructions", "max_kept_gb", "device", "feature_cache"}


def evaluate_decoders(
    analysis: Analysis, *, store: xr.Dataset | None = None, say: Say = print, overwrite: bool = False
) -> xr.Dataset:
    """Score the analysis' decoders and write the result, unless it is there.

    Raises
    ------
    DecoderError
        If a decoder that the analysis needs was not trained.
    ConfigError
        If a result of another analysis is in the way, or a suite or metric does not exist.
    MetricError
        If a network of the suite cannot be opened.
    """
    store = prepare_recording(analysis, say=say, overwrite=overwrite) if store is None else store
    places, sets = Places(analysis), TrialSets.of(analysis, store)
    check_scoring(sets)
    folders = trained_deltas(analysis, sets)
    recipe = evaluation_recipe(sets)
    if places.results.exists():
        results = open_results(places.results)
        if is_done(
            recipe_of(results), recipe, what=places.results, overwrite=overwrite, remake="tempgen evaluate"
        ):
            say(f"{places.results} is done")
            if analysis.evaluation.keep_reconstructions != "none":
                reconstruct_images(analysis, store=store, say=say, overwrite=overwrite)
            return results
    evaluation = _Evaluation.begin(sets, say=say, overwrite=overwrite)
    scored = dict(evaluation.scored(folders))
    if evaluation.writer is not None:
        evaluation.writer.finish()
        say(
            f"{places.reconstructions}: {len(evaluation.writer.cells)} cells, {int(kept_trials(sets).sum())} test trials"
        )
    results = evaluation.gathered(scored)
    n_trials, n_cells = len(evaluation.trials), len(evaluation.cells)
    write_results(results, places.results)
    evaluation.done.remove()
    of_all = f" of {int(sets.split.test.sum())}" if n_trials < sets.split.test.sum() else ""
    say(f"{places.results}: {n_cells} cells, {n_trials}{of_all} test trials")
    if analysis.evaluation.repetitions != "all":
        say(f"  {describe_scored(results)}")
    for line in headline(results):
        say(f"  {line}")
    return open_results(places.results)


def begin_evaluation(analysis: Analysis, *, store: xr.Dataset, overwrite: bool = False) -> None:
    """Make the places that several processes will write cells to, unless the result is there.

    Raises
    ------
    ConfigError
        If cells or reconstructions of another analysis are in the way and ``overwrite`` is off.
    """
    sets = TrialSets.of(analysis, store)
    if Places(analysis).results.exists():
        return
    ScoredCells.begin(Places(analysis).results, evaluation_recipe(sets), overwrite=overwrite)
    if analysis.evaluation.keep_reconstructions != "none":
        begin_reconstructions(sets, say=_silent, overwrite=overwrite)


def _silent(_: str) -> None:
    """What is said of places."""


def evaluate_rows(
    analysis: Analysis,
    train_deltas: Sequence[int],
    *,
    store: xr.Dataset,
    say: Say = print,
) -> None:
    """Score some of the analysis' decoders at all their test lags, and keep the cells for :func:`evaluate_decoders`.

    Several processes may do so at the same time, also for the same rows.

    Parameters
    ----------
    analysis : Analysis
    train_deltas : sequence of int
        Rows of the matrix (TRs), whose decoders are trained.
    store : xarray.Dataset
        The analysis' store.

    Raises
    ------
    DecoderError
        If a decoder was not trained.
    ConfigError
        If cells of another analysis are in the way.
    """
    sets = TrialSets.of(analysis, store)
    folders = trained_deltas(analysis, sets, train_deltas)
    evaluation = _Evaluation.begin(sets, say=say, overwrite=False)
    for _ in evaluation.scored(folders):
        pass


def evaluation_recipe(sets: TrialSets) -> dict[str, Any]:
    """What determines the analysis' result, as plain values."""
    analysis = sets.analysis
    recipe: dict[str, Any] = {
        **sets.recipe(),
        "train_deltas": list(analysis.evaluated_train_deltas),
        "test_deltas": list(analysis.evaluated_deltas),
        "general_delta": analysis.training.general_delta,
        "evaluation": analysis.evaluation.model_dump(mode="json", exclude=ELSEWHERE | CHANGE_NO_SCORE),
        "scoring": scoring_recipe(sets),
        "permutations": permutations_recipe(_n_permutations(analysis), seed=analysis.evaluation.seed),
        **({"sampling": sampling} if (sampling := sampling_recipe(analysis.decoder)) else {}),
    }
    repetitions = analysis.evaluation.repetitions
    if analysis.evaluation.max_trials is not None or repetitions != "all":
        chosen = np.flatnonzero(sets.evaluated()).tolist()
        recipe["evaluated"] = {"n_trials": len(chosen), "fingerprint": fingerprint(chosen)}
        if repetitions != "all":
            recipe["evaluated"]["repetitions"] = repetitions
    return recipe


def _n_permutations(analysis: Analysis) -> int:
    return analysis.evaluation.n_permutations if "current" in analysis.evaluation.targets else 0


@dataclass(frozen=True)
class _Evaluation:
    """An evaluation that was begun: what scores its cells, and where they and their reconstructions are kept."""

    sets: TrialSets
    recipe: Mapping[str, Any]
    trials: pd.DataFrame
    cells: set[Cell]
    scorer: Scorer
    permutations: Permutations | None
    writer: ReconstructionWriter | None
    done: ScoredCells

    @classmethod
    def begin(cls, sets: TrialSets, *, say: Say, overwrite: bool) -> _Evaluation:
        analysis, recipe = sets.analysis, evaluation_recipe(sets)
        done = ScoredCells.begin(Places(analysis).results, recipe, overwrite=overwrite)
        shown = shown_images(sets)
        trials = shown.loc[np.flatnonzero(sets.evaluated())]
        keep = analysis.evaluation.keep_reconstructions != "none"
        return cls(
            sets,
            recipe,
            trials,
            cells_of(sets),
            scorer_of(sets, shown),
            permutations_of(trials, _n_permutations(analysis), seed=analysis.evaluation.seed),
            begin_reconstructions(sets, say=say, overwrite=overwrite) if keep else None,
            done,
        )

    def scored(self, folders: Mapping[int, Path]) -> Iterator[tuple[Cell, ImageScores]]:
        """Scores of the cells of some decoders: those that are there, then the others as they are decoded and kept."""
        writer, cells = self.writer, {cell for cell in self.cells if cell[0] in folders}
        found = {cell: scores for cell in cells if (scores := self.done.read(cell)) is not None}
        unkept = {cell for cell in writer.missing if cell in cells} if writer is not None else set()
        yield from ((cell, scores) for cell, scores in found.items() if cell not in unkept)
        missing = {cell for cell in cells if cell not in found} | unkept
        windows = self.sets.windows("test")
        kept = kept_trials(self.sets)[windows.table.index] if writer is not None else None

        def keeping() -> Iterator[tuple[int, int, Any]]:
            for train, test, decoded in decoded_cells(self.sets, folders, windows, missing, desc="evaluate"):
                if writer is not None and (train, test) in unkept:
                    writer.write((train, test), decoded[kept])
                yield train, test, decoded

        decoded = score_predictions(
            keeping(),
            scorer=self.scorer,
            trials=self.trials,
            targets=self.sets.analysis.evaluation.targets,
            permutations=self.permutations,
        )
        for cell, scores in decoded:
            if not self.done.files.has_layout:
                self.done.files.write_layout(self.gathered({cell: scores}), self.cells)
            self.done.write(cell, scores)
            yield cell, scores

    def gathered(self, scored: Mapping[Cell, ImageScores]) -> xr.Dataset:
        """The result that cells make up."""
        analysis, sets, n_trials = self.sets.analysis, self.sets, len(self.trials)
        results = gather_scores(
            scored.items(),
            metrics=self.scorer.metrics,
            trials=self.trials,
            targets=analysis.evaluation.targets,
            train_deltas=list(analysis.evaluated_train_deltas),
            test_deltas=analysis.evaluated_deltas,
            window=sets.window,
            permutations=self.permutations,
        )
        results.attrs["metrics"] = ",".join(metrics_of(results))
        results = results.assign_coords(
            subject=("trial", np.full(n_trials, sets.store.attrs["subject"], dtype=object)),
            signal=sets.store.attrs.get("signal", "bold"),
        )
        attrs = {
            **attributes_of(sets, n_evaluated=n_trials),
            **scoring_attrs(sets),
            "recipe": json.dumps(self.recipe, sort_keys=True),
        }
        return results.assign_attrs(attrs)
