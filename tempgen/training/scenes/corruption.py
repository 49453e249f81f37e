"""Tokens as a decoder gives them: what it cannot see is shrunk to the mean, the rest is a little wrong.

A regression from noisy measurements gives the posterior mean. For a component of variance ``v`` that is measured with noise
of variance ``s`` it is ``v / (v + s) * (component + noise)``: strong components come through, faint ones vanish, and the size
of what is left tells how much is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempgen.models.keyed_noise import keyed_normal, keyed_uniform

N_COMPONENTS = 384
"""Components of the grid's tokens that are kept where tokens are disturbed: the fainter ones are taken as lost. Source: house choice."""
SPREAD = 1.0
"""SD of the logarithm of the noise variance over components: no decoder's error is quite alike. Source: house choice."""
_LEVELS, _NOISE, _UNEVEN = 11, 12, 13  # first entries of the keys


@dataclass(frozen=True)
class Components:
    """Principal components of one group of tokens.

    Attributes
    ----------
    directions : Tensor, shape (n_values, n_components)
    variances : Tensor, shape (n_components,)
        Descending.
    coordinates : Tensor, shape (n_scenes, n_components)
        Of every training scene.
    """

    directions: Tensor
    variances: Tensor
    coordinates: Tensor

    @classmethod
    def of(cls, values: Tensor, n_components: int) -> Components:
        """Components of rows whose mean is zero, (n_scenes, n_values)."""
        variances, directions = torch.linalg.eigh((values.T @ values).double() / len(values))
        largest = torch.arange(len(variances) - 1, len(variances) - 1 - n_components, -1)
        chosen = directions[:, largest].float()
        return cls(chosen, variances[largest].clamp(min=1e-6).float(), values @ chosen)

    def disturbed(self, rows: NDArray[np.int64], *, level: Tensor, noise: Tensor, uneven: Tensor) -> Tensor:
        """Posterior means (n, n_values) of scenes ``rows``.

        Parameters
        ----------
        level : Tensor, shape (n,)
            In [0, 1]: noise variances between a tenth of the smallest and ten times the largest component's, in logarithm.
        noise, uneven : Tensor, shape (n, n_components)
            Standard normal.
        """
        low, high = self.variances[-1].log() - np.log(10), self.variances[0].log() + np.log(10)
        strength = torch.exp(low + (high - low) * level[:, None] + SPREAD * uneven)
        kept = self.variances / (self.variances + strength)
        return (kept * (self.coordinates[rows] + strength.sqrt() * noise)) @ self.directions.T


@dataclass(frozen=True)
class TokenCorruption:
    """Clean, missing and disturbed tokens of training scenes.

    Parameters
    ----------
    tokens : Tensor, shape (n_scenes, n_tokens, token_dim)
        The first is the whole's, the others are the grid's.
    position : Tensor, shape (n_tokens, token_dim)
        Mean of the tokens, which is never lost (except where there are none): a decoder knows it without looking.
    clean, dropped : float
        Shares of samples with undisturbed tokens and with none.
    """

    tokens: Tensor
    position: Tensor
    whole: Components
    grid: Components
    clean: float
    dropped: float

    @classmethod
    def of(cls, tokens: Tensor, position: Tensor, *, clean: float, dropped: float) -> TokenCorruption:
        """Find the components of the two groups."""
        content = tokens - position
        whole, grid = content[:, 0], content[:, 1:].flatten(1)
        n_components = min(N_COMPONENTS, grid.shape[1])
        return cls(
            tokens,
            position,
            Components.of(whole, whole.shape[1]),
            Components.of(grid, n_components),
            clean,
            dropped,
        )

    def sample(self, rows: NDArray[np.int64], *, step: int, seed: int) -> Tensor:
        """Tokens (n, n_tokens, token_dim) of scenes ``rows`` at a training step; each depends on (seed, step, row) alone.

        The two groups are disturbed to different degrees, as decoders read the gist better than the details.
        """
        keys = [(step, int(row)) for row in rows]
        uniform = keyed_uniform((3,), seed=seed, keys=[(_LEVELS, *key) for key in keys])
        n_whole, n_grid = len(self.whole.variances), len(self.grid.variances)
        noise, uneven = (
            keyed_normal((n_whole + n_grid,), seed=seed, keys=[(stream, *key) for key in keys])
            for stream in (_NOISE, _UNEVEN)
        )
        whole = self.whole.disturbed(
            rows, level=uniform[:, 1], noise=noise[:, :n_whole], uneven=uneven[:, :n_whole]
        )
        grid = self.grid.disturbed(
            rows, level=uniform[:, 2], noise=noise[:, n_whole:], uneven=uneven[:, n_whole:]
        )
        disturbed = torch.cat([whole[:, None], grid.reshape(len(rows), -1, whole.shape[1])], dim=1)
        disturbed += self.position
        kind = uniform[:, 0, None, None]
        chosen = torch.where(kind < self.clean, self.tokens[rows], disturbed)
        return torch.where(kind >= 1 - self.dropped, torch.zeros(()), chosen)
