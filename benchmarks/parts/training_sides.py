"""tempgen's training step, what checks it against the reference recipe, and how both are timed."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parts.dynadiff import N_TR, SUBJECT, MadeTrials, Subject, synchronize
from parts.reference_recipe import LEARNING_RATE, MAX_GRAD_NORM, Reference
from tempgen.config.dynadiff import DynadiffConfig
from tempgen.decoders.dynadiff import DynadiffModule, DynadiffTask, module_from_scratch
from tempgen.models.backbone import Backbone
from tempgen.models.backbone.dual_guided import image_unet_name
from tempgen.training.accelerated import make_accelerator
from tempgen.training.batches import StepBatches, iterate
from tempgen.training.engine import Engine

MAX_LOSS_DIFFERENCE, MAX_GRADIENT_DIFFERENCE = 1e-3, 1e-2


def dynadiff_config(
    subject: Subject,
    *,
    batch_size: int,
    precision: str,
    compiled: bool = False,
    n_workers: int = 0,
    dropout: float = 0.5,
) -> DynadiffConfig:
    """The paper's decoder at the subject's size."""
    return DynadiffConfig.model_validate(
        {
            "brain_module": {"hidden_size": subject.hidden_size, "dropout": dropout},
            "optimization": {
                "batch_size": batch_size,
                "learning_rate": LEARNING_RATE,
                "warmup_steps": 0,
                "max_grad_norm": MAX_GRAD_NORM,
                "mixed_precision": precision,
                "compile": compiled,
                "n_workers": n_workers,
                "tracker": None,
            },
        }
    )


class Ours:
    """tempgen's training step, as `tempgen.training.train` makes it."""

    def __init__(
        self, backbone: Backbone, subject: Subject, made: MadeTrials, config: DynadiffConfig
    ) -> None:
        self.module: DynadiffModule = module_from_scratch(
            backbone, config, subject=SUBJECT, n_voxels=subject.n_voxels, n_tr=N_TR
        )
        self.task = DynadiffTask(self.module, made.as_trials())
        optimization, self.device = config.optimization, backbone.device
        with tempfile.TemporaryDirectory() as folder:
            accelerator = make_accelerator(optimization, Path(folder))
        self.engine = Engine(self.task, optimization, accelerator)
        self.engine.model.train()
        self.batches: Generator[dict[str, Tensor], None, None] = iterate(
            StepBatches(self.task, optimization, 0), pin_memory=self.device.type == "cuda"
        )
        self.n_steps = 0

    def step(self) -> None:
        """Change the weights once."""
        self.engine.update(self.n_steps, self.batches)
        self.n_steps += 1

    def close(self) -> None:
        """End the workers and let go of the backbone's adapter."""
        self.batches.close()
        self.module.release()


def check_agreement(backbone: Backbone, unet: Any, subject: Subject, made: MadeTrials) -> list[str]:
    """Compare losses and gradients of both sides in float32; returns what failed."""
    config = dynadiff_config(subject, batch_size=4, precision="no", dropout=0.0)
    module = module_from_scratch(backbone, config, subject=SUBJECT, n_voxels=subject.n_voxels, n_tr=N_TR)
    module.to(backbone.device)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # a new LoRA's second factor is 0, and would hide the first
        for name in module.slot.names:
            parameter = module.unet.get_parameter(name)
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    reference = Reference(backbone, unet, subject, made, dropout=0.0)
    reference.brain.take(module.brain_module)
    own = dict(module.unet.named_parameters())
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if parameter.requires_grad and (image := image_unet_name(name)) is not None:
                parameter.copy_(own[image])

    rows = np.arange(min(8, len(made.image_ids)) if made.images.shape[1] == 64 else 2)
    batch = DynadiffTask(module, made.as_trials()).batch(rows, 0)
    batch["dropped"][0] = True  # so that both kinds of tokens are in it
    moments = made.encoded.moments(made.image_ids[rows])
    images = reference.batch(rows)["images"]
    posterior = (batch["latents"] - moments.mean) / torch.exp(0.5 * moments.logvar)
    batch = {name: tensor.to(backbone.device) for name, tensor in batch.items()}
    shared = {name: batch[name] for name in ("windows", "noise", "timesteps", "dropped")}
    our_loss = module(**batch)["loss"]
    their_loss = reference.loss(**shared, images=images, posterior_noise=posterior.to(backbone.device))
    our_loss.backward()
    their_loss.backward()
    ours, theirs = module.brain_module.output.weight.grad, reference.brain.output.weight.grad
    module.release()
    if ours is None or theirs is None:
        return ["no gradient reaches the output layer"]
    our_loss, their_loss = our_loss.detach(), their_loss.detach()
    difference = abs(float(our_loss - their_loss)) / float(their_loss)
    gradients = float((ours - theirs).norm() / theirs.norm())
    print(
        f"  float32, {len(rows)} samples: losses {float(our_loss):.6f} and {float(their_loss):.6f}, {difference:.1e} apart "
        f"(at most {MAX_LOSS_DIFFERENCE:g}); gradients {gradients:.1e} apart (at most {MAX_GRADIENT_DIFFERENCE:g})",
        flush=True,
    )
    failed = [f"{subject.name}: losses differ by {difference:.1e}"] * (not difference <= MAX_LOSS_DIFFERENCE)
    return failed + [f"{subject.name}: gradients differ by {gradients:.1e}"] * (
        not gradients <= MAX_GRADIENT_DIFFERENCE
    )


@dataclass
class Rates:
    """Samples/s and CPU seconds a sample of each block of steps, and peak memory in bytes."""

    samples_per_s: list[float]
    cpu_s: list[float]
    peak: int = 0

    @classmethod
    def of(cls, blocks: list[tuple[float, float]], *, peak: int = 0) -> Rates:
        """From what `time_block` gave."""
        return cls([rate for rate, _ in blocks], [cpu_s for _, cpu_s in blocks], peak)

    @property
    def median(self) -> float:
        """Samples/s, of the blocks."""
        return statistics.median(self.samples_per_s)


def time_block(
    step: Callable[[], None], *, n_steps: int, batch_size: int, device: torch.device
) -> tuple[float, float]:
    """Samples/s of some steps, and CPU seconds of a sample."""
    synchronize(device)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(n_steps):
        step()
    synchronize(device)
    n_samples = n_steps * batch_size
    return n_samples / (time.perf_counter() - start), (time.process_time() - cpu) / n_samples


def rows_in_turn(n_trials: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Batches of random trials without end."""
    rng = np.random.default_rng(0)
    while True:
        yield rng.choice(n_trials, batch_size, replace=batch_size > n_trials)
