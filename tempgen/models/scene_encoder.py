"""The image encoder of the ``scenes`` backbone: a small convolutional network from an image to conditioning tokens."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

UNSHUFFLE = 4
"""Pixels a side that become channels before the first convolution. Source: house choice, for speed on a CPU."""


class SceneEncoder(nn.Module):
    """Tokens of an image: one of the whole image, then one for each place of a coarse grid.

    Parameters
    ----------
    channels : tuple of int
        Of the three stages, which see the image at 1/4, 1/8 and 1/16 of its resolution; multiples of 8.
    token_dim : int
        Values of a token.
    grid_side : int
        Places a side: the image's side / 16.

    Attributes
    ----------
    token_mean, token_scale : Tensor, shape (n_tokens, token_dim)
        Mean and SD of the raw tokens over the training scenes; :meth:`forward` standardizes with them.
    position : Tensor, shape (n_tokens, token_dim)
        What :meth:`forward` adds: cosines that tell attention which token is which. It is the tokens' mean.
    """

    token_mean: Tensor
    token_scale: Tensor
    position: Tensor

    def __init__(
        self, *, channels: tuple[int, int, int] = (32, 64, 96), token_dim: int = 96, grid_side: int = 4
    ) -> None:
        super().__init__()
        first, second, third = channels
        self.config: dict[str, Any] = {
            "channels": list(channels),
            "token_dim": token_dim,
            "grid_side": grid_side,
        }
        self.body = nn.Sequential(
            nn.Conv2d(3 * UNSHUFFLE**2, first, 1),
            _Residual(first),
            _Residual(first),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            _Residual(second),
            _Residual(second),
            nn.Conv2d(second, third, 3, stride=2, padding=1),
            _Residual(third),
            nn.GroupNorm(8, third),
            nn.SiLU(),
        )
        self.to_grid = nn.Conv2d(third, token_dim, 1)
        self.to_whole = nn.Sequential(
            nn.Linear(2 * third, 2 * third), nn.SiLU(), nn.Linear(2 * third, token_dim)
        )
        shape = (grid_side**2 + 1, token_dim)
        self.register_buffer("token_mean", torch.zeros(shape))
        self.register_buffer("token_scale", torch.ones(shape))
        self.register_buffer("position", position_code(*shape), persistent=False)

    @property
    def n_tokens(self) -> int:
        """The whole image's token and those of the grid."""
        return len(self.token_mean)

    @property
    def image_size(self) -> int:
        """Pixels a side of the images."""
        return 4 * UNSHUFFLE * int(self.config["grid_side"])

    def raw_tokens(self, images: Tensor) -> Tensor:
        """Tokens before standardization: (n, 3, side, side) in [0, 1] -> (n, n_tokens, token_dim)."""
        pixels = functional.pixel_unshuffle(images * 2 - 1, UNSHUFFLE)
        features = self.body(pixels.contiguous(memory_format=torch.channels_last))
        whole = self.to_whole(torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1))
        return torch.cat([whole[:, None], self.to_grid(features).flatten(2).transpose(1, 2)], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens: (n, 3, side, side) in [0, 1] -> (n, n_tokens, token_dim), each of SD 1 about its position's code."""
        return (self.raw_tokens(images) - self.token_mean) / self.token_scale + self.position


def position_code(n_tokens: int, token_dim: int) -> Tensor:
    """Orthogonal cosines of mean square 1, one for each token: (n_tokens, token_dim)."""
    places = (torch.arange(token_dim) + 0.5) * math.pi / token_dim
    # the constant is left out
    return 2**0.5 * torch.cos(torch.arange(1, n_tokens + 1)[:, None] * places)


class _Residual(nn.Module):
    """One normalized 3 x 3 convolution beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        residual: Tensor = self.convolution(functional.silu(self.norm(features)))
        return features + residual
