"""Reconstructions that are kept beside their seen images: a store of images, told in size before it is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from tempgen.config import Analysis
from tempgen.config.decoder import sampling_recipe
from tempgen.data.store import read_seen_images
from tempgen.decoders import area_average
from tempgen.errors import ConfigError
from tempgen.generalization.evaluate import lag_coords
from tempgen.reconstructions import ReconstructionWriter, as_bytes, check_room, open_reconstructions
from tempgen.workflow.attributes import attributes_of
from tempgen.workflow.cells import cells_of, decoded_cells
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.scoring import images_of, scored_size, shown_images
from tempgen.workflow.training import trained_deltas
from tempgen.workflow.trial_sets import TrialSets

KEEP_KEYS = ("evaluation.keep_reconstructions", "evaluation.max_kept_gb")


def reconstruct_images(
    analysis: Analysis,
    deltas: Sequence[int] | None = None,
    *,
    store: xr.Dataset | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> xr.Dataset:
    """Write the reconstructions that ``evaluation.keep_reconstructions`` asks for (of all trials where it says none).

    Nothing is scored, what is there is kept. Killed and started again it goes on with the cells that are missing.

    Parameters
    ----------
    deltas : sequence of int, optional
        Which of the analysis' test lags (TRs); all of them unless given.

    Returns
    -------
    xarray.Dataset
        As :func:`tempgen.reconstructions.open_reconstructions` gives it.

    Raises
    ------
    ConfigError
        If the analysis decodes labels, or reconstructions of another analysis are in the way.
    ResultsError
        If they would take more room than ``evaluation.max_kept_gb``.
    DecoderError
        If a decoder that is needed was not trained.
    """
    store = prepare_recording(analysis, say=say, overwrite=overwrite) if store is None else store
    sets = TrialSets.of(analysis, store)
    path = Places(analysis).reconstructions
    writer = begin_reconstructions(sets, deltas, say=say, overwrite=overwrite)
    if writer is None:
        say(f"{path} is done")
        return open_reconstructions(path)
    folders = trained_deltas(analysis, sets)
    windows = sets.tested_windows(kept_trials(sets))
    for train, test, images in decoded_cells(sets, folders, windows, writer.missing, desc="reconstruct"):
        writer.write((train, test), images)
    writer.finish()
    say(f"{path}: {len(writer.cells)} cells, {len(windows)} test trials")
    return open_reconstructions(path)


def kept_trials(sets: TrialSets) -> Any:
    """Test trials whose reconstructions are kept, array of bool (n_trials_of_store,): a part of those that are scored."""
    keep = sets.analysis.evaluation.keep_reconstructions
    return sets.evaluated(keep if isinstance(keep, int) else None)


def begin_reconstructions(
    sets: TrialSets, deltas: Sequence[int] | None = None, *, say: Say, overwrite: bool
) -> ReconstructionWriter | None:
    """The store to write reconstructions at some test lags to, new or unfinished; None if it is done.

    Raises
    ------
    ConfigError
        If the decoder gives labels, or reconstructions of another analysis are in the way.
    ResultsError
        If there is no room.
    """
    if sets.predicts == "labels":
        raise ConfigError("This store has labels and no images: there is nothing to reconstruct.")
    analysis, path, size = sets.analysis, Places(sets.analysis).reconstructions, scored_size(sets)
    tests = tuple(analysis.evaluated_deltas if deltas is None else deltas)
    cells, trials = cells_of(sets, tests), kept_trials(sets)
    recipe = {
        **sets.recipe(),
        "cells": sorted(map(list, cells)),
        "trials": np.flatnonzero(trials).tolist(),
        "image_size": size,
        "sampling": sampling_recipe(analysis.decoder),
        **({"repetitions": "average"} if analysis.evaluation.repetitions == "average" else {}),
    }
    if path.exists():
        made_with = json.loads(open_reconstructions(path).attrs["recipe"])
        if is_done(made_with, recipe, what=path, overwrite=overwrite, remake="tempgen reconstruct"):
            return None
    room = check_room(
        n_cells=len(cells),
        n_trials=int(trials.sum()),
        image_size=size,
        limit_gb=analysis.evaluation.max_kept_gb,
        keys=KEEP_KEYS,
    )
    say(f"{room} in {path}")
    return ReconstructionWriter.begin(
        path, _layout(sets, trials, tests), cells=cells, image_size=size, recipe=recipe
    )


def _layout(sets: TrialSets, trials: Any, tests: Sequence[int]) -> xr.Dataset:
    """Coordinates, seen images and attributes of the store of reconstructions."""
    analysis = sets.analysis
    table = shown_images(sets).loc[np.flatnonzero(trials)]
    image_ids = images_of(table)
    seen = as_bytes(area_average(read_seen_images(sets.store, image_ids), scored_size(sets)))
    coords = lag_coords(table, ("current",), analysis.evaluated_train_deltas, tests, sets.window)
    del coords["target"]
    coords |= {name: ("trial", table[name].to_numpy()) for name in ("previous_image", "next_image")}
    return xr.Dataset(
        {"seen": (("image", "row", "column", "rgb"), seen, {"long_name": "seen image", "units": "1"})},
        coords={**coords, "image_of": ("image", image_ids)},
        attrs=attributes_of(sets, n_evaluated=len(table)),
    )
