"""The five stages of pretraining, each resumable, and the folders that they end in."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.data.scenes import SEGMENTATION_CLASSES
from tempgen.errors import ConfigError
from tempgen.files import whole_file
from tempgen.models.backbone.scenes import NAME
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.models.scene_segmenter import SceneSegmenter
from tempgen.training.scenes.assembly import write_backbone, write_classifier, write_segmenter
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
from tempgen.training.scenes.run import (
    BEFORE_UNET,
    RunFolder,
    Say,
    held_out_masks,
    held_out_scenes,
    processes,
    stage_report,
    training_masks,
    training_scenes,
)
from tempgen.training.scenes.segmenter import SegmenterModule, SegmenterTask

__all__ = ["JUDGES", "STAGES", "held_out_scenes", "pretrain_scenes", "training_scenes"]

STAGES = ("autoencoder", "encoder", "classifier", "segmenter", "unet")
BACKBONE = ("autoencoder", "encoder", "classifier", "unet")
"""Stages after which the backbone is written: its parts, and the classifier that it is checked with."""
JUDGES = {"classifier": "scene_classifier", "segmenter": "scene_segmenter"}
"""Stages whose network only judges samples, and the folder of each."""
CLASSIFIER_CHANNELS = (32, 64, 128)
"""Wider than the image encoder, and trained from another seed: it judges, and shares nothing with what it judges."""


def pretrain_scenes(
    config: ScenesPretraining,
    folder: Path,
    *,
    stages: tuple[str, ...] = STAGES,
    say: Say = print,
    overwrite: bool = False,
) -> Path | None:
    """Train the ``scenes`` backbone and its judges; what an earlier call did is kept.

    Parameters
    ----------
    folder : Path
        Gets the drawn scenes, a folder for each stage, and, as the package has them, ``scene_classifier`` and
        ``scene_segmenter`` once their stage is done, ``scenes`` once those of the backbone and the classifier are.
    stages : tuple of str
        Which to do, in this order: ``"autoencoder"``, ``"encoder"``, ``"classifier"``, ``"segmenter"``, ``"unet"``. The
        first four are independent and may run at the same time; the UNet needs the first two.
    overwrite : bool
        Train these stages anew. With the first or second, what the UNet has learned from their outputs is removed.

    Returns
    -------
    Path or None
        The backbone's folder, None while stages that it needs are missing.

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
    run.write_judges(stages)
    return run.assemble() if all(run.is_done(stage) for stage in BACKBONE) else None


class _Run(RunFolder):
    """The stages of a run folder, each a method of its name."""

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

    @cached_property
    def segmenter_module(self) -> SegmenterModule:
        """The segmentation network, trained or not."""
        torch.manual_seed(self.config.segmenter.seed)
        return SegmenterModule(SceneSegmenter(SEGMENTATION_CLASSES))

    def autoencoder(self) -> None:
        """Stage 1."""
        config = self.config.autoencoder
        task = AutoencoderTask(
            self.pictures, self.held_out, self.autoencoder_module, config, self.recipe("autoencoder")
        )
        self.train("autoencoder", task, config)

    def encoder(self) -> None:
        """Stage 2."""
        task = EncoderTask(
            "encoder", self.pictures, self.held_out, self.encoder_module, self.recipe("encoder")
        )
        self.train("encoder", task, self.config.encoder)

    def classifier(self) -> None:
        """Stage 3."""
        task = EncoderTask(
            "classifier", self.pictures, self.held_out, self.classifier_module, self.recipe("classifier")
        )
        self.train("classifier", task, self.config.classifier)

    def segmenter(self) -> None:
        """Stage 4."""
        task = SegmenterTask(
            self.pictures,
            training_masks(self.config, self.folder),
            self.held_out,
            held_out_masks(self.config, self.folder),
            self.segmenter_module,
            self.config.segmenter,
            self.recipe("segmenter"),
        )
        self.train("segmenter", task, self.config.segmenter)

    def unet(self) -> None:
        """Stage 5, on what the first two made."""
        for needed in BEFORE_UNET:
            if not self.is_done(needed):
                raise ConfigError(
                    f"The UNet is trained on the {needed}'s output, which is not in {self.folder}: run that stage first."
                )
        self.autoencoder()  # loads what is done
        self.encoder()
        with processes().main_process_first():
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
            self.denoiser_module(cached["token_readout"]),
            self.config.unet,
            self.recipe("unet"),
        )
        self.train("unet", task, self.config.unet)
        self.trained_unet = task.module.unet

    def denoiser_module(self, readout: Tensor) -> DenoiserModule:
        """The UNet with its loss, untrained."""
        torch.manual_seed(self.config.unet.seed)
        unet = make_unet(
            self.config.unet_channels, latent_channels=LATENT_CHANNELS, token_dim=readout.shape[1]
        )
        alphas: Tensor = make_scheduler().alphas_cumprod
        return DenoiserModule(unet, alphas_cumprod=alphas, readout=readout, cap=self.config.loss_weight_cap)

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

    def write_judges(self, stages: tuple[str, ...]) -> None:
        """Write the folders of the judges among these stages, and of earlier ones that lack theirs."""
        lacking = [stage for stage in JUDGES if self.is_done(stage) and not self._judge(stage).is_dir()]
        for stage in JUDGES:
            if stage in lacking and stage not in stages:
                getattr(self, stage)()  # loads what is done
            if processes().is_main_process and (stage in stages or stage in lacking):
                self._write_judge(stage)
                self.say(f"{self._judge(stage)}: the {stage}")

    def _judge(self, stage: str) -> Path:
        return self.folder / JUDGES[stage]

    def _write_judge(self, stage: str) -> None:
        if stage == "classifier":
            write_classifier(self._judge(stage), self.classifier_module)
        else:
            write_segmenter(self._judge(stage), self.segmenter_module)

    def assemble(self) -> Path:
        """Write the backbone; every process loads what is done, the main one writes."""
        self.unet()
        target = self.folder / NAME
        if not processes().is_main_process:
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
                "stages": {stage: stage_report(self.folder, stage) for stage in BACKBONE},
            },
        )
        self.say(f"{target}: the backbone")
        return target
