"""Step 3 of an analysis: fit a decoder at each train lag."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from tqdm.auto import tqdm

from tempgen.config import Analysis
from tempgen.decoders import decoder_provenance, fit_lags
from tempgen.errors import DecoderError
from tempgen.windows import format_deltas
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.processes import is_main_process, main_process_first
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.ridge_targets import ridge_targets
from tempgen.workflow.scoring import check_scoring, check_scoring_networks
from tempgen.workflow.trial_sets import TrialSets


def train_decoders(
    analysis: Analysis,
    deltas: Sequence[int],
    *,
    store: xr.Dataset | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> list[Path]:
    """Fit one decoder for each train lag and save each as soon as it is fitted; those that are there are kept.

    Parameters
    ----------
    analysis : Analysis
    deltas : sequence of int
        Train lags (TRs): ``[general_delta]`` for the General decoder, ``training.deltas`` for the Specialized ones.
    store : xarray.Dataset, optional
        The analysis' store; prepared if None.
    overwrite : bool
        Fit again what another analysis made in the same folder.

    Returns
    -------
    list of Path
        The decoders' folders, in the order of ``deltas``.

    Raises
    ------
    ConfigError
        If a decoder of another analysis is in the way.
    """
    say = say if is_main_process() else _silent
    if store is None:
        with main_process_first():
            store = prepare_recording(analysis, say=say, overwrite=overwrite and is_main_process())
    places, sets = Places(analysis), TrialSets.of(analysis, store)
    check_scoring(sets)
    say(sets.window.describe())
    say(sets.split.describe())
    if sets.inputs.recipe(analysis.inputs):
        say(sets.inputs.describe())
    recipe = sets.training_recipe()
    waiting = [
        delta
        for delta in deltas
        if not _is_trained(places.decoder(delta), {**recipe, "train_delta": delta}, overwrite=overwrite)
    ]
    if len(waiting) < len(deltas):
        done = format_deltas(set(deltas) - set(waiting))
        say(f"decoders at lags {done} are there")
    if waiting:
        check_scoring_networks(sets)
        if _starts_from_general(analysis, waiting):
            general = analysis.training.general_delta
            if not _is_trained(
                places.decoder(general), {**recipe, "train_delta": general}, overwrite=overwrite
            ):
                waiting = [general, *waiting]
        for delta, decoder, said in _fitted(sets, waiting, recipe=recipe, say=say, overwrite=overwrite):
            provenance = {**_provenance(sets, {**recipe, "train_delta": delta}), **said}
            with main_process_first():
                if is_main_process():
                    decoder.save_pretrained(places.decoder(delta), provenance=provenance)
        say(f"trained at lags {format_deltas(waiting)}: {places.decoder(waiting[0]).parent}")
    return [places.decoder(delta) for delta in deltas]


def _silent(_: str) -> None:
    """What processes other than the main one say."""


def needs_general(analysis: Analysis) -> bool:
    """Whether the General decoder must be there before others are trained."""
    return analysis.decoder.kind == "dynadiff" and analysis.decoder.specialized_from == "general"


def _starts_from_general(analysis: Analysis, deltas: Sequence[int]) -> bool:
    """Whether the General decoder must be there before decoders of these lags are trained, and is not among them."""
    return needs_general(analysis) and analysis.training.general_delta not in deltas


def _fitted(
    sets: TrialSets, deltas: Sequence[int], *, recipe: dict[str, Any], say: Say, overwrite: bool
) -> Iterator[tuple[int, Any, dict[str, Any]]]:
    """Decoders as they are trained, with what is worth saying of it."""
    config = sets.analysis.decoder
    if config.kind == "dynadiff":
        from tempgen.workflow.diffusion import train_dynadiff_lags

        yield from train_dynadiff_lags(sets, deltas, recipe=recipe, say=say, overwrite=overwrite)
        return
    windows = sets.windows("train")
    values, meaning = ridge_targets(sets, windows)
    fitted = fit_lags(
        config,
        windows.volume,
        values,
        deltas=deltas,
        window=sets.window,
        groups=windows.table["run"].to_numpy(),
        target=meaning,
        device=sets.analysis.training.device,
    )
    for delta, decoder in tqdm(fitted, total=len(deltas), desc="train", unit="lag", disable=None):
        yield delta, decoder, {}


def trained_deltas(
    analysis: Analysis, sets: TrialSets, deltas: Sequence[int] | None = None
) -> dict[int, Path]:
    """Folders of decoders by train lag: of those that the analysis' evaluation needs, or of some of them.

    Raises
    ------
    DecoderError
        If one is missing; the message says which command makes it.
    ConfigError
        If one was made by another analysis.
    """
    places, recipe = Places(analysis), sets.training_recipe()
    wanted = analysis.evaluated_train_deltas if deltas is None else deltas
    missing = [
        delta
        for delta in wanted
        if not _is_trained(places.decoder(delta), {**recipe, "train_delta": delta}, overwrite=False)
    ]
    if missing:
        raise DecoderError(
            f"No decoder was trained at lags {format_deltas(missing)} (looked in {places.decoder(0).parent}): "
            f"run 'tempgen train-specialized --delta {format_deltas(missing)}' first."
        )
    return {delta: places.decoder(delta) for delta in wanted}


def _is_trained(folder: Path, recipe: dict[str, Any], *, overwrite: bool) -> bool:
    if not folder.exists():
        return False
    try:
        made_with = json.loads(str(decoder_provenance(folder).get("recipe", "{}")))
    except DecoderError:
        if overwrite:
            return False
        raise
    return is_done(made_with, recipe, what=folder, overwrite=overwrite, remake="tempgen train-specialized")


def _provenance(sets: TrialSets, recipe: dict[str, Any]) -> dict[str, Any]:
    """What a decoder's model card says of its making."""
    attrs = sets.store.attrs
    return {
        "recipe": json.dumps(recipe, sort_keys=True),
        "subject": attrs["subject"],
        "data_kind": attrs["data_kind"],
        **{key: value for key, value in attrs.items() if key.startswith("note_")},
        "train_delta": recipe["train_delta"],
        "window": sets.window.describe(),
        **({"inputs": sets.inputs.describe()} if sets.inputs.recipe(sets.analysis.inputs) else {}),
        "split": sets.split.kind,
        **sets.split.counts,
    }
