"""The module and optimizer of a run, as Accelerate prepared them: one update, and all that it changes to and from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import Tensor

from tempgen.config.optimization import OptimizationConfig
from tempgen.errors import TrainingError
from tempgen.training.accelerated import LossModule, make_optimizer, seed_dropout, to_device
from tempgen.training.checkpoints import AVERAGE, MOMENTS, WEIGHTS, read_tensors, write_tensors
from tempgen.training.schedule import learning_rate
from tempgen.training.sharding import (
    check_sharding,
    configure_deepspeed,
    gather_shards,
    is_deepspeed,
    is_fsdp,
    load_deepspeed,
    save_deepspeed,
    scatter_shards,
    take_in,
)
from tempgen.training.task import TrainingTask
from tempgen.training.weights import (
    MovingAverage,
    all_finite,
    load_optimizer_state,
    load_trained_state,
    optimizer_state,
    trainable_parameters,
    trained_state,
)


class Engine:
    """What turns batches into better weights.

    Parameters
    ----------
    task : TrainingTask
    config : OptimizationConfig
    accelerator : Accelerator

    Raises
    ------
    TrainingError
        If nothing is trainable.
    ConfigError
        If sharding and options do not go together.
    """

    def __init__(self, task: TrainingTask, config: OptimizationConfig, accelerator: Accelerator) -> None:
        self.task, self.config, self.accelerator, self.device = task, config, accelerator, accelerator.device
        check_sharding(accelerator, config)
        self._deepspeed, self._fsdp = is_deepspeed(accelerator), is_fsdp(accelerator)
        if config.gradient_checkpointing and hasattr(task.module, "enable_gradient_checkpointing"):
            task.module.enable_gradient_checkpointing()  # type: ignore[operator]
        if self._deepspeed:
            configure_deepspeed(accelerator, config)
        elif not self._fsdp:
            task.module.to(self.device)
        parameters = trainable_parameters(task.module)
        if not parameters:
            raise TrainingError(f"{task.name} has no trainable parameter: make some require gradients.")
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in parameters.items()}
        optimizer = make_optimizer(list(parameters.values()), config, self.device)
        self.model, self.optimizer = accelerator.prepare(LossModule(task.module), optimizer)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.average = MovingAverage(task.module, config.ema_decay) if config.ema_decay is not None else None

    def update(self, step: int, batches: Iterator[dict[str, Any]]) -> dict[str, Tensor]:
        """Change the weights once.

        Parameters
        ----------
        step : int
            From 0.
        batches : iterator
            Gives this process' parts of the step's batch.

        Returns
        -------
        dict of Tensor
            The module's scalars, means over the parts, on the device: nothing waits for them.
        """
        accelerator, config = self.accelerator, self.config
        rate = learning_rate(step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        totals: dict[str, Tensor] = {}
        for part in range(config.gradient_accumulation_steps):
            batch = to_device(next(batches), self.device)
            with accelerator.accumulate(self.model):
                seed_dropout(self.device, config.seed, step, part, accelerator.process_index)
                scalars = self.model(**batch)
                accelerator.backward(scalars["loss"])
                if accelerator.sync_gradients and config.max_grad_norm is not None:
                    # only where Accelerate sees all parameters does it take the norm over the shards of all processes
                    clipped = self.model.parameters() if self._fsdp else self.parameters
                    accelerator.clip_grad_norm_(clipped, config.max_grad_norm)
                self.optimizer.step()
                if accelerator.sync_gradients and not self._deepspeed:  # it does so itself
                    self.optimizer.optimizer.zero_grad()  # Accelerate's own looks up signatures for 0.1 ms
            for name, value in scalars.items():
                totals[name] = totals[name] + value.detach() if part else value.detach()
        if config.gradient_accumulation_steps > 1:
            totals = {name: total / config.gradient_accumulation_steps for name, total in totals.items()}
        if self.average is not None:
            self.average.update(step)
        return totals

    def weights(self) -> dict[str, Tensor]:
        """The trained tensors, whole; not copies. All processes must call; under FSDP only the first has them."""
        if self._fsdp:
            return gather_shards(self.model, self.optimizer.optimizer)[0]
        return trained_state(self.task.module)

    def writer(self, folder: Path) -> Callable[[Path], None] | None:
        """What the main process calls to write a checkpoint's tensors; None if the weights are not finite. All must call.

        Parameters
        ----------
        folder : Path
            Where checkpoints are.
        """
        files: dict[str, dict[str, Tensor]] = {}
        if self._fsdp:
            files[WEIGHTS], files[MOMENTS] = gather_shards(self.model, self.optimizer.optimizer)
        else:
            files[WEIGHTS] = trained_state(self.task.module)
            if not self._deepspeed:
                files[MOMENTS] = optimizer_state(self.optimizer, self._names)
        if self.average is not None:
            files[AVERAGE] = self.average.state()
        finite = all_finite(files[WEIGHTS].values())
        deepspeed = save_deepspeed(self.accelerator, folder) if self._deepspeed else None

        def write(checkpoint: Path) -> None:
            for name, tensors in files.items():
                write_tensors(checkpoint / name, tensors)
            if deepspeed is not None:
                take_in(deepspeed, checkpoint)

        return write if finite else None

    def read(self, checkpoint: Path) -> None:
        """Go on from a checkpoint."""
        if self._deepspeed:
            load_deepspeed(self.accelerator, checkpoint)
            return
        weights, moments = read_tensors(checkpoint / WEIGHTS), read_tensors(checkpoint / MOMENTS)
        if self._fsdp:
            scatter_shards(self.model, self.optimizer.optimizer, weights, moments)
            return
        load_trained_state(self.task.module, weights, what=str(checkpoint))
        load_optimizer_state(self.optimizer, moments, self._names)
        if self.average is not None:
            self.average.load(read_tensors(checkpoint / AVERAGE))

    def choose(self, file: Path) -> None:
        """Put chosen weights into the task's module; under FSDP it stays sharded, the file has them whole."""
        if not self._fsdp:
            tensors = read_tensors(file)
            own = trained_state(self.task.module)  # an average has no buffers
            load_trained_state(self.task.module, {**own, **tensors}, what=str(file))
        self.task.module.eval()

    @property
    def can_validate(self) -> bool:
        """Whether the task's module can be called as it is."""
        return not self._fsdp

    def scaler_state(self) -> dict[str, Any]:
        """Of the fp16 loss scaler, plain numbers."""
        scaler = self.accelerator.scaler
        return dict(scaler.state_dict()) if scaler is not None else {}

    def load_scaler(self, state: dict[str, Any]) -> None:
        """Go on with a saved loss scale."""
        if self.accelerator.scaler is not None and state:
            self.accelerator.scaler.load_state_dict(state)

    def seed(self, *key: int) -> None:
        """Set torch's global random state."""
        seed_dropout(self.device, self.config.seed, *key)

    def mean_over_processes(self, values: Tensor) -> Tensor:
        """The same numbers for all."""
        if self.accelerator.num_processes == 1:
            return values
        reduced: Tensor = self.accelerator.reduce(values, reduction="mean")
        return reduced
