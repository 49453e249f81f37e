"""Dynadiff as something that a training loop can minimize: batches keyed by (seed, step, trial), and what watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from tempgen.decoders.dynadiff.encoded_images import ImageReader
from tempgen.decoders.dynadiff.module import DynadiffModule
from tempgen.decoders.dynadiff.trials import TRAINING, DynadiffTrials
from tempgen.decoders.dynadiff.validation import validation_scores
from tempgen.errors import DecoderError
from tempgen.models.keyed_noise import keyed_normal

WINDOW_NOISE = 4
"""First entry of the noise keys, beside those of the trials."""


class DynadiffTask:
    """Training of a Dynadiff decoder on the trials of one lag.

    Parameters
    ----------
    module : DynadiffModule
    trials : DynadiffTrials
        Training trials; with true tokens where ``config.token_loss`` is not 0.
    held_out : DynadiffTrials, optional
        Trials of training runs that are held out; with true tokens, or there is no token error.
    seen : callable, optional
        Reads seen images by their IDs; without it nothing is reconstructed at validation.
    recipe : mapping, optional
        What else determines the result, as plain values: store, split, window, lag, start.
    name : str

    Attributes
    ----------
    n_samples : int
        Number of training trials.
    recipe : dict
        With the decoder's configuration, but for what the training loop knows itself.

    Raises
    ------
    DecoderError
        If there are no training trials, or a token loss without true tokens.
    """

    def __init__(
        self,
        module: DynadiffModule,
        trials: DynadiffTrials,
        *,
        held_out: DynadiffTrials | None = None,
        seen: ImageReader | None = None,
        recipe: Mapping[str, Any] | None = None,
        name: str = "dynadiff",
    ) -> None:
        if len(trials) == 0:
            raise DecoderError("there are no training trials: widen the split, or ask for fewer lags")
        if module.config.token_loss > 0 and trials.images.tokens is None:
            raise DecoderError(
                "token_loss needs the true tokens of the training images: encode them with_tokens=True"
            )
        self.name = name
        self.module: nn.Module = module
        self.n_samples = len(trials)
        self._module, self._trials, self._held_out, self._seen = module, trials, held_out, seen
        config = module.config
        left_out = {"optimization", "backbone_folder"} | (
            {"sampling"} if config.monitor != "pixel_correlation" else set()
        )
        self.recipe: dict[str, Any] = {
            "decoder": config.model_dump(mode="json", exclude=left_out),
            "backbone": {
                **asdict(module.backbone.spec),
                "latent_shape": list(module.backbone.spec.latent_shape),
            },
            "subject": module.subject,
            "n_trials": len(trials),
            "n_held_out_trials": 0 if held_out is None else len(held_out),
            **(recipe or {}),
        }

    def batch(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        """CPU tensors of some training trials: the arguments of the module.

        Noise, timestep, dropping and the posterior's draw of a trial depend on (seed, step, trial) alone.
        """
        config = self._module.config
        batch = self._trials.noisy_samples(
            rows,
            key=(TRAINING, step),
            seed=config.optimization.seed,
            n_timesteps=len(self._module.alphas_cumprod),
            timestep_sampling=config.timestep_sampling,
            offset_noise=config.offset_noise,
            condition_drop=config.condition_drop,
        )
        if config.token_loss > 0:
            batch["target_tokens"] = self._trials.true_tokens(rows)
        if config.window_noise > 0:
            keys = [(WINDOW_NOISE, step, int(trial)) for trial in self._trials.keys[rows]]
            noise = keyed_normal(batch["windows"].shape[1:], seed=config.optimization.seed, keys=keys)
            batch["windows"] = batch["windows"] + config.window_noise * noise
        return batch

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Scores on the held-out trials: see `validation_scores`; nothing if there are none."""
        if self._held_out is None or len(self._held_out) == 0:
            return {}
        return validation_scores(module, self._module, self._held_out, seen=self._seen)
