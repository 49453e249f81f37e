"""Pretraining in a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tempgen.config.optimization import OptimizationConfig
from tempgen.config.scenes_pretraining import ScenesPretraining
from tempgen.training.scenes.pictures import Pictures, _draw_masks

N_SCENES, N_HELD_OUT, SEED = 200, 50, 7


def tiny_pretraining(**changes: Any) -> ScenesPretraining:
    """All stages at a few small batches; float32, so that stopping and resuming changes no bit."""

    def stage(**other: Any) -> OptimizationConfig:
        values = {
            "n_steps": 4,
            "batch_size": 8,
            "learning_rate": 1e-3,
            "warmup_steps": 0,
            "checkpoint_every": 2,
            "validate_every": 4,
            "keep": "last",
            "tracker": None,
        }
        return OptimizationConfig.model_validate({**values, **other})

    stages = {
        "autoencoder": stage(),
        "encoder": stage(),
        "classifier": stage(seed=1),
        "segmenter": stage(seed=2),
        "unet": stage(ema_decay=0.9),
    }
    return ScenesPretraining(
        **{
            "n_scenes": N_SCENES,
            "n_held_out": N_HELD_OUT,
            "seed": SEED,
            **stages,
            **changes,
        }
    )


def keep_pictures(folder: Path, pictures: Pictures, held_out: Pictures) -> None:
    """Put scenes into a run's folder as if it had drawn them: no processes are started for that."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, drawn in ((SEED, pictures), (SEED + 1, held_out)):
        np.savez(folder / f"pictures-{seed}-{len(drawn)}.npz", images=drawn.images, content=drawn.content)
        np.savez(folder / f"masks-{seed}-{len(drawn)}.npz", masks=_draw_masks((0, len(drawn), seed))[0])
