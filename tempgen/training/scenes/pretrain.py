"""The four stages of pretraining, each resumable, and the folder that they end in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file
from torch import Tensor

from tempgen.config.optimization import OptimizationConfig
from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.errors import ConfigError
from tempgen.files import whole_file
from tempgen.models.backbone.scenes import NAME
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.training.loop import train
from tempgen.training.outcome import TrainingOutcome
from tempgen.training.scenes.assembly import write_backbone, write_classifier
from tempgen.training.scenes.autoencoder import (
    LATENT_CHANNELS,
    AutoencoderModule,
    AutoencoderTask,
    PatchBasis,
)
from tempgen.training.scenes.corruption import TokenCorruption
from tempgen.training.scenes.denoiser import DenoiserModule, DenoiserTask, make_scheduler, make_unet
from tempgen.training.scenes.encoder import EncoderModule, EncoderTask
from tempgen.training.scenes.inputs import unet_inputs
from tempgen.training.scenes.pictures import Pictures, draw_pictures
from tempgen.training.task import TrainingTask

STAGES = ("autoencoder", "encoder", "classifier", "unet")
BEFORE_UNET = ("autoencoder", "encoder")
UNET_OPTIONS = ("unet_channels", "clean", "dropped", "loss_weight_cap")
CLASSIFIER_CHANNELS = (32, 64, 128)
"""Wider than the image encoder, and trained from another seed: it judges, and shares nothing with what it judges."""
Say = Callable[[str], None]


def pretrain_scenes(
    config: ScenesPretraining,
    folder: Path,
    *,
    stages: tuple[str, ...] = STAGES,
    say: Say = print,
    overwrite: bool = False,
) -> Path | None:
    """Train the ``scenes`` backbone and its classifier; what an earlier call did is kept.

    Parameters
    ----------
    folder : Path
        Gets the drawn scenes, a folder for each stage, and (after the last) ``scenes`` and ``scene_classifier`` as the package
        has them.
    stages : tuple of str
        Which to do, in this order: ``"autoencoder"``, ``"encoder"``, ``"classifier"``, ``"unet"``. The first three are
        independent and may run at the same time; the UNet needs the first two.
    overwrite : bool
        Train these stages anew. With the first or second, what the UNet has learned from their outputs is removed.

    Returns
    -------
    Path or None
        The backbone's folder, None while stages are missing.

    Raises
    ------
    ConfigError
        If a stage is unknown, or the UNet is asked for before what it needs.
    """
    if unknown := sorted(set(stages) - set(STAGES)):
        raise ConfigError(f"There are no stages {unknown} of pretraining; there are {', '.join(STAGES)}.")
    run = _Run(config, folder, say, anew=set(stages) if overwrite else set())
    run.forget_stages()
    for stage in stages:
        getattr(run, stage)()
    return run.assemble() if all(run.is_done(stage) for stage in STAGES) else None


def training_scenes(config: ScenesPretraining, folder: Path) -> Pictures:
    """The scenes of a run folder that networks are trained on, drawn if they are not there."""
    return _draw(folder, config.n_scenes, config.seed)


def held_out_scenes(config: ScenesPretraining, folder: Path) -> Pictures:
    """The scenes of a run folder that no network is trained on, drawn if they are not there."""
    return _draw(folder, config.n_held_out, config.seed + 1)


def _draw(folder: Path, n_scenes: int, seed: int) -> Pictures:
    with _processes().main_process_first():  # the others then find them drawn
        return draw_pictures(folder / f"pictures-{seed}-{n_scenes}.npz", n_scenes=n_scenes, seed=seed)


def _processes() -> PartialState:
    """Those that were launched together; said here, or processes on CPUs alone would not find one another."""
    return PartialState(cpu=not torch.cuda.is_available())


@dataclass
class _Run:
    """One run folder: what is loaded is loaded once. ``anew``: stages whose earlier training is still to be forgotten."""

    config: ScenesPretraining
    folder: Path
    say: Say
    anew: set[str] = field(default_factory=set)

    def forget_stages(self) -> None:
        """Remove what says that stages to train anew are done, and a UNet that was trained on their outputs."""
        with _processes().main_process_first():
            for stage in self.anew:
                self.done_file(stage).unlink(missing_ok=True)
            if self.anew & {*BEFORE_UNET, "unet"}:
                shutil.rmtree(self.folder / "unet", ignore_errors=True)  # checkpoints, latents and tokens

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

    def done_file(self, stage: str) -> Path:
        """Exists once the stage is done; says how it went."""
        return self.folder / stage / "done.json"

    def is_done(self, stage: str) -> bool:
        """Whether the stage's weights are final."""
        return self.done_file(stage).is_file()

    def _train(self, stage: str, task: TrainingTask, config: OptimizationConfig) -> TrainingOutcome:
        overwrite = stage in self.anew
        self.anew.discard(stage)  # from now on its weights are those to load
        outcome = train(task, config, self.folder / stage, say=self.say, overwrite=overwrite)
        task.module.to("cpu")  # where the scenes are
        if _processes().is_main_process and (outcome.loss is not None or not self.is_done(stage)):
            report = {
                "n_steps": outcome.n_steps,
                "batch_size": config.batch_size,
                "scores": outcome.scores,
                "loss": outcome.loss,
                "seconds_of_last_call": round(outcome.seconds),
            }
            with whole_file(self.done_file(stage)) as temporary:
                temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        _processes().wait_for_everyone()  # all ask next whether it is done
        return outcome

    @cached_property
    def basis(self) -> PatchBasis:
        """Rotation of the VAE's input."""
        return PatchBasis.of(self.pictures)

    @cached_property
    def autoencoder_module(self) -> AutoencoderModule:
        """The VAE, trained or not."""
        torch.manual_seed(self.config.autoencoder.seed)
        return AutoencoderModule(self.basis)

    @cached_property
    def encoder_module(self) -> EncoderModule:
        """The image encoder, trained or not."""
        torch.manual_seed(self.config.encoder.seed)
        return EncoderModule(SceneEncoder())

    @cached_property
    def classifier_module(self) -> EncoderModule:
        """The classifier, trained or not."""
        torch.manual_seed(self.config.classifier.seed)
        return EncoderModule(SceneEncoder(channels=CLASSIFIER_CHANNELS))

    def autoencoder(self) -> None:
        """Stage 1."""
        config = self.config.autoencoder
        task = AutoencoderTask(
            self.pictures, self.held_out, self.autoencoder_module, config, self.recipe("autoencoder")
        )
        self._train("autoencoder", task, config)

    def encoder(self) -> None:
        """Stage 2."""
        task = EncoderTask(
            "encoder", self.pictures, self.held_out, self.encoder_module, self.recipe("encoder")
        )
        self._train("encoder", task, self.config.encoder)

    def classifier(self) -> None:
        """Stage 3."""
        task = EncoderTask(
            "classifier", self.pictures, self.held_out, self.classifier_module, self.recipe("classifier")
        )
        self._train("classifier", task, self.config.classifier)

    def unet(self) -> None:
        """Stage 4, on what the first two made."""
        for needed in BEFORE_UNET:
            if not self.is_done(needed):
                raise ConfigError(
                    f"The UNet is trained on the {needed}'s output, which is not in {self.folder}: run that stage first."
                )
        self.autoencoder()  # loads what is done
        self.encoder()
        with _processes().main_process_first():
            cached = self.inputs
        corruption = TokenCorruption.of(
            cached["tokens"],
            self.encoder_module.encoder.position,
            clean=self.config.clean,
            dropped=self.config.dropped,
        )
        held_out = cached["held_out_latents"], cached["held_out_tokens"]
        task = DenoiserTask(
            cached["latents"],
            corruption,
            held_out,
            self.denoiser_module(cached["tokens"].shape[2]),
            self.config.unet,
            self.recipe("unet"),
        )
        self._train("unet", task, self.config.unet)
        self.trained_unet = task.module.unet

    def denoiser_module(self, token_dim: int) -> DenoiserModule:
        """The UNet with its loss, untrained."""
        torch.manual_seed(self.config.unet.seed)
        unet = make_unet(self.config.unet_channels, latent_channels=LATENT_CHANNELS, token_dim=token_dim)
        alphas: Tensor = make_scheduler().alphas_cumprod
        return DenoiserModule(unet, alphas_cumprod=alphas, cap=self.config.loss_weight_cap)

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """Latents and tokens of all scenes, from the file if they are there."""
        path = self.folder / "unet" / "inputs.safetensors"
        if path.is_file():
            return load_file(path)
        computed = unet_inputs(
            self.autoencoder_module,
            self.encoder_module.encoder,
            pictures=self.pictures,
            held_out=self.held_out,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in computed.items()}, temporary)
        return computed

    def assemble(self) -> Path:
        """Write the backbone and the classifier; every process loads what is done, the main one writes."""
        self.unet()
        self.classifier()
        target, judge = self.folder / NAME, self.folder / "scene_classifier"
        if not _processes().is_main_process:
            return target
        write_backbone(
            target,
            unet=self.trained_unet,
            vae=self.autoencoder_module.vae,
            encoder=self.encoder_module.encoder,
            basis=self.basis,
            inputs=self.inputs,
            story={
                "pretraining": self.config.model_dump(mode="json"),
                "stages": {stage: json.loads(self.done_file(stage).read_text("utf-8")) for stage in STAGES},
            },
        )
        write_classifier(judge, self.classifier_module)
        self.say(f"{target}: the backbone; {judge}: its judge")
        return target
