"""A sweep that was begun: which of its tasks are to run, and what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tempgen.config.launcher import LauncherConfig
from tempgen.errors import ConfigError, SweepError
from tempgen.sweep.drive import Launcher, drive
from tempgen.sweep.record import Record
from tempgen.workflow.recording import Say
from tempgen.workflow.sweep_tasks import Planned, remove_stale

__all__ = ["BegunSweep", "to_run"]


@dataclass
class BegunSweep:
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
            runs = to_run(one, self.config, overwrite=self.overwrite) or not task.has_made
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


def to_run(planned: Planned, launcher: LauncherConfig, *, overwrite: bool) -> bool:
    """Whether something planned has to be done, or made again."""
    if planned.why == "done" or (planned.other_code and launcher.keep_other_code):
        return False
    return overwrite or not planned.changed
