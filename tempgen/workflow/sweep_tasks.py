"""The tasks of analyses, and which of them are done: one training for each train lag, one evaluation for each row of the matrix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from tempgen.config import Analysis, differences
from tempgen.config.files import validate
from tempgen.config.signal import SignalConfig
from tempgen.decoders import decoder_provenance
from tempgen.errors import ConfigError, SweepError
from tempgen.files import remove_folder
from tempgen.result_cells import CellFiles
from tempgen.results import open_results, recipe_of
from tempgen.sweep.code import code_hash
from tempgen.sweep.record import Record
from tempgen.sweep.status import SWEEP
from tempgen.sweep.task import Task
from tempgen.workflow.cells import cells_of
from tempgen.workflow.diffusion import recipe_of_run
from tempgen.workflow.evaluation import evaluate_rows, evaluation_recipe
from tempgen.workflow.places import Places
from tempgen.workflow.recording import prepare_recording
from tempgen.workflow.training import needs_general, train_decoders
from tempgen.workflow.trial_sets import TrialSets

TRAINING_CODE = (
    "windows",
    "data/decoder_inputs",
    "data/splits",
    "data/store",
    "data/window_dataset",
    "decoders",
    "models",
    "training",
)
"""Parts of the package that determine a decoder, given its store and configuration."""
SCORING_CODE = (*TRAINING_CODE, "generalization/evaluate", "generalization/scorers", "metrics")
"""Parts that determine its scores."""
MODULE = "tempgen.workflow.sweep_tasks"


@dataclass(frozen=True)
class Part:
    """An analysis of a sweep.

    Attributes
    ----------
    analysis : Analysis
    recording : Path, optional
        Folder of its store, where several analyses share one; else the analysis' own.
    label : str
        Names it among others.
    trained_in : Path, optional
        Folder of the analysis that trains its decoders; its own unless given.
    """

    analysis: Analysis
    recording: Path | None = None
    label: str = ""
    trained_in: Path | None = None

    @property
    def recorded(self) -> Analysis:
        """The analysis in whose folder the store is."""
        if self.recording is None:
            return self.analysis
        return self.analysis.model_copy(update={"folder": self.recording})

    def open(self) -> xr.Dataset:
        """Its store, prepared if it is not there.

        Raises
        ------
        ConfigError
            If the store of another analysis is in the way.
        """
        return prepare_recording(self.recorded, say=_silent)

    def task(self, name: str, kind: str, call: str, **of_the_task: Any) -> Task:
        """A task of this analysis."""
        arguments = {
            "analysis": self.analysis.model_dump(mode="json"),
            "recording": None if self.recording is None else str(self.recording),
            **of_the_task.pop("arguments", {}),
        }
        folder = of_the_task.pop("home", Places(self.analysis).folder) / SWEEP / name
        label = f"{self.label}: {name}" if self.label else name
        return Task(label, kind, f"{MODULE}:{call}", arguments, folder=folder, **of_the_task)


@dataclass(frozen=True)
class Planned:
    """A task, and why it runs or does not.

    Attributes
    ----------
    task : Task
    why : str
        ``"new"``, ``"done"``, or what there is of it.
    changed : tuple of str
        ``key: old -> new``: what is there was made with another analysis, and is in the way.
    stale : tuple of Path
        What is removed if it is to be made again.
    other_code : bool
        What is there is of this analysis, and was made by other code of this package.
    """

    task: Task
    why: str = "new"
    changed: tuple[str, ...] = ()
    stale: tuple[Path, ...] = ()
    other_code: bool = False


def prepare(analysis: dict[str, Any], recording: str | None) -> None:
    """Prepare the store of an analysis; as the two below what workers call, with plain values."""
    _opened(analysis, recording)


def train(analysis: dict[str, Any], recording: str | None, delta: int) -> None:
    """Train the decoder of one lag; begun before, it goes on where it was."""
    loaded, store = _opened(analysis, recording)
    train_decoders(loaded, [delta], store=store)


def evaluate(analysis: dict[str, Any], recording: str | None, delta: int) -> None:
    """Score the decoder of one lag at all its test lags."""
    loaded, store = _opened(analysis, recording)
    evaluate_rows(loaded, [delta], store=store)


def _opened(analysis: dict[str, Any], recording: str | None) -> tuple[Analysis, xr.Dataset]:
    loaded = validate(Analysis, analysis, origin="a task of the sweep")
    part = Part(loaded, None if recording is None else Path(recording))
    return loaded, part.open()


def plan_recordings(parts: Sequence[Part], *, overwrite: bool = False) -> list[Planned]:
    """Stores that are not there yet, each once.

    Raises
    ------
    ConfigError
        If the store of another data section is in the way and ``overwrite`` is off.
    """
    planned: dict[tuple[Path, str], Planned] = {}
    for part in parts:
        places, kind = Places(part.recorded), part.analysis.signal.kind
        if (places.folder, kind) in planned:
            continue
        found = _planned_recording(part, places, overwrite=overwrite)
        if found is not None:
            name = "prepare" if kind == "bold" else f"prepare-{kind}"
            before = [one.task.folder for (home, _), one in planned.items() if home == places.folder]
            task = part.task(
                name,
                "prepare",
                "prepare",
                home=places.folder,
                recipe={"data": part.analysis.data.model_dump(mode="json"), "signal": kind},
                makes=[places.store, places.signal_store],
                needs=before,
            )
            why, stale = found
            planned[places.folder, kind] = Planned(task, why, stale=stale)
    return list(planned.values())


def _planned_recording(part: Part, places: Places, *, overwrite: bool) -> tuple[str, tuple[Path, ...]] | None:
    """Why a store is to be made, and what makes room for it; None if it is there."""
    if not places.store.exists():
        return "new", ()
    bold = replace(part, analysis=part.analysis.model_copy(update={"signal": SignalConfig()}))
    own = (places.dataset,) if part.analysis.data.path is None else ()
    stale: tuple[Path, ...] = (places.store, places.signal_store, *own)
    try:
        bold.open()
        if not places.signal_store.exists():
            return f"new: {part.analysis.signal.kind}", ()
        if part.analysis.signal.kind != "bold":
            stale = (places.signal_store,)
            part.open()
    except ConfigError as error:
        if not overwrite:
            raise
        return f"made again: {error}".splitlines()[0], stale
    return None


def plan_trainings(
    part: Part, sets: TrialSets, deltas: Sequence[int], *, n_processes: int = 1
) -> list[Planned]:
    """One training for each lag, the General decoder's among them where others start from it."""
    analysis, places = part.analysis, Places(part.analysis)
    general = analysis.training.general_delta
    from_general = needs_general(analysis)
    wanted = sorted({*deltas, *([general] if from_general and deltas else [])})
    code, shared = code_hash(*TRAINING_CODE), sets.training_recipe()
    tasks = {}
    for delta in wanted:
        name = f"train{delta:+03d}"
        tasks[delta] = part.task(
            name,
            "train",
            "train",
            arguments={"delta": delta},
            recipe={**shared, "train_delta": delta, "code": code},
            makes=[places.decoder(delta)],
            needs=[places.folder / SWEEP / f"train{general:+03d}"]
            if from_general and delta != general
            else [],
            processes=n_processes if analysis.decoder.kind == "dynadiff" else 1,
        )
    return [_planned_training(task, places, delta) for delta, task in tasks.items()]


def _planned_training(task: Task, places: Places, delta: int) -> Planned:
    folder, begun = places.decoder(delta), places.training(delta)
    wanted = {key: value for key, value in task.recipe.items() if key != "code"}
    if folder.exists():
        made_with = json.loads(str(decoder_provenance(folder).get("recipe", "{}")))
    elif (begun / "checkpoints").exists():
        run = recipe_of_run(begun)
        made_with = wanted if run is None else {key: run.get(key) for key in wanted}
    else:
        return Planned(task)
    changed = tuple(differences(made_with, wanted))
    if changed:
        return Planned(task, "changed", changed, stale=(folder, begun))
    return _by_code(Planned(task, "done" if folder.exists() else "goes on"), stale=(folder, begun))


def plan_evaluations(part: Part, sets: TrialSets) -> list[Planned]:
    """One evaluation for each train lag: the row of its decoder."""
    analysis, places = part.analysis, Places(part.analysis)
    recipe, cells, files = evaluation_recipe(sets), cells_of(sets), CellFiles.of(Places(analysis).results)
    there = recipe_of(open_results(places.results)) if places.results.exists() else None
    begun = None if there is not None else files.plan()
    code = code_hash(*SCORING_CODE)
    planned = []
    for delta in sorted({train for train, _ in cells}):
        row = sorted(cell for cell in cells if cell[0] == delta)
        task = part.task(
            f"evaluate{delta:+03d}",
            "evaluate",
            "evaluate",
            arguments={"delta": delta},
            recipe={**recipe, "row": delta, "code": code},
            makes=[files.path(cell) for cell in row],
            instead=places.results,
            needs=[(part.trained_in or places.folder) / SWEEP / f"train{delta:+03d}"],
        )
        made_with = there if there is not None else begun
        if made_with is None:
            planned.append(Planned(task))
            continue
        changed = tuple(differences(made_with, recipe))
        if changed:
            planned.append(Planned(task, "changed", changed, stale=(places.results, files.folder)))
            continue
        n_read = len(row) if there is not None else sum(files.read(cell) is not None for cell in row)
        why = "done" if n_read == len(row) else f"{n_read} of {len(row)} cells are there"
        own = (places.results, *(files.path(cell) for cell in row))
        planned.append(_by_code(Planned(task, why), stale=own) if n_read else Planned(task))
    return planned


def _by_code(there: Planned, *, stale: tuple[Path, ...]) -> Planned:
    """Whether what is there was made, or begun, by this code, as far as its record says."""
    record, before = Record(there.task.folder), None
    if there.why == "done":
        before = (record.done() or {}).get("recipe", {}).get("code")
    elif record.has_task:
        with suppress(SweepError):  # a task of another version
            before = record.task().recipe.get("code")
    now = there.task.recipe["code"]
    if before in (None, now):
        return there
    changed = (f"code of tempgen: {before!r} -> {now!r}",)
    return Planned(there.task, "changed", changed, stale, other_code=True)


def remove_stale(planned: Planned) -> None:
    """Make room for what is made again."""
    for path in planned.stale:
        if path.is_dir():
            remove_folder(path)
        else:
            path.unlink(missing_ok=True)


def _silent(_: str) -> None:
    """What is said of a store that is there."""
