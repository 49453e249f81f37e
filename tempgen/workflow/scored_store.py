"""Scores of a store of reconstructions: a result by lag, read and scored cell by cell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tempgen._version import __version__
from tempgen.config.evaluation import EvaluationConfig
from tempgen.errors import ResultsError
from tempgen.generalization.evaluate import (
    AVERAGED,
    TRIAL_COORDS,
    Cell,
    gather_scores,
    score_predictions,
)
from tempgen.generalization.permutations import Permutations
from tempgen.generalization.scorers import ImageScorer
from tempgen.metrics import ImageScores
from tempgen.reconstructions import open_reconstructions
from tempgen.results import RESULTS_FORMAT, export_netcdf, metrics_of, open_results, recipe_of, write_results
from tempgen.windows import Window
from tempgen.workflow.permuted import permutations_of, permutations_recipe
from tempgen.workflow.places import is_done
from tempgen.workflow.recording import Say
from tempgen.workflow.scored_cells import ScoredCells
from tempgen.workflow.suites import (
    ScoringOptions,
    score_line,
    suite_attrs,
    suite_recipe,
)

_TARGETS = {"previous": "previous_image", "current": "image_id", "next": "next_image"}
_OF_THE_STORE = ("reconstructions_format", "recipe", "metrics")
"""Attributes of a store that say nothing of its scores."""
_WINDOW = ("start_tr", "n_tr", "tr_s")


def score_store(path: Path, *, options: ScoringOptions) -> xr.Dataset:
    """Score a store; parameters, result and errors as of `tempgen.workflow.score_reconstructions`."""
    out, say = options.out, options.say
    store = open_reconstructions(path)
    chosen = options.suite_for(str(store.attrs.get("data_kind", "")))
    trials, window, cells = _trials(store, path), _window(store, path), _computed(store, path)
    permuted = EvaluationConfig()
    recipe = {
        "reconstructions": _fingerprint(store, cells),
        "scoring": suite_recipe(chosen),
        "permutations": permutations_recipe(permuted.n_permutations, seed=permuted.seed),
    }
    if out is not None and out.exists():
        there = open_results(out)
        if is_done(recipe_of(there), recipe, what=out, overwrite=options.overwrite, remake="tempgen score"):
            say(f"{out} is done")
            _say_scores(there, say)
            return there
    n_images, image_size = store.sizes["image"], store.sizes["row"]
    say(
        f"{path}: {len(cells)} cells, {len(trials)} trials, {n_images} distinct seen images, suite {chosen.name}"
    )
    images = options.beside(_as_floats(store["seen"].to_numpy()), chosen)
    scorer = ImageScorer(suite=images, image_ids=store["image_of"].to_numpy())
    targets = [name for name, column in _TARGETS.items() if column in trials and (trials[column] >= 0).any()]
    done = (
        None
        if out is None
        else ScoredCells.begin(out, recipe, overwrite=options.overwrite, remake="tempgen score")
    )
    permutations = permutations_of(trials, permuted.n_permutations, seed=permuted.seed)
    scored = dict(
        _scored(
            store,
            cells,
            scorer=scorer,
            trials=trials,
            targets=targets,
            permutations=permutations,
            done=done,
        )
    )
    results = gather_scores(
        scored.items(),
        metrics=scorer.metrics,
        trials=trials,
        targets=targets,
        train_deltas=store["train_delta"].to_numpy().tolist(),
        test_deltas=store["test_delta"].to_numpy().tolist(),
        window=window,
        permutations=permutations,
    )
    results = _described(results, store, recipe).assign_attrs(suite_attrs(chosen, image_size=image_size))
    _say_scores(results, say)
    if done is not None and out is not None:
        write = export_netcdf if out.suffix == ".nc" else write_results
        write(results, out)
        done.remove()
        say(f"wrote {out}")
    return results


def _scored(
    store: xr.Dataset,
    cells: Sequence[Cell],
    *,
    scorer: ImageScorer,
    trials: pd.DataFrame,
    targets: Sequence[str],
    permutations: Permutations | None,
    done: ScoredCells | None,
) -> Iterator[tuple[Cell, ImageScores]]:
    """Scores of all cells: those that a stopped command left, then the others as they are read."""
    found = {cell: scores for cell in cells if done is not None and (scores := done.read(cell)) is not None}
    yield from found.items()
    missing = [cell for cell in cells if cell not in found]

    def read() -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        for cell in tqdm(missing, desc="score", unit="cell", disable=None):
            yield *cell, _as_floats(_cell_of(store, cell))

    decoded = score_predictions(
        read(), scorer=scorer, trials=trials, targets=targets, permutations=permutations
    )
    for cell, scores in decoded:
        if done is not None:
            done.write(cell, scores)
        yield cell, scores


def _as_floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(255)


def _cell_of(store: xr.Dataset, cell: Cell) -> NDArray[np.uint8]:
    train, test = cell
    return np.asarray(store["reconstruction"].sel(train_delta=train, test_delta=test).to_numpy())


def _trials(store: xr.Dataset, path: Path) -> pd.DataFrame:
    """Table of the store's trials, with the images of each and of its neighbours where the store knows them.

    Raises
    ------
    ResultsError
        If columns are missing, or an image that a trial showed is not among the seen ones.
    """
    lacking = [name for name in TRIAL_COORDS if name not in store]
    if lacking:
        raise ResultsError(
            f"{path} lacks {', '.join(lacking)} of its trials, which a result names: make it with 'tempgen reconstruct', or "
            "score its images as a folder of pairs."
        )
    others = (AVERAGED, "previous_image", "next_image")
    columns = [*TRIAL_COORDS, *(name for name in others if name in store)]
    trials = pd.DataFrame({name: store[name].to_numpy() for name in columns})
    shown = trials[[name for name in _TARGETS.values() if name in trials]].to_numpy()
    unknown = np.setdiff1d(shown[shown >= 0], store["image_of"].to_numpy())
    if unknown.size or (trials["image_id"] < 0).any():
        raise ResultsError(
            f"{path} has trials of images that are not among its seen ones (image_id {unknown[:5].tolist()}): it is damaged, "
            "make it again with 'tempgen reconstruct --overwrite'."
        )
    return trials


def _window(store: xr.Dataset, path: Path) -> Window:
    lacking = [name for name in _WINDOW if name not in store.attrs]
    if lacking:
        raise ResultsError(
            f"{path} does not say its window ({', '.join(lacking)}): make it with 'tempgen reconstruct'."
        )
    return Window(int(store.attrs["start_tr"]), int(store.attrs["n_tr"]), float(store.attrs["tr_s"]))


def _computed(store: xr.Dataset, path: Path) -> list[Cell]:
    trains, tests = store["train_delta"].to_numpy(), store["test_delta"].to_numpy()
    cells = [
        (int(trains[row]), int(tests[column])) for row, column in np.argwhere(store["computed"].to_numpy())
    ]
    if not cells:
        raise ResultsError(f"{path} holds no reconstructions: none of its cells was computed.")
    return cells


def _fingerprint(store: xr.Dataset, cells: Sequence[Cell]) -> str:
    """Changes with how the store was made, its seen images, trials and cells, and the images of its first cell."""
    digest = blake2b(str(store.attrs.get("recipe", "")).encode() + str(cells).encode(), digest_size=8)
    for name in ("seen", "image_of", *(name for name in _TARGETS.values() if name in store)):
        digest.update(store[name].to_numpy().tobytes())
    digest.update(_cell_of(store, cells[0]).tobytes())
    return digest.hexdigest()


def _described(results: xr.Dataset, store: xr.Dataset, recipe: dict[str, Any]) -> xr.Dataset:
    """The result with the store's attributes, and its subject with each trial."""
    attrs = {name: value for name, value in store.attrs.items() if name not in _OF_THE_STORE}
    if "subject" in attrs:
        subject = np.full(results.sizes["trial"], attrs["subject"], dtype=object)
        results = results.assign_coords(subject=("trial", subject))
    return results.assign_attrs(
        attrs
        | {
            "metrics": ",".join(metrics_of(results)),
            "scored_from": "reconstructions kept as bytes",
            "recipe": json.dumps(recipe, sort_keys=True),
            "results_format": RESULTS_FORMAT,
            "tempgen_version": __version__,
        }
    )


def _say_scores(results: xr.Dataset, say: Say) -> None:
    """Mean, SEM and chance of the General decoder at lag 0, or at the lag nearest to it that it was tested at."""
    general = int(results.attrs.get("general_delta", 0))
    names = metrics_of(results)
    target = "current" if "current" in results["target"] else str(results["target"][0].item())
    scores = results.sel(target=target)
    there = scores[names[0]].notnull().any("trial").to_numpy()
    deltas = [(int(train), int(test)) for train, test in _there(results, there)]
    train, test = min(deltas, key=lambda cell: (cell[0] != general, abs(cell[1]), cell))
    say(f"  trained at delta {train}, tested at delta {test}:")
    for name in names:
        cell = scores[name].sel(train_delta=train, test_delta=test)
        chance = results[f"{name}_chance"].sel(train_delta=train, test_delta=test)
        say("  " + score_line(cell, chance=float(chance)))


def _there(results: xr.Dataset, there: NDArray[np.bool_]) -> Iterator[tuple[Any, Any]]:
    for row, column in np.argwhere(there):
        yield results["train_delta"][row].item(), results["test_delta"][column].item()
