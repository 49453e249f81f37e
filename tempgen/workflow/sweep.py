"""Analyses as a sweep: planned, run by worker processes or a cluster, gathered. Finished work is never repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tempgen.config import Analysis
from tempgen.config.launcher import LauncherConfig
from tempgen.config.study import Study
from tempgen.errors import ConfigError, SweepError
from tempgen.sweep.drive import Launcher, drive
from tempgen.sweep.record import Record
from tempgen.sweep.status import SWEEP
from tempgen.workflow.evaluation import begin_evaluation, evaluate_decoders
from tempgen.workflow.places import Places
from tempgen.workflow.recording import Say
from tempgen.workflow.scoring import check_scoring
from tempgen.workflow.sweep_tasks import (
    Part,
    Planned,
    plan_evaluations,
    plan_recordings,
    plan_trainings,
    remove_stale,
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
    parts, begun = _as_parts(analyses), _Begun(launcher, overwrite=overwrite, say=say)
    try:
        if not begun.done(plan_recordings(parts, overwrite=overwrite)):
            return False
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
        trained = (part.analysis.fitted_deltas if deltas is None else deltas) if train else ()
        rows = part.analysis.evaluated_train_deltas if evaluate else ()
        lines.append(
            f"{part.label or part.analysis.name}: {len(trained)} trainings and {len(rows)} evaluations, known once it is prepared"
        )
    runs = sum(_runs(one, launcher, overwrite=False) for one in planned)
    return "\n".join([f"{len(planned)} tasks, {runs} would run ({launcher.launcher}):", *lines])


def study_parts(study: Study) -> list[Part]:
    """The analyses of a study, with the stores that they share."""
    return [Part(member.analysis, member.recording, member.label) for member in study.members()]


def _as_parts(analyses: Sequence[Part | Analysis]) -> list[Part]:
    return [one if isinstance(one, Part) else Part(one) for one in analyses]


def _planned(
    part: Part, launcher: LauncherConfig, *, train: bool, evaluate: bool, deltas: Sequence[int] | None
) -> list[Planned]:
    sets = TrialSets.of(part.analysis, part.open())
    check_scoring(sets)
    trained = part.analysis.fitted_deltas if deltas is None else deltas
    trainings = plan_trainings(part, sets, trained if train else (), n_processes=launcher.n_processes)
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


def _runs(planned: Planned, launcher: LauncherConfig, *, overwrite: bool) -> bool:
    if planned.why == "done" or (planned.other_code and launcher.keep_other_code):
        return False
    return overwrite or not planned.changed


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


@dataclass
class _Begun:
    """A sweep that was begun: what runs its tasks, once there are any."""

    config: LauncherConfig
    overwrite: bool
    say: Say
    _launcher: Launcher | None = None

    def done(self, planned: Sequence[Planned]) -> bool:
        """Do what is planned; False if jobs of a cluster go on without this process."""
        return self.driven(self.waiting(planned), n_tasks=len(planned))

    def waiting(self, planned: Sequence[Planned]) -> list[Planned]:
        """Those that are to run, after all records say what is, and what is made again has gone."""
        self._refuse_others(planned)
        for one in planned:
            if not (one.other_code and self.config.keep_other_code):
                remove_stale(one)
        waiting = []
        for one in planned:
            record, task = Record(one.task.folder), one.task
            runs = _runs(one, self.config, overwrite=self.overwrite) or not task.has_made
            if not runs and record.is_done(task) and record.has_task:
                continue
            record.write_task(task)
            if not runs:
                record.write_done(task)
                continue
            waiting.append(one)
            if record.holder() is None:
                record.forget()
        return waiting

    def _refuse_others(self, planned: Sequence[Planned]) -> None:
        changed = [
            one for one in planned if one.changed and not (one.other_code and self.config.keep_other_code)
        ]
        if changed and not self.overwrite:
            listed = "\n".join(f"  - {line}" for line in changed[0].changed)
            by_code = all(one.other_code for one in changed)
            kept = ", keep it with '--resources keep_other_code=true'" if by_code else ""
            raise ConfigError(
                f"{changed[0].stale[0]} was made with another analysis ({len(changed)} tasks are touched):\n{listed}\n"
                f"Choose another place ('folder' in the analysis file){kept}, or make them again with --overwrite."
            )
        for one in planned:
            record = Record(one.task.folder)
            if record.holder() is not None and record.task().key != one.task.key:
                raise ConfigError(
                    f"{one.task.folder}: a task of another analysis runs there now. Wait for it, stop it, or choose another "
                    "place ('folder' in the analysis file)."
                )

    def driven(self, planned: Sequence[Planned], *, n_tasks: int) -> bool:
        """Run tasks to their end; False if jobs of a cluster go on without this process.

        Raises
        ------
        SweepError
            If some failed.
        """
        if not planned:
            if n_tasks:
                self.say(f"all {n_tasks} tasks are done")
            return True
        if self._launcher is None:
            self._launcher = _launcher(self.config, self.say)
        tasks = [one.task for one in planned]
        self.say(
            f"{len(tasks)} of {n_tasks} tasks to do ({self.config.launcher}); 'tempgen status' shows them"
        )
        outcome = drive(tasks, self._launcher, self.config, say=self.say)
        if outcome.detached:
            self.say(
                "detached: the jobs go on. The same command comes back to them and gathers what they made, "
                "'tempgen status --follow' shows them, 'scancel' with their ids ends them."
            )
            return False
        if outcome.failed:
            n_left_out = len(outcome.left_out)
            left_out = f"\n{n_left_out} tasks need what they would have made." if n_left_out else ""
            listed = "\n".join(f"  - {line}" for line in outcome.failed.values())
            raise SweepError(
                f"{len(outcome.failed)} of {len(tasks)} tasks failed:\n{listed}{left_out}\n"
                "What is finished is kept: the same command begins the others again."
            )
        return True

    def close(self) -> None:
        """Give back what runs tasks."""
        if self._launcher is not None:
            self._launcher.close()


def _launcher(config: LauncherConfig, say: Say) -> Launcher:
    if config.launcher == "slurm":
        try:
            from tempgen.sweep.cluster import Cluster, check_slurm
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"The launcher slurm needs the package {error.name}: pip install 'tempgen[sweep]'."
            ) from error

        check_slurm()
        return Cluster(config)
    from tempgen.sweep.pool import Pool

    pool = Pool.of(config)
    say(f"at most {pool.n_slots} tasks at a time on this machine")
    return pool
