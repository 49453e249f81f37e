"""The four stages of pretraining, each resumable, and the folder that they end in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm.auto import tqdm

from tempgen._version import __version__
from tempgen.config.optimization import OptimizationConfig
from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.data.scenes import BACKGROUNDS, CATEGORIES
from tempgen.errors import ConfigError
from tempgen.files import whole_file, whole_folder
from tempgen.models.backbone.scenes import CONFIG, LINEAR, NAME, save_scene_encoder
from tempgen.models.scene_classifier import SceneClassifier, save_scene_classifier
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.training.loop import train
from tempgen.training.outcome import TrainingOutcome
from tempgen.training.scenes.autoencoder import (
    LATENT_CHANNELS,
    AutoencoderModule,
    AutoencoderTask,
    PatchBasis,
)
from tempgen.training.scenes.corruption import TokenCorruption
from tempgen.training.scenes.denoiser import DenoiserModule, DenoiserTask, make_scheduler, make_unet
from tempgen.training.scenes.encoder import EncoderModule, EncoderTask, standardize
from tempgen.training.scenes.pictures import Pictures, draw_pictures
from tempgen.training.task import TrainingTask

STAGES = ("autoencoder", "encoder", "classifier", "unet")
UNET_OPTIONS = ("unet_channels", "clean", "dropped", "loss_weight_cap")
CLASSIFIER_CHANNELS = (32, 64, 128)
"""Wider than the image encoder, and trained from another seed: it judges, and shares nothing with what it judges."""
AT_ONCE = 250
"""Scenes that pass a network together."""

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
        Train these stages anew.

    Returns
    -------
    Path or None
        The backbone's folder, None while stages are missing.

    Raises
    ------
    ConfigError
        If a stage is unknown.
    """
    if unknown := sorted(set(stages) - set(STAGES)):
        raise ConfigError(f"There are no stages {unknown} of pretraining; there are {', '.join(STAGES)}.")
    run = _Run(config, folder, say, overwrite)
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
    with PartialState().main_process_first():  # the others then find them drawn
        return draw_pictures(folder / f"pictures-{seed}-{n_scenes}.npz", n_scenes=n_scenes, seed=seed)


@dataclass
class _Run:
    """One run folder: what is loaded is loaded once."""

    config: ScenesPretraining
    folder: Path
    say: Say
    overwrite: bool

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
        outcome = train(task, config, self.folder / stage, say=self.say, overwrite=self.overwrite)
        if PartialState().is_main_process and (outcome.loss is not None or not self.is_done(stage)):
            report = {
                "n_steps": outcome.n_steps,
                "batch_size": config.batch_size,
                "scores": outcome.scores,
                "loss": outcome.loss,
                "seconds_of_last_call": round(outcome.seconds),
            }
            with whole_file(self.done_file(stage)) as temporary:
                temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
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
        for needed in ("autoencoder", "encoder"):
            if not self.is_done(needed):
                raise ConfigError(
                    f"The UNet is trained on the {needed}'s output, which is not in {self.folder}: run that stage first."
                )
        self.autoencoder()  # loads what is done
        self.encoder()
        with PartialState().main_process_first():
            cached = self._cached()
        corruption = TokenCorruption.of(
            cached["tokens"], clean=self.config.clean, dropped=self.config.dropped
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

    @torch.no_grad()
    def _cached(self) -> dict[str, Tensor]:
        """Latents and tokens of all scenes, from the file if they are there."""
        path = self.folder / "unet" / "inputs.safetensors"
        if path.is_file() and not self.overwrite:
            return load_file(path)
        encoder = self.encoder_module.encoder.eval()
        standardize(encoder, self.pictures)
        latents, tokens = self._pass(self.pictures), self._tokens(self.pictures)
        shift, spread = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
        scale = self.autoencoder_module.visibility(shift, spread) / spread
        raw = self._pass(self.held_out)
        cached = {
            "latents": (latents - shift[:, None, None]) * scale[:, None, None],
            "tokens": tokens,
            "held_out_latents": (raw - shift[:, None, None]) * scale[:, None, None],
            "held_out_tokens": self._tokens(self.held_out),
            "latent_shift": shift,
            "latent_scale": scale,
            "token_mean": encoder.token_mean,
            "token_scale": encoder.token_scale,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in cached.items()}, temporary)
        return cached

    def _pass(self, pictures: Pictures) -> Tensor:
        module = self.autoencoder_module
        return torch.cat(
            [
                module.vae.encode(module.blocks(pixels * 2 - 1)).latent_dist.mean.float()
                for pixels in _portions(pictures, "latents")
            ]
        )

    def _tokens(self, pictures: Pictures) -> Tensor:
        return torch.cat([self.encoder_module.encoder(pixels) for pixels in _portions(pictures, "tokens")])

    @torch.no_grad()
    def assemble(self) -> Path:
        """Write the backbone and the classifier in half precision, as the package has them."""
        target = self.folder / NAME
        if not PartialState().is_main_process:
            return target
        self.unet()
        self.classifier()
        cached = self._cached()
        encoder = self.encoder_module.encoder
        encoder.token_mean.copy_(cached["token_mean"])
        encoder.token_scale.copy_(cached["token_scale"])
        with whole_folder(target) as temporary:
            self.trained_unet.half().save_pretrained(temporary / "image_unet")
            self.autoencoder_module.vae.half().save_pretrained(temporary / "vae")
            make_scheduler().save_pretrained(temporary / "scheduler")
            save_scene_encoder(encoder, temporary)
            linear = {
                "patch_mean": self.basis.mean,
                "patch_basis": self.basis.basis,
                "latent_shift": cached["latent_shift"],
                "latent_scale": cached["latent_scale"],
            }
            save_file({name: tensor.contiguous() for name, tensor in linear.items()}, temporary / LINEAR)
            (temporary / CONFIG).write_text(json.dumps(self._description(cached), indent=2) + "\n")
        with whole_folder(self.folder / "scene_classifier") as temporary:
            save_scene_classifier(self._classifier(), temporary)
        self.say(f"{target}: the backbone; {self.folder / 'scene_classifier'}: its judge")
        return target

    def _classifier(self) -> SceneClassifier:
        """The classifier's body and, of its readouts, that of the categories."""
        module, first = self.classifier_module, len(BACKGROUNDS)
        classifier = SceneClassifier(module.encoder, CATEGORIES)
        rows = slice(first, first + len(CATEGORIES))
        classifier.readout.weight.copy_(module.read_content.weight[rows])
        classifier.readout.bias.copy_(module.read_content.bias[rows])
        return classifier

    def _description(self, cached: Mapping[str, Tensor]) -> dict[str, Any]:
        reports = {stage: json.loads(self.done_file(stage).read_text("utf-8")) for stage in STAGES}
        return {
            "name": NAME,
            "image_size": 64,
            "latent_shape": list(cached["latents"].shape[1:]),
            "n_tokens": cached["tokens"].shape[1],
            "token_dim": cached["tokens"].shape[2],
            "tempgen_version": __version__,
            "pretraining": self.config.model_dump(mode="json"),
            "stages": reports,
        }


def _portions(pictures: Pictures, what: str) -> Any:
    starts = range(0, len(pictures), AT_ONCE)
    for start in tqdm(starts, desc=what, unit="batch", disable=None):
        yield pictures.pixels(slice(start, start + AT_ONCE))
