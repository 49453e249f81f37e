"""Training of Dynadiff decoders, lag by lag: one backbone in memory, one cache of encoded images, resumable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tempgen.config.decoder import RidgeConfig
from tempgen.data.store import read_seen_images
from tempgen.data.window_dataset import WindowDataset
from tempgen.files import remove_folder
from tempgen.workflow.backbones import check_training_device, encoded_seen_images, open_backbone
from tempgen.workflow.places import Places
from tempgen.workflow.processes import is_main_process, main_process_first
from tempgen.workflow.recording import Say
from tempgen.workflow.trial_sets import TrialSets

if TYPE_CHECKING:
    from tempgen.config.dynadiff import DynadiffConfig
    from tempgen.decoders.dynadiff import DynadiffDecoder, DynadiffModule, EncodedImages
    from tempgen.models.backbone import Backbone
    from tempgen.training import TrainingOutcome

BESIDE_RIDGE = RidgeConfig(target="tokens", alpha_per_target=True)
"""Ridge that a warm start begins with. Source: reference measurements, penalties per token value."""


def train_dynadiff_lags(
    sets: TrialSets, deltas: Sequence[int], *, recipe: dict[str, Any], say: Say, overwrite: bool
) -> Iterator[tuple[int, DynadiffDecoder, dict[str, Any]]]:
    """Train at each lag, the General decoder's first, and go on with a lag that was begun.

    Parameters
    ----------
    deltas : sequence of int
        Train lags (TRs).
    recipe : dict
        What determines the decoders beside their lag.
    overwrite : bool
        Forget checkpoints.

    Yields
    ------
    (int, DynadiffDecoder, dict)
        Train lag, decoder and what is worth saying of its training.
    """
    from tempgen.decoders.dynadiff import (
        DynadiffDecoder,
        DynadiffTask,
        DynadiffTrials,
        check_ridge_start,
        hold_out_runs,
    )
    from tempgen.training import train

    config, places = _config(sets), Places(sets.analysis)
    check_training_device(sets.analysis.training.device)
    general_delta = sets.analysis.training.general_delta
    windows = sets.windows("train")
    held = hold_out_runs(
        windows.table["run"].to_numpy(), fraction=config.validation_fraction, seed=config.optimization.seed
    )
    backbone = open_backbone(sets)
    check_ridge_start(config, backbone.spec, n_voxels=windows.n_voxels, n_tr=windows.window.n_tr)
    image_ids = windows.table["image_id"].to_numpy()
    with main_process_first():
        encoded = encoded_seen_images(sets, backbone, image_ids, with_tokens=_needs_tokens(config))
    say(
        f"backbone {backbone.spec.name} ({backbone.spec.revision[:12]}); {int((~held).sum())} trials train, "
        f"{int(held.sum())} of {len(np.unique(windows.table['run'][held]))} runs watch the training"
    )
    ordered = sorted(deltas, key=lambda delta: (delta != general_delta, delta))
    for number, delta in enumerate(ordered, start=1):
        kind = "General" if delta == general_delta else "Specialized"
        module, start = _started(sets, backbone, encoded, windows, delta, held=held)
        said = f"{kind} decoder, lag {delta:+d} ({number} of {len(ordered)}), starts from {start['started_from']}"
        say(
            said
            + (f" (keeps {start['kept_share']:.1%} of its weights' norm)" if "kept_share" in start else "")
        )

        def trials(chosen: Any, delta: int = delta) -> DynadiffTrials:
            rows = np.flatnonzero(chosen)
            return DynadiffTrials(
                windows=lambda some: windows.windows_of(rows[some], delta),
                image_ids=image_ids[rows],
                keys=windows.table.index.to_numpy()[rows],
                images=encoded,
            )

        task = DynadiffTask(
            module,
            trials(~held),
            held_out=trials(held) if held.any() else None,
            seen=lambda ids: read_seen_images(sets.store, ids),
            recipe={**recipe, "train_delta": delta, "started_from": start["started_from"]},
            name=f"lag {delta:+d}",
        )
        outcome = train(task, config.optimization, places.training(delta), say=say, overwrite=overwrite)
        yield delta, DynadiffDecoder.from_module(module), {**start, "metrics": _metrics(outcome)}
        # the decoder is saved: of its training only the curves are kept
        if is_main_process():
            remove_folder(places.training(delta) / "checkpoints")


def recipe_of_run(folder: Path) -> dict[str, Any] | None:
    """What determines the unfinished training in a folder; None where its last checkpoint does not say so."""
    states = sorted((folder / "checkpoints").glob("step-*/state.json"))
    try:
        return dict(json.loads(states[-1].read_text(encoding="utf-8"))["recipe"]["task"])
    except (IndexError, KeyError, ValueError, FileNotFoundError):  # training says what is wrong
        return None


def _config(sets: TrialSets) -> DynadiffConfig:
    config = sets.analysis.decoder
    if config.kind != "dynadiff":
        raise TypeError(f"decoder.kind is {config.kind}")
    return config


def _needs_tokens(config: DynadiffConfig) -> bool:
    starts = (config.warm_start, config.specialized_from)
    return "ridge" in starts or config.token_loss > 0 or config.validation_fraction > 0


def _started(
    sets: TrialSets,
    backbone: Backbone,
    encoded: EncodedImages,
    windows: WindowDataset,
    delta: int,
    *,
    held: Any,
) -> tuple[DynadiffModule, dict[str, Any]]:
    """A module to train at a lag, and where it starts: from scratch, from ridge at this lag, or from the General decoder."""
    from tempgen.decoders.dynadiff import (
        DynadiffDecoder,
        module_from_decoder,
        module_from_scratch,
        start_from_ridge,
    )

    config, places = _config(sets), Places(sets.analysis)
    general_delta = sets.analysis.training.general_delta
    start: str = config.warm_start if delta == general_delta else config.specialized_from
    if start == "general":
        general = DynadiffDecoder.from_pretrained(places.decoder(general_delta), backbone)
        return module_from_decoder(general, config), {"started_from": "the General decoder"}
    module = module_from_scratch(
        backbone,
        config,
        subject=str(sets.store.attrs["subject"]),
        n_voxels=windows.n_voxels,
        n_tr=windows.window.n_tr,
    )
    if start != "ridge":
        return module, {"started_from": "scratch"}
    kept = start_from_ridge(
        module, _ridge_to_tokens(sets, encoded, windows, delta, rows=np.flatnonzero(~held))
    )
    return module, {"started_from": "ridge to the true tokens", "kept_share": round(kept, 4)}


def _ridge_to_tokens(
    sets: TrialSets, encoded: EncodedImages, windows: WindowDataset, delta: int, *, rows: Any
) -> Any:
    """Ridge from windows of one lag to flattened tokens, on some of the training trials."""
    from tempgen.decoders.target_components import fit_component_lags, token_blocks

    table = windows.table.iloc[rows]
    tokens = encoded.tokens_of(encoded.rows(table["image_id"].to_numpy()))
    ((_, fit),) = fit_component_lags(
        lambda offset: windows.volume(offset)[rows],
        tokens.flatten(1).numpy(),
        blocks=token_blocks(tokens.shape[2]),
        deltas=[delta],
        start_tr=windows.window.start_tr,
        n_tr=windows.window.n_tr,
        alphas=BESIDE_RIDGE.alphas,
        groups=table["run"].to_numpy(),
        n_folds=BESIDE_RIDGE.n_folds,
        device=sets.analysis.training.device,
    )
    return fit


def _metrics(outcome: TrainingOutcome) -> dict[str, Any]:
    """What the model card says of a training."""
    metrics: dict[str, Any] = {
        "steps": outcome.n_steps,
        "chosen_step": outcome.chosen_step,
        "kept": outcome.keep,
    }
    metrics |= {name: value for name, value in outcome.scores.items() if name != "monitor"}
    if outcome.loss is not None:
        metrics["training_loss"] = outcome.loss
    return metrics | {
        "seconds_since_it_last_started": round(outcome.seconds, 1),
        "samples_per_second": round(outcome.samples_per_second, 1),
    }
