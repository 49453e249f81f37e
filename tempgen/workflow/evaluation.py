"""Step 4 of an analysis: score its decoders at shifted windows, and keep the reconstructions that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempgen.config import Analysis, fingerprint
from tempgen.config.decoder import sampling_recipe
from tempgen.generalization.evaluate import Cell, gather_scores, score_predictions
from tempgen.generalization.headline import headline
from tempgen.generalization.permutations import Permutations
from tempgen.generalization.scorers import Scorer
from tempgen.metrics import ImageScores
from tempgen.reconstructions import ReconstructionWriter
from tempgen.results import metrics_of, open_results, recipe_of, write_results
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
    general_delta = analysis.training.general_delta
    n_permutations = analysis.evaluation.n_permutations if "current" in analysis.evaluation.targets else 0
    recipe: dict[str, Any] = {
        **sets.recipe(),
        "train_deltas": list(folders),
        "test_deltas": list(analysis.evaluated_deltas),
        "general_delta": general_delta,
        "evaluation": analysis.evaluation.model_dump(mode="json", exclude=ELSEWHERE | CHANGE_NO_SCORE),
        "scoring": scoring_recipe(sets),
        "permutations": permutations_recipe(n_permutations, seed=analysis.evaluation.seed),
        **({"sampling": sampling} if (sampling := sampling_recipe(analysis.decoder)) else {}),
    }
    if analysis.evaluation.max_trials is not None:
        chosen = np.flatnonzero(sets.evaluated()).tolist()
        recipe["evaluated"] = {"n_trials": len(chosen), "fingerprint": fingerprint(chosen)}
    if places.results.exists():
        results = open_results(places.results)
        if is_done(
            recipe_of(results), recipe, what=places.results, overwrite=overwrite, remake="tempgen evaluate"
        ):
            say(f"{places.results} is done")
            if analysis.evaluation.keep_reconstructions != "none":
                reconstruct_images(analysis, store=store, say=say, overwrite=overwrite)
            return results
    windows = sets.windows("test")
    shown = shown_images(sets)
    trials = shown.loc[windows.table.index]
    keep = analysis.evaluation.keep_reconstructions != "none"
    writer = begin_reconstructions(sets, say=say, overwrite=overwrite) if keep else None
    scorer, cells = scorer_of(sets, shown), cells_of(sets)
    permutations = permutations_of(trials, n_permutations, seed=analysis.evaluation.seed)
    scored = dict(
        _scored(
            sets,
            folders,
            cells,
            scorer=scorer,
            trials=trials,
            permutations=permutations,
            recipe=recipe,
            writer=writer,
        )
    )
    if writer is not None:
        writer.finish()
        say(
            f"{places.reconstructions}: {len(writer.cells)} cells, {int(kept_trials(sets).sum())} test trials"
        )
    results = gather_scores(
        scored.items(),
        metrics=scorer.metrics,
        trials=trials,
        targets=analysis.evaluation.targets,
        train_deltas=list(folders),
        test_deltas=analysis.evaluated_deltas,
        window=sets.window,
        permutations=permutations,
    )
    results.attrs["metrics"] = ",".join(metrics_of(results))
    results = results.assign_coords(
        subject=("trial", np.full(len(windows), store.attrs["subject"], dtype=object))
    )
    attrs = {
        **attributes_of(sets, n_evaluated=len(windows)),
        **scoring_attrs(sets),
        "recipe": json.dumps(recipe, sort_keys=True),
    }
    results = results.assign_attrs(attrs)
    write_results(results, places.results)
    ScoredCells.begin(places.results, recipe).remove()
    of_all = f" of {int(sets.split.test.sum())}" if analysis.evaluation.max_trials is not None else ""
    say(f"{places.results}: {len(cells)} cells, {len(windows)}{of_all} test trials")
    for line in headline(results):
        say(f"  {line}")
    return open_results(places.results)


def _scored(
    sets: TrialSets,
    folders: Mapping[int, Path],
    cells: set[Cell],
    *,
    scorer: Scorer,
    trials: Any,
    permutations: Permutations | None,
    recipe: Mapping[str, Any],
    writer: ReconstructionWriter | None,
) -> Iterator[tuple[Cell, ImageScores]]:
    """Scores of all cells: those of an evaluation that was stopped, then the others as they are decoded and kept."""
    done = ScoredCells.begin(Places(sets.analysis).results, recipe)
    found = {cell: scores for cell in cells if (scores := done.read(cell)) is not None}
    unkept = writer.missing if writer is not None else set()
    yield from ((cell, scores) for cell, scores in found.items() if cell not in unkept)
    missing = {cell for cell in cells if cell not in found} | unkept
    windows = sets.windows("test")
    kept = kept_trials(sets)[windows.table.index] if writer is not None else None

    def keeping() -> Iterator[tuple[int, int, Any]]:
        for train, test, decoded in decoded_cells(sets, folders, windows, missing, desc="evaluate"):
            if writer is not None and (train, test) in unkept:
                writer.write((train, test), decoded[kept])
            yield train, test, decoded

    targets = sets.analysis.evaluation.targets
    decoded = score_predictions(
        keeping(), scorer=scorer, trials=trials, targets=targets, permutations=permutations
    )
    for cell, scores in decoded:
        done.write(cell, scores)
        yield cell, scores
