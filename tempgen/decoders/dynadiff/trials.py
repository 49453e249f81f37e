"""The trials that a training or its validation reads: windows, seen images, and the keys of their noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempgen.decoders.dynadiff.encoded_images import EncodedImages
from tempgen.errors import DecoderError
from tempgen.models.keyed_noise import keyed_normal, keyed_uniform

WindowReader = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Rows (n,) of the trials -> their BOLD windows (n, n_tr, n_voxels)."""

TRAINING, VALIDATION, SAMPLING = 1, 2, 3
"""First entries of the noise's keys: what the noise is for."""


@dataclass(frozen=True)
class DynadiffTrials:
    """Trials of one subject at one lag.

    Attributes
    ----------
    windows : callable
        Reads the windows of some rows, best as slices of the store.
    image_ids : array of int, shape (n_trials,)
        The seen images.
    keys : array of int, shape (n_trials,)
        One number a trial that no other choice of trials changes, e.g. its row in the store's table: its noise depends on it.
    images : EncodedImages
        Holds at least the seen images; with true tokens where these are needed.

    Raises
    ------
    DecoderError
        If there are not as many keys as images, keys repeat, or an image was not encoded.
    """

    windows: WindowReader
    image_ids: NDArray[np.int64]
    keys: NDArray[np.int64]
    images: EncodedImages
    _image_rows: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.image_ids) or len(np.unique(self.keys)) != len(self.keys):
            raise DecoderError(
                f"{len(self.image_ids)} trials have {len(np.unique(self.keys))} different keys: one for each trial is needed"
            )
        object.__setattr__(self, "_image_rows", self.images.rows(self.image_ids))

    def __len__(self) -> int:
        return len(self.image_ids)

    def true_tokens(self, rows: NDArray[np.int64]) -> Tensor:
        """Tokens of the seen images, float32 (len(rows), n_tokens, token_dim)."""
        return self.images.tokens_of(self._image_rows[rows])

    def noisy_samples(
        self,
        rows: NDArray[np.int64],
        *,
        key: tuple[int, ...],
        seed: int,
        n_timesteps: int,
        timestep_sampling: str,
        offset_noise: float,
        condition_drop: float,
    ) -> dict[str, Tensor]:
        """What a diffusion loss needs of some trials; each trial's draws depend on ``(seed, *key, its own key)`` alone.

        Returns
        -------
        dict of Tensor
            ``windows`` (n, n_tr, n_voxels), ``latents`` and ``noise`` (n, *latent_shape), ``timesteps`` (n,) int64,
            ``dropped`` (n,) bool.
        """
        moments = self.images.moments(self._image_rows[rows])
        channels, size = moments.mean.shape[1], moments.mean[0].numel()
        keys = [(*key, int(trial)) for trial in self.keys[rows]]
        normal = keyed_normal((2 * size + channels,), seed=seed, keys=keys)
        uniform = keyed_uniform((2,), seed=seed, keys=keys)
        offset = offset_noise * normal[:, 2 * size :, None, None]
        return {
            "windows": torch.from_numpy(np.ascontiguousarray(self.windows(rows), dtype=np.float32)),
            "latents": moments.sample(normal[:, size : 2 * size].reshape(moments.mean.shape)),
            "noise": normal[:, :size].reshape(moments.mean.shape) + offset,
            "timesteps": draw_timesteps(uniform[:, 0], timestep_sampling, n_timesteps),
            "dropped": uniform[:, 1] < condition_drop,
        }


def draw_timesteps(uniform: Tensor, kind: str, n_timesteps: int) -> Tensor:
    """Timesteps from numbers in [0, 1): ``(1 - u^3) n`` (cubic, source: Dynadiff) or ``u n``, int64 in [0, n).

    Examples
    --------
    >>> draw_timesteps(torch.tensor([0.0, 0.5, 0.99]), "cubic", 1000)
    tensor([999, 875,  29])
    """
    share = 1 - uniform.double() ** 3 if kind == "cubic" else uniform.double()
    return (share * n_timesteps).long().clamp(max=n_timesteps - 1)


def hold_out_runs(runs: NDArray[np.int64], *, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Which training trials watch the training: those of whole runs, chosen at random; at least one run, at least one left.

    Parameters
    ----------
    runs : array of int, shape (n_trials,)
    fraction : float
        Share of the runs; 0 holds out none.

    Returns
    -------
    array of bool, shape (n_trials,)

    Raises
    ------
    DecoderError
        If there are not two runs to choose from.

    Examples
    --------
    >>> hold_out_runs(np.array([1, 1, 2, 2, 3, 3]), fraction=0.3, seed=0)
    array([False, False, False, False,  True,  True])
    """
    distinct = np.unique(runs)
    if fraction == 0:
        return np.zeros(len(runs), dtype=bool)
    if len(distinct) < 2:
        raise DecoderError(
            f"{len(distinct)} training run(s): one cannot be held out; train on more, or set validation_fraction: 0"
        )
    n_held_out = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
    chosen = np.random.default_rng(seed).permutation(distinct)[:n_held_out]
    return np.isin(runs, chosen)
