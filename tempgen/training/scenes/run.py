"""The folder of a pretraining run: its scenes, and what each stage left there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from numpy.typing import NDArray

from tempgen.config.optimization import OptimizationConfig
from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.files import remove_folder, whole_file
from tempgen.training.loop import train
from tempgen.training.outcome import TrainingOutcome
from tempgen.training.scenes.pictures import Pictures, draw_masks, draw_pictures
from tempgen.training.task import TrainingTask

BEFORE_UNET = ("autoencoder", "encoder")
"""Stages whose output the UNet is trained on."""
UNET_OPTIONS = ("unet_channels", "clean", "dropped", "loss_weight_cap")
"""What determines the UNet's weights beside its optimization and the scenes."""
Say = Callable[[str], None]


def training_scenes(config: ScenesPretraining, folder: Path) -> Pictures:
    """The scenes of a run folder that networks are trained on, drawn if they are not there."""
    with processes().main_process_first():  # the others then find them drawn
        return draw_pictures(
            folder / _file("pictures", config.n_scenes, config.seed),
            n_scenes=config.n_scenes,
            seed=config.seed,
        )


def held_out_scenes(config: ScenesPretraining, folder: Path) -> Pictures:
    """The scenes of a run folder that no network is trained on, drawn if they are not there."""
    n_scenes, seed = config.n_held_out, config.seed + 1
    with processes().main_process_first():
        return draw_pictures(folder / _file("pictures", n_scenes, seed), n_scenes=n_scenes, seed=seed)


def training_masks(config: ScenesPretraining, folder: Path) -> NDArray[np.uint8]:
    """What the pixels of :func:`training_scenes` show, (n_scenes, 64, 64)."""
    with processes().main_process_first():
        return draw_masks(
            folder / _file("masks", config.n_scenes, config.seed), n_scenes=config.n_scenes, seed=config.seed
        )


def held_out_masks(config: ScenesPretraining, folder: Path) -> NDArray[np.uint8]:
    """What the pixels of :func:`held_out_scenes` show, (n_scenes, 64, 64)."""
    n_scenes, seed = config.n_held_out, config.seed + 1
    with processes().main_process_first():
        return draw_masks(folder / _file("masks", n_scenes, seed), n_scenes=n_scenes, seed=seed)


def _file(kind: str, n_scenes: int, seed: int) -> str:
    return f"{kind}-{seed}-{n_scenes}.npz"


def processes() -> PartialState:
    """Those that were launched together; said here, or processes on CPUs alone would not find one another."""
    return PartialState(cpu=not torch.cuda.is_available())


def done_file(folder: Path, stage: str) -> Path:
    """Exists in a run folder once the stage is done; says how it went."""
    return folder / stage / "done.json"


def stage_report(folder: Path, stage: str) -> dict[str, Any]:
    """How a stage of a run folder that is done went."""
    report: dict[str, Any] = json.loads(done_file(folder, stage).read_text("utf-8"))
    return report


@dataclass
class RunFolder:
    """One run folder: what is loaded is loaded once. ``anew``: stages whose earlier training is still to be forgotten."""

    config: ScenesPretraining
    folder: Path
    say: Say
    anew: set[str] = field(default_factory=set)

    def forget_stages(self) -> None:
        """Remove what says that stages to train anew are done, and a UNet that was trained on their outputs."""
        with processes().main_process_first():
            for stage in self.anew:
                done_file(self.folder, stage).unlink(missing_ok=True)
            if self.anew & {*BEFORE_UNET, "unet"}:
                remove_folder(self.folder / "unet")  # checkpoints, latents and tokens

    @cached_property
    def pictures(self) -> Pictures:
        """The training scenes."""
        return training_scenes(self.config, self.folder)

    @cached_property
    def held_out(self) -> Pictures:
        """Scenes that no network is trained on."""
        return held_out_scenes(self.config, self.folder)

    def recipe(self, stage: str) -> dict[str, Any]:
        """What determines a stage's weights, beside its optimization."""
        names = {"n_scenes", "seed"} | (set(UNET_OPTIONS) if stage == "unet" else set())
        return {"stage": stage, **self.config.model_dump(mode="json", include=names)}

    def is_done(self, stage: str) -> bool:
        """Whether the stage's weights are final."""
        return done_file(self.folder, stage).is_file()

    def train(self, stage: str, task: TrainingTask, config: OptimizationConfig) -> TrainingOutcome:
        """Train a stage, or load what it learned; its weights are then in the task's module, on the CPU."""
        overwrite = stage in self.anew
        self.anew.discard(stage)  # from now on its weights are those to load
        outcome = train(task, config, self.folder / stage, say=self.say, overwrite=overwrite)
        task.module.to("cpu")  # where the scenes are
        if processes().is_main_process and (outcome.loss is not None or not self.is_done(stage)):
            report = {
                "n_steps": outcome.n_steps,
                "batch_size": config.batch_size,
                "scores": outcome.scores,
                "loss": outcome.loss,
                "seconds_of_last_call": round(outcome.seconds),
            }
            with whole_file(done_file(self.folder, stage)) as temporary:
                temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        processes().wait_for_everyone()  # all ask next whether it is done
        return outcome
