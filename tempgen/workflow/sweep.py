"""Analyses as a sweep: planned, run by worker processes or a cluster, gathered. Finished work is never repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tempgen.config import Analysis
from tempgen.config.launcher import LauncherConfig
from tempgen.config.study import Study
from tempgen.sweep.record import Record
from tempgen.sweep.status import SWEEP
from tempgen.workflow.evaluation import begin_evaluation, evaluate_decoders
from tempgen.workflow.places import Places
from tempgen.workflow.recording import Say
from tempgen.workflow.scoring import check_scoring
from tempgen.workflow.shared_decoders import find_decoders
from tempgen.workflow.sweep_driver import BegunSweep, to_run
from tempgen.workflow.sweep_tasks import (
    Part,
    Planned,
    plan_evaluations,
    plan_recordings,
    plan_trainings,
)
from tempgen.workflow.trial_sets import TrialSets


def sweep_analyses(
    analyses: Sequence[Part | Analysis],
    launcher: LauncherConfig,
    *,
    train: bool = True,
    evaluate: bool = True,
    deltas: Sequence[int] | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> bool:
    """Train and evaluate analyses as tasks of a sweep, and gather their results; what is done is kept.

    Stopped, killed or detached from at any moment, the same call goes on: it finds tasks that run, and begins none twice.

    Parameters
    ----------
    analyses : sequence of Part or Analysis
        Of one study, or of several subjects.
    launcher : LauncherConfig
        ``processes`` or ``slurm``.
    train, evaluate : bool
        Which tasks.
    deltas : sequence of int, optional
        Train lags (TRs); all that the analyses fit unless given.
    say : callable
        Receives a line for each thing worth knowing.
    overwrite : bool
        Make again what another analysis, or other code, made in the same folders.

    Returns
    -------
    bool
        True if everything is done; False if jobs of a cluster go on without this process.

    Raises
    ------
    SweepError
        If a task failed: what others made is kept.
    ConfigError
        If another analysis, or a sweep of one that still runs, is in the way.
    """
    parts, begun = _as_parts(analyses), BegunSweep(launcher, overwrite=overwrite, say=say)
    try:
        if not begun.done(plan_recordings(parts, overwrite=overwrite)):
            return False
        parts = [
            replace(part, trained_in=find_decoders(part.analysis, part.trained_in, overwrite=overwrite))
            for part in parts
        ]
        planned = [
            one
            for part in parts
            for one in _planned(part, launcher, train=train, evaluate=evaluate, deltas=deltas)
        ]
        waiting = begun.waiting(planned)
        if evaluate and waiting:
            for part in parts:
                begin_evaluation(part.analysis, store=part.open(), overwrite=overwrite)
        if not begun.driven(waiting, n_tasks=len(planned)):
            return False
    finally:
        begun.close()
    if evaluate:
        for part in parts:
            evaluate_decoders(part.analysis, store=part.open(), say=say, overwrite=overwrite)
    return True


def describe_sweep(
    analyses: Sequence[Part | Analysis],
    launcher: LauncherConfig,
    *,
    train: bool = True,
    evaluate: bool = True,
    deltas: Sequence[int] | None = None,
) -> str:
    """What a sweep would run, and why; nothing is written or begun.

    Parameters are those of `sweep_analyses`.
    """
    parts = _as_parts(analyses)
    recordings = plan_recordings(parts, overwrite=True)
    unprepared = {planned.task.folder.parent for planned in recordings}
    planned, later = list(recordings), []
    for part in parts:
        if Places(part.recorded).folder / SWEEP in unprepared:
            later.append(part)
        else:
            planned += _planned(part, launcher, train=train, evaluate=evaluate, deltas=deltas)
    lines = [line for one in planned for line in _explained(one, launcher)]
    for part in later:
        trained = _trained(part, deltas) if train else ()
        rows = part.analysis.evaluated_train_deltas if evaluate else ()
        lines.append(
            f"{part.label or part.analysis.name}: {len(trained)} trainings and {len(rows)} evaluations, known once it is prepared"
        )
    runs = sum(to_run(one, launcher, overwrite=False) for one in planned)
    return "\n".join([f"{len(planned)} tasks, {runs} would run ({launcher.launcher}):", *lines])


def study_parts(study: Study) -> list[Part]:
    """The analyses of a study, with the stores that they share."""
    return [
        Part(member.analysis, member.recording, member.label, member.trained_in) for member in study.members()
    ]


def _as_parts(analyses: Sequence[Part | Analysis]) -> list[Part]:
    return [one if isinstance(one, Part) else Part(one) for one in analyses]


def _trained(part: Part, deltas: Sequence[int] | None) -> Sequence[int]:
    """Lags whose decoders it trains itself."""
    if part.trained_in not in (None, part.analysis.output_folder):
        return ()
    return part.analysis.fitted_deltas if deltas is None else deltas


def _planned(
    part: Part, launcher: LauncherConfig, *, train: bool, evaluate: bool, deltas: Sequence[int] | None
) -> list[Planned]:
    sets = TrialSets.of(part.analysis, part.open())
    check_scoring(sets)
    trained = _trained(part, deltas) if train else ()
    trainings = plan_trainings(part, sets, trained, n_processes=launcher.n_processes)
    if not evaluate:
        return trainings
    there = {planned.task.folder for planned in trainings}
    evaluations = plan_evaluations(part, sets)
    if not train:  # what it needs is there, or it says what is not
        return [
            replace(
                planned,
                task=replace(planned.task, needs=[need for need in planned.task.needs if need in there]),
            )
            for planned in evaluations
        ]
    return [*trainings, *evaluations]


def _explained(planned: Planned, launcher: LauncherConfig) -> Iterable[str]:
    yield f"  {planned.task.name:24} {_why(planned, launcher)}"
    for line in planned.changed:
        yield f"  {'':24}   {line}"


def _why(planned: Planned, launcher: LauncherConfig) -> str:
    record, task = Record(planned.task.folder), planned.task
    if planned.other_code and launcher.keep_other_code:
        return "done, by other code of tempgen"
    if planned.changed:
        return f"{planned.why}: refused without --overwrite, which makes it again"
    if planned.why != "done":
        if record.holder() is not None:
            return "runs now"
        failed = record.failed(task)
        if failed is not None:
            return f"runs again: {failed['error']}"
    return planned.why
