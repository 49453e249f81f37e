"""Step 4 of an analysis: score its decoders at shifted windows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from tempgen.config import Analysis
from tempgen.data.store import trials_of
from tempgen.data.window_dataset import WindowDataset
from tempgen.decoders import load_decoder, predict_lags
from tempgen.generalization.evaluate import (
    cells_to_score,
    evaluate_predictions,
)
from tempgen.generalization.headline import headline
from tempgen.metrics import IDENTIFICATION_DIRECTION
from tempgen.results import metrics_of, open_results, recipe_of, write_results
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.scoring import check_scoring, scorer_of, shown_images
from tempgen.workflow.training import trained_deltas
from tempgen.workflow.trial_sets import TrialSets


def evaluate_decoders(
    analysis: Analysis, *, store: xr.Dataset | None = None, say: Say = print, overwrite: bool = False
) -> xr.Dataset:
    """Score the analysis' decoders and write the result, unless it is there.

    Raises
    ------
    DecoderError
        If a decoder that the analysis needs was not trained.
    ConfigError
        If a result of another analysis is in the way, or a metric does not exist.
    """
    store = prepare_recording(analysis, say=say, overwrite=overwrite) if store is None else store
    places, sets = Places(analysis), TrialSets.of(analysis, store)
    check_scoring(sets)
    folders = trained_deltas(analysis, sets)
    general_delta = analysis.training.general_delta
    recipe: dict[str, Any] = {
        **sets.recipe(),
        "train_deltas": list(folders),
        "test_deltas": list(analysis.evaluated_deltas),
        "general_delta": general_delta,
        "evaluation": analysis.evaluation.model_dump(mode="json"),
    }
    if places.results.exists():
        results = open_results(places.results)
        if is_done(
            recipe_of(results), recipe, what=places.results, overwrite=overwrite, remake="tempgen evaluate"
        ):
            say(f"{places.results} is done")
            return results
    windows = sets.windows("test")
    shown = shown_images(sets)
    cells = cells_to_score(
        list(folders),
        analysis.evaluated_deltas,
        general_delta=general_delta,
        matrix=analysis.evaluation.matrix,
    )
    decoders = {delta: load_decoder(folder) for delta, folder in folders.items()}
    predictions = predict_lags(
        decoders,
        windows.volume,
        test_deltas=analysis.evaluated_deltas,
        start_tr=sets.window.start_tr,
        cells=cells,
        device=analysis.training.device,
    )
    results = evaluate_predictions(
        tqdm(predictions, total=len(cells), desc="evaluate", unit="cell", disable=None),
        scorer=scorer_of(sets, shown),
        trials=shown,
        targets=analysis.evaluation.targets,
        train_deltas=list(folders),
        test_deltas=analysis.evaluated_deltas,
        window=sets.window,
    )
    results.attrs["metrics"] = ",".join(metrics_of(results))
    results = results.assign_coords(
        subject=("trial", np.full(len(windows), store.attrs["subject"], dtype=object))
    )
    write_results(results.assign_attrs(_attrs(sets, windows, recipe)), places.results)
    say(f"{places.results}: {len(cells)} cells, {len(windows)} test trials")
    for line in headline(results):
        say(f"  {line}")
    return open_results(places.results)


def _attrs(sets: TrialSets, windows: WindowDataset, recipe: dict[str, Any]) -> dict[str, Any]:
    """How the result was made; numbers and text only, so that netCDF keeps them."""
    table, attrs = windows.table, sets.store.attrs
    gaps = trials_of(sets.store).groupby("run")["onset_s"].diff().dropna()
    return {
        "title": f"tempgen: {sets.analysis.name}",
        "subject": attrs["subject"],
        "data_kind": attrs["data_kind"],
        **{key: value for key, value in attrs.items() if key.startswith("note_")},
        "decoder": sets.analysis.decoder.kind,
        "decoder_target": sets.target_spec.kind,
        "signal": "bold",
        "identification_direction": IDENTIFICATION_DIRECTION,
        "general_delta": sets.analysis.training.general_delta,
        "tr_s": sets.window.tr_s,
        "start_tr": sets.window.start_tr,
        "n_tr": sets.window.n_tr,
        "window": sets.window.describe(),
        "stimulus_duration_s": float(table["duration_s"].median()),
        "soa_s": float(gaps.median()) if len(gaps) else float("nan"),
        "split": sets.split.kind,
        "split_fingerprint": sets.split.fingerprint,
        "image_disjoint": int(sets.split.image_disjoint),
        **sets.split.counts,
        "recipe": json.dumps(recipe, sort_keys=True),
        "analysis": sets.analysis.model_dump_json(),
    }
