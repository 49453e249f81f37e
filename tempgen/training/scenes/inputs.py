"""What the UNet of the scenes backbone is trained on: latents and tokens of all scenes, computed once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tempgen.models.scene_encoder import SceneEncoder
from tempgen.training.scenes.autoencoder import AutoencoderModule
from tempgen.training.scenes.encoder import standardize
from tempgen.training.scenes.pictures import Pictures

AT_ONCE = 250
"""Scenes that pass a network together."""


@torch.no_grad()
def unet_inputs(
    autoencoder: AutoencoderModule, encoder: SceneEncoder, *, pictures: Pictures, held_out: Pictures
) -> dict[str, Tensor]:
    """Pass all scenes through the VAE and the image encoder, whose tokens are standardized from then on.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    encoder : SceneEncoder
        Its mean and scale are set, from the first training scenes.
    pictures, held_out : Pictures

    Returns
    -------
    dict of Tensor
        ``latents`` (n_scenes, 24, 8, 8) in units of the UNet, ``tokens`` (n_scenes, n_tokens, token_dim), the same with
        ``held_out_``; what makes them so: ``latent_shift`` and ``latent_scale`` (24,), ``token_mean`` and
        ``token_scale`` (n_tokens, token_dim).
    """
    encoder.eval()
    standardize(encoder, pictures)
    latents, tokens = _latents(autoencoder, pictures), _tokens(encoder, pictures)
    shift, spread = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    scale = 1 / spread
    raw = _latents(autoencoder, held_out)
    return {
        "latents": (latents - shift[:, None, None]) * scale[:, None, None],
        "tokens": tokens,
        "held_out_latents": (raw - shift[:, None, None]) * scale[:, None, None],
        "held_out_tokens": _tokens(encoder, held_out),
        "latent_shift": shift,
        "latent_scale": scale,
        "token_mean": encoder.token_mean,
        "token_scale": encoder.token_scale,
    }


def _latents(module: AutoencoderModule, pictures: Pictures) -> Tensor:
    """Posterior means in the VAE's own units."""
    return torch.cat(
        [
            module.vae.encode(module.blocks(pixels * 2 - 1)).latent_dist.mean.float()
            for pixels in _portions(pictures, "latents")
        ]
    )


def _tokens(encoder: SceneEncoder, pictures: Pictures) -> Tensor:
    return torch.cat([encoder(pixels) for pixels in _portions(pictures, "tokens")])


def _portions(pictures: Pictures, what: str) -> Iterator[Tensor]:
    starts = range(0, len(pictures), AT_ONCE)
    for start in tqdm(starts, desc=what, unit="batch", disable=None):
        yield pictures.pixels(slice(start, start + AT_ONCE))
