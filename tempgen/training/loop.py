"""The training loop: it knows a task's loss and batches, and no decoder by name."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from tempgen.config import differences
from tempgen.config.optimization import OptimizationConfig
from tempgen.errors import TrainingError
from tempgen.training.accelerated import make_accelerator
from tempgen.training.batches import StepBatches, iterate
from tempgen.training.checkpoints import AVERAGE, WEIGHTS, Checkpoints, RunState, read_state
from tempgen.training.engine import Engine
from tempgen.training.interruption import Interruption, leave
from tempgen.training.outcome import TrainingOutcome
from tempgen.training.progress import Progress, Say
from tempgen.training.schedule import learning_rate
from tempgen.training.task import TrainingTask

LOG_EVERY = 10
"""Steps between points of a tracker's curves. Source: house choice."""
LOOK_EVERY = 5
"""Steps between looks at the loss where a look waits for a device or for other processes. Source: house choice."""
SAME_RESULT = ("n_workers", "checkpoint_every", "gradient_checkpointing", "tracker")
"""Options that do not change the weights: a checkpoint fits whatever they are."""
_VALIDATION = -1  # stands in a key where training has the part of the batch


def train(
    task: TrainingTask,
    config: OptimizationConfig,
    folder: Path,
    *,
    say: Say = print,
    overwrite: bool = False,
) -> TrainingOutcome:
    """Minimize a task's loss, going on from the run's last checkpoint if there is one.

    Runs in one process, or in each of those that ``accelerate launch`` or torchrun started. A run that was stopped or
    killed at any moment and started again ends with the same bits as one that was not (on one kind of machine, where
    torch's operations are deterministic; atomic additions on GPUs are not).

    Parameters
    ----------
    task : TrainingTask
    config : OptimizationConfig
    folder : Path
        Gets ``checkpoints/`` and, with a tracker, ``curves/``. All processes must see it.
    say : callable
        Takes a line of text.
    overwrite : bool
        Forget the folder's run and start anew.

    Returns
    -------
    TrainingOutcome
        ``task.module`` then has the chosen weights and is in eval mode.

    Raises
    ------
    ConfigError
        If the machine or the number of processes does not fit the configuration.
    TrainingError
        If the loss is not finite, the folder holds another run, or a checkpoint cannot be written.
    KeyboardInterrupt, SystemExit
        After Ctrl-C or SIGTERM, once a checkpoint is written; the exit status of SIGTERM is 143.
    """
    run = _Run(task, config, folder, say=say, overwrite=overwrite)
    with Interruption() as interruption, torch.random.fork_rng(devices=[]):
        return run.finish(run.steps(interruption))


class _Run:
    def __init__(
        self, task: TrainingTask, config: OptimizationConfig, folder: Path, *, say: Say, overwrite: bool
    ) -> None:
        self.task, self.config, self.folder = task, config, folder
        self.accelerator = make_accelerator(config, folder)
        self.is_main: bool = self.accelerator.is_main_process
        self.say: Say = say if self.is_main else (lambda line: None)
        self.checkpoints = Checkpoints(folder)
        self._on_main(lambda: self._clean(everything=overwrite))
        self.state = RunState(recipe=self._recipe(), n_processes=self.accelerator.num_processes)
        path = self.checkpoints.latest()
        saved = None if path is None else self._checked(path)
        self.engine = Engine(task, config, self.accelerator)
        if path is not None and saved is not None:
            self._resume(path, saved)

    # -- before the first step ------------------------------------------------------------------------------------

    def _recipe(self) -> dict[str, Any]:
        recipe = {
            "task": dict(self.task.recipe),
            "optimization": self.config.model_dump(mode="json", exclude=set(SAME_RESULT)),
            "n_samples": self.task.n_samples,
        }
        plain: dict[str, Any] = json.loads(json.dumps(recipe, default=str))
        return plain

    def _clean(self, *, everything: bool) -> None:
        for path in self.checkpoints.clean(everything=everything):
            left = self.checkpoints.latest()
            then = "the training begins anew" if left is None else f"the training goes on from {left.name}"
            self.say(f"{self.task.name}: the checkpoint {path} is damaged; {then}")

    def _checked(self, path: Path) -> RunState:
        saved = read_state(path)
        changed = differences(saved.recipe, self.state.recipe)
        if changed:
            lines = "\n".join(f"  - {line}" for line in changed)
            raise TrainingError(
                f"The checkpoint {path} is of another configuration (checkpoint -> now):\n{lines}\n"
                "Train in another folder, or again from the start with --overwrite."
            )
        return saved

    def _resume(self, path: Path, saved: RunState) -> None:
        self.engine.read(path)
        self.engine.load_scaler(saved.scaler)
        if saved.n_processes != self.state.n_processes:
            self.say(
                f"{self.task.name}: the checkpoint is of {saved.n_processes} process(es), this run has "
                f"{self.state.n_processes}: dropout and rounding go on differently"
            )
        saved.n_processes = self.state.n_processes
        self.state = saved
        if saved.step < self.config.n_steps:
            self.say(f"{self.task.name}: goes on after step {saved.step} of {self.config.n_steps} ({path})")

    # -- the steps ------------------------------------------------------------------------------------------------

    def steps(self, interruption: Interruption) -> Progress:
        """Make all steps that are left."""
        config, accelerator, engine, first = self.config, self.accelerator, self.engine, self.state.step
        progress = Progress(
            self.task.name,
            first_step=first,
            n_steps=config.n_steps,
            batch_size=config.batch_size,
            say=self.say,
            is_main=self.is_main,
        )
        if first == config.n_steps:
            progress.close()
            return progress
        self._start_tracker(first)
        here = StepBatches(self.task, config, first, accelerator.process_index, accelerator.num_processes)
        batches = iterate(here, pin_memory=engine.device.type == "cuda")
        look_every = 1 if engine.device.type == "cpu" and accelerator.num_processes == 1 else LOOK_EVERY
        pending: list[dict[str, Tensor]] = []
        engine.model.train()
        try:
            for step in range(first, config.n_steps):
                pending.append(self._updated(step, batches))
                done = self.state.step = step + 1
                validate = done % config.validate_every == 0 or done == config.n_steps
                save = done % config.checkpoint_every == 0 or done == config.n_steps
                if done % look_every == 0 or validate or save:
                    received = self._look(pending, interruption.received, progress)
                    pending = []
                    if validate and engine.can_validate:
                        self._validate()
                    if save or received:
                        self._save()
                    if received and done < config.n_steps:
                        self.say(f"{self.task.name}: saved after step {done} of {config.n_steps}, stopping")
                        leave(received)
        finally:
            batches.close()
            progress.close()
            for tracker in accelerator.trackers:
                tracker.finish()
        return progress

    def _updated(self, step: int, batches: Iterator[dict[str, Tensor]]) -> dict[str, Tensor]:
        try:
            return self.engine.update(step, batches)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"{self.task.name} does not fit the memory of {self.engine.device} at step {step + 1} "
                f"({str(error).splitlines()[0]}). Cut the batch into more parts (optimization.gradient_accumulation_steps), "
                "set gradient_checkpointing or mixed_precision: the result is the same or nearly so."
            ) from error

    def _look(self, pending: list[dict[str, Tensor]], received: int | None, progress: Progress) -> int | None:
        """Wait for the losses of the steps since the last look; returns a signal that any process got."""
        losses = torch.stack([scalars["loss"].float().reshape(()) for scalars in pending])
        flag = losses.new_tensor([float(received is not None)])
        *values, anyone = self.engine.mean_over_processes(torch.cat([losses, flag])).tolist()
        done = self.state.step
        for step, loss in enumerate(values, start=done - len(values) + 1):
            if not math.isfinite(loss):
                self._stop(f"The loss of {self.task.name} is {loss} at step {step}")
        progress.advance(values)
        if self.config.tracker and done // LOG_EVERY > (done - len(values)) // LOG_EVERY:
            others = {name: float(value) for name, value in pending[-1].items() if name != "loss"}
            rates = {
                "learning_rate": learning_rate(done - 1, self.config),
                "samples_per_s": progress.samples_per_second,
            }
            self.accelerator.log({"loss": sum(values) / len(values), **others, **rates}, step=done)
        return received if received is not None else signal.SIGTERM if anyone > 0 else None

    def _stop(self, what: str) -> NoReturn:
        last = self.checkpoints.latest()
        good = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        raise TrainingError(
            f"{what}; {good}. Lower optimization.learning_rate, lengthen warmup_steps or set max_grad_norm, "
            "or look for values that are not finite in the data."
        )

    # -- now and then ---------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        engine = self.engine
        engine.seed(self.state.step, _VALIDATION)
        engine.model.eval()
        averaged = engine.average.applied() if engine.average is not None else nullcontext()
        with torch.no_grad(), averaged, self.accelerator.autocast():
            scores = self.task.validate(self.task.module)
            if scores:
                self._note({name: float(value) for name, value in scores.items()})
        engine.model.train()

    def _note(self, scores: dict[str, float]) -> None:
        state, step = self.state, self.state.step
        self.accelerator.log({f"validation/{name}": value for name, value in scores.items()}, step=step)
        text = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
        self.say(f"{self.task.name}: step {step}, held-out {text}")
        state.scores = scores
        if self.config.keep == "last" or "monitor" not in scores:
            return
        own = torch.tensor([scores["monitor"]], device=self.engine.device, dtype=torch.float32)
        monitor = float(self.engine.mean_over_processes(own))  # processes must agree on which is best
        if math.isfinite(monitor) and (state.best_score is None or monitor < state.best_score):
            weights = self.engine.weights()
            self._on_main(lambda: self.checkpoints.save_best(step, weights))
            state.best_step, state.best_score, state.best_scores = step, monitor, scores

    def _save(self) -> None:
        write = self.engine.writer(self.checkpoints.folder)
        if write is None:
            self._stop(f"Weights of {self.task.name} are not finite after step {self.state.step}")
        self.state.scaler = self.engine.scaler_state()
        self._on_main(lambda: self.checkpoints.save(self.state, write))

    def _on_main(self, action: Callable[[], object]) -> None:
        """Do it in the main process while the others wait; if it fails there, all stop."""
        error: TrainingError | OSError | None = None
        if self.is_main:
            try:
                action()
            except (TrainingError, OSError) as failed:
                error = failed
        if self.accelerator.num_processes > 1:
            flag = torch.tensor([float(error is not None)], device=self.accelerator.device)
            if float(self.accelerator.reduce(flag)) > 0 and error is None:
                error = TrainingError("The main process could not write: see its message.")
        if error is not None:
            raise error

    def _start_tracker(self, first: int) -> None:
        if self.config.tracker:
            purge = {"tensorboard": {"purge_step": first + 1}}  # curves of steps that are made again
            self.accelerator.init_trackers(self.task.name, init_kwargs=purge)

    # -- after the last step --------------------------------------------------------------------------------------

    def finish(self, progress: Progress) -> TrainingOutcome:
        """Put the chosen weights into the task's module."""
        state = self.state
        best = state.best_step if self.config.keep == "best" else None
        if best is not None:
            file = self.checkpoints.best_folder(best) / WEIGHTS
        else:
            last = self.checkpoints.step_folder(state.step)
            file = last / (WEIGHTS if self.engine.average is None else AVERAGE)
        self.engine.choose(file)
        return TrainingOutcome(
            n_steps=state.step,
            chosen_step=state.step if best is None else best,
            keep="last" if best is None else "best",
            monitor=None if best is None else state.best_score,
            scores=state.scores if best is None else state.best_scores or state.scores,
            loss=progress.loss,
            seconds=progress.seconds,
            samples_per_second=progress.samples_per_second,
            weights=file,
        )
