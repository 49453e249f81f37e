"""What the UNet of the scenes backbone is trained on: latents and tokens of all scenes, computed once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from tempgen.models.backbone.scenes import grid_sides
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
        ``token_scale`` (n_tokens, token_dim); and how the first are read from the second: ``token_readout``, see
        :func:`fit_readout`.
    """
    encoder.eval()
    standardize(encoder, pictures)
    latents, tokens = _latents(autoencoder, pictures), _tokens(encoder, pictures)
    shift, spread = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    scale = 1 / spread
    raw = _latents(autoencoder, held_out)
    latents = (latents - shift[:, None, None]) * scale[:, None, None]
    return {
        "latents": latents,
        "tokens": tokens,
        "held_out_latents": (raw - shift[:, None, None]) * scale[:, None, None],
        "held_out_tokens": _tokens(encoder, held_out),
        "latent_shift": shift,
        "latent_scale": scale,
        "token_mean": encoder.token_mean,
        "token_scale": encoder.token_scale,
        "token_readout": fit_readout(latents, tokens),
    }


def fit_readout(latents: Tensor, tokens: Tensor, *, penalty: float = 1e-3) -> Tensor:
    """Linear map from each token of the grid to the latents at its place, by least squares.

    There is no intercept: the tokens' means (their position's code) carry it, and no tokens give no latents.

    Parameters
    ----------
    latents : Tensor, shape (n_scenes, channels, side, side)
    tokens : Tensor, shape (n_scenes, 1 + n_places, token_dim)
    penalty : float
        Of the squared weights, for each scene; against few scenes. Source: house choice.

    Returns
    -------
    Tensor, shape (n_places, token_dim, channels * within * within)
        In the order of ``pixel_shuffle``, rounded to half precision, in which it is stored.
    """
    n_places = tokens.shape[1] - 1
    _, within = grid_sides(n_places=n_places, side=latents.shape[-1])
    wanted = functional.pixel_unshuffle(latents, within).flatten(2).movedim(2, 0)  # (places, scenes, values)
    given = tokens[:, 1:].movedim(1, 0)
    gram = given.mT @ given / len(latents) + penalty * torch.eye(tokens.shape[2])
    return torch.linalg.solve(gram, given.mT @ wanted / len(latents)).half().float()


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
