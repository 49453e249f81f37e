"""From tokens to images: any of diffusers' schedulers, guidance in one call for both branches, keyed noise."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.dynadiff.trials import SAMPLING
from tempgen.errors import DecoderError
from tempgen.models.backbone import Backbone, BackboneSpec
from tempgen.models.keyed_noise import keyed_normal


def initial_noise(
    spec: BackboneSpec, *, seed: int, image_ids: Sequence[int], repetitions: Sequence[int]
) -> Tensor:
    """Noise that sampling starts from: of an image and a repetition, whatever the lag, the decoder and the batch.

    Parameters
    ----------
    spec : BackboneSpec
    seed : int
    image_ids, repetitions : sequence of int, length n

    Returns
    -------
    Tensor, shape (n, *spec.latent_shape)
        Standard normal float32 on the CPU.

    Raises
    ------
    DecoderError
        If there are not as many repetitions as images.
    """
    if len(image_ids) != len(repetitions):
        raise DecoderError(
            f"{len(image_ids)} image_ids and {len(repetitions)} repetitions: give one of each an image"
        )
    keys = [
        (SAMPLING, int(image), int(repetition))
        for image, repetition in zip(image_ids, repetitions, strict=True)
    ]
    return keyed_normal(spec.latent_shape, seed=seed, keys=keys)


def images_of_tokens(
    backbone: Backbone,
    tokens: NDArray[np.float32],
    *,
    config: SamplingConfig,
    image_ids: Sequence[int] | NDArray[np.int64] | None = None,
    repetitions: Sequence[int] | NDArray[np.int64] | None = None,
    null_tokens: Tensor | None = None,
    progress: Callable[[int], Any] | None = None,
) -> NDArray[np.float32]:
    """Sample from keyed noise, NumPy in and NumPy out.

    Parameters
    ----------
    backbone : Backbone
        With whatever adapter lies in its UNet.
    tokens : array, shape (n, n_tokens, token_dim)
    image_ids, repetitions : sequence of int, length n, optional
        Keys of `initial_noise`. Without them the n tokens are of images 0 .. n - 1, and repetition 0.
    config, null_tokens, progress
        As in `sample_images`.

    Returns
    -------
    array of float32, shape (n, image_size, image_size, 3)
        In [0, 1].

    Raises
    ------
    DecoderError
        As `sample_images` and `initial_noise`.
    """
    ids = range(len(tokens)) if image_ids is None else np.asarray(image_ids).tolist()
    numbers = [0] * len(tokens) if repetitions is None else np.asarray(repetitions).tolist()
    images = sample_images(
        backbone,
        torch.from_numpy(np.ascontiguousarray(tokens, dtype=np.float32)),
        noise=initial_noise(backbone.spec, seed=config.seed, image_ids=ids, repetitions=numbers),
        config=config,
        null_tokens=null_tokens,
        progress=progress,
    )
    return np.ascontiguousarray(images.movedim(1, -1).numpy())


@torch.no_grad()
def sample_images(
    backbone: Backbone,
    tokens: Tensor,
    *,
    noise: Tensor,
    config: SamplingConfig,
    null_tokens: Tensor | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Tensor:
    """Denoise from given noise under given tokens, and decode.

    Parameters
    ----------
    backbone : Backbone
        With whatever adapter lies in its UNet.
    tokens : Tensor, shape (n, n_tokens, token_dim)
    noise : Tensor, shape (n, *latent_shape)
        From `initial_noise`.
    config : SamplingConfig
    null_tokens : Tensor, shape (n_tokens, token_dim), optional
        Tokens of no condition; the backbone's own unless given.
    progress : callable, optional
        Called with the number of images done, after each batch.

    Returns
    -------
    Tensor, shape (n, 3, image_size, image_size)
        float32 in [0, 1], on the CPU.

    Raises
    ------
    DecoderError
        If tokens and noise do not fit the backbone, or diffusers has no such scheduler.
    """
    spec = backbone.spec
    needed = (len(tokens), spec.n_tokens, spec.token_dim), (len(tokens), *spec.latent_shape)
    if (tuple(tokens.shape), tuple(noise.shape)) != needed:
        raise DecoderError(
            f"tokens of shape {tuple(tokens.shape)} and noise of shape {tuple(noise.shape)} came; "
            f"{spec.name} needs {needed[0]} and {needed[1]}"
        )
    scheduler = scheduler_for(backbone, config.scheduler)
    device = backbone.device
    null = (backbone.null_tokens(1)[0] if null_tokens is None else null_tokens).to(device, torch.float32)
    images = torch.empty(len(tokens), 3, spec.image_size, spec.image_size)
    for start in range(0, len(tokens), config.batch_size):
        rows = slice(start, start + config.batch_size)
        latents = _sample_latents(
            backbone, scheduler, tokens[rows].to(device, torch.float32), noise[rows], null, config
        )
        images[rows] = backbone.decode(latents).to("cpu", torch.float32)
        if progress is not None:
            progress(min(rows.stop, len(tokens)))
    return images


def scheduler_for(backbone: Backbone, name: str) -> Any:
    """A scheduler of diffusers with the backbone's betas and its other settings, as far as it knows them.

    Parameters
    ----------
    backbone : Backbone
    name : str
        Class in ``diffusers``, e.g. ``"DDIMScheduler"``.

    Raises
    ------
    DecoderError
        If diffusers has no such scheduler, or it is not one for models that predict noise.
    """
    import diffusers

    found = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if not (inspect.isclass(found) and issubclass(found, diffusers.SchedulerMixin)):
        raise DecoderError(
            f"diffusers has no scheduler {name!r}: give one of its classes, e.g. DDIMScheduler, DPMSolverMultistepScheduler"
        )
    known = inspect.signature(found).parameters
    if not {"prediction_type", "beta_schedule"} <= set(known) or "Inverse" in name:
        raise DecoderError(
            f"{name} is not made to sample from a model that predicts noise: take another, e.g. DDIMScheduler"
        )
    scheduler: Any = found
    try:
        return scheduler.from_config(backbone.scheduler.config)
    except ImportError as error:
        raise DecoderError(f"{name} needs a package that is not installed: {error}") from error


def _sample_latents(
    backbone: Backbone, scheduler: Any, tokens: Tensor, noise: Tensor, null: Tensor, config: SamplingConfig
) -> Tensor:
    """Latents (n, *latent_shape) in float32: the scheduler's arithmetic is exact whatever the UNet's precision."""
    guided = config.guidance != 1.0
    condition = torch.cat([null.expand_as(tokens), tokens]) if guided else tokens
    scheduler.set_timesteps(
        config.n_steps
    )  # timesteps stay on the CPU: schedulers look them up there, without waiting
    extra = _step_arguments(scheduler, noise)
    latents = noise.to(tokens.device, torch.float32) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(latents, timestep)
        with _autocast(tokens.device, config.mixed_precision):
            epsilon = backbone.denoise(scaled.repeat(2, 1, 1, 1) if guided else scaled, timestep, condition)
        epsilon = epsilon.float()
        if guided:
            without, with_tokens = epsilon.chunk(2)
            epsilon = without + config.guidance * (with_tokens - without)
        latents = scheduler.step(epsilon, timestep, latents, **extra).prev_sample
    return latents


def _step_arguments(scheduler: Any, noise: Tensor) -> dict[str, Any]:
    """A generator for each image where a scheduler may draw noise of its own, seeded by the image's initial noise."""
    may_draw = "generator" in inspect.signature(scheduler.step).parameters
    if not may_draw or type(scheduler).__name__.startswith("DDIM"):  # DDIM draws only with eta > 0
        return {}
    rows = noise.detach().to("cpu", torch.float32).contiguous().numpy()
    digests = [hashlib.sha256(row.tobytes()).digest() for row in rows]
    seeds = [int.from_bytes(digest[:8], "little") >> 1 for digest in digests]
    return {"generator": [torch.Generator().manual_seed(seed) for seed in seeds]}


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
