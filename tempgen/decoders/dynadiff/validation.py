"""What watches a training, on training runs held out for it: loss, token error, a few reconstructions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tempgen.decoders.dynadiff.encoded_images import ImageReader, as_tensor
from tempgen.decoders.dynadiff.module import DynadiffModule
from tempgen.decoders.dynadiff.sampling import initial_noise, sample_images
from tempgen.decoders.dynadiff.trials import VALIDATION, DynadiffTrials
from tempgen.metrics.pixel import pixcorr


@torch.no_grad()
def validation_scores(
    called: nn.Module, module: DynadiffModule, trials: DynadiffTrials, *, seen: ImageReader | None
) -> dict[str, float]:
    """Scores with the weights as they are; no random state is read or changed.

    Parameters
    ----------
    called : nn.Module
        ``module`` as a training loop has wrapped it: compiled, or in another precision.
    module : DynadiffModule
    trials : DynadiffTrials
        Held out of the training.
    seen : callable or None
        Reads seen images; None: nothing is reconstructed.

    Returns
    -------
    dict of float
        ``diffusion_loss``: at the same noise and timesteps each time. ``token_error``: squared error of the predicted
        tokens by the true ones' variance over trials (1: no better than their mean); where the trials have true
        tokens. ``pixel_correlation``: mean over reconstructed trials. ``monitor``: the configured one, lower is better.
    """
    config = module.config
    training = called.training
    called.eval()
    rows = _spread(len(trials), config.validation_trials)
    scores = {"diffusion_loss": _diffusion_loss(called, module, trials, rows)}
    predicted = _in_batches(module, trials, rows)
    if trials.images.tokens is not None:
        true = trials.true_tokens(rows)
        variance = true.var(dim=0, unbiased=False).mean() if len(rows) > 1 else true.var()
        scores["token_error"] = float((predicted - true).square().mean() / variance)
    if seen is not None and config.validation_images > 0:
        some = _spread(len(rows), config.validation_images)
        scores["pixel_correlation"] = _pixel_correlation(
            module, predicted[torch.from_numpy(some)], trials.image_ids[rows[some]], seen
        )
    called.train(training)
    if config.monitor in scores:
        sign = -1 if config.monitor == "pixel_correlation" else 1
        scores["monitor"] = sign * scores[config.monitor]
    return scores


def _spread(n: int, at_most: int) -> NDArray[np.int64]:
    """Up to ``at_most`` of 0 .. n - 1, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).round().astype(np.int64))


def _diffusion_loss(
    called: nn.Module, module: DynadiffModule, trials: DynadiffTrials, rows: NDArray[np.int64]
) -> float:
    config, device = module.config, module.null_embedding.device
    total = 0.0
    for some in _chunks(rows, module):
        batch = trials.noisy_samples(
            some,
            key=(VALIDATION,),
            seed=config.optimization.seed,
            n_timesteps=len(module.alphas_cumprod),
            timestep_sampling=config.timestep_sampling,
            offset_noise=config.offset_noise,
            condition_drop=0.0,
        )
        outcome = called(**{name: tensor.to(device) for name, tensor in batch.items()})
        total += float(outcome["diffusion_loss"]) * len(some)
    return total / len(rows)


def _in_batches(module: DynadiffModule, trials: DynadiffTrials, rows: NDArray[np.int64]) -> Tensor:
    """Predicted tokens (len(rows), n_tokens, token_dim) in float32 on the CPU."""
    device = module.null_embedding.device
    windows = (
        torch.from_numpy(np.ascontiguousarray(trials.windows(some), dtype=np.float32))
        for some in _chunks(rows, module)
    )
    return torch.cat([module.tokens(some.to(device)).float().cpu() for some in windows])


def _chunks(rows: NDArray[np.int64], module: DynadiffModule) -> list[NDArray[np.int64]]:
    size = module.config.sampling.batch_size
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _pixel_correlation(
    module: DynadiffModule, tokens: Tensor, image_ids: NDArray[np.int64], seen: ImageReader
) -> float:
    backbone = module.backbone.to(module.null_embedding.device)
    config = module.config.sampling
    noise = initial_noise(
        backbone.spec, seed=config.seed, image_ids=image_ids.tolist(), repetitions=[0] * len(image_ids)
    )
    sampled = sample_images(
        backbone, tokens, noise=noise, config=config, null_tokens=module.null_embedding.detach()
    )
    shown = as_tensor(seen(image_ids))
    if shown.shape[-2:] != sampled.shape[-2:]:
        size = (sampled.shape[-2], sampled.shape[-1])
        shown = functional.interpolate(shown, size=size, mode="bilinear", antialias=True).clamp(0, 1)
    pair = {"seen": shown.movedim(1, -1).numpy(), "reconstructed": sampled.movedim(1, -1).numpy()}
    return float(pixcorr(**pair).mean())
