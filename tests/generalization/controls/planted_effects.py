"""Results in which a cell's score above chance is what a test says, as a decoder of these numbers would give it."""

import numpy as np
import xarray as xr

from tempgen.config.controls import ControlsConfig
from tempgen.metrics import IMAGE_METRICS

RULES = ControlsConfig(n_draws=500)
START_TR, N_TR = 2, 6


def planted_effects(
    effects, *, n_trials=200, n_images=100, noise=0.15, seed=0, targets=("current",), **attrs
):
    """Identification with ``effects[train, test]`` (or [train, test, target]) above 0.5; other cells are NaN."""
    rng = np.random.default_rng(seed)
    train = sorted({cell[0] for cell in effects})
    test = sorted({cell[1] for cell in effects})
    scores = np.full((len(train), len(test), len(targets), n_trials), np.nan)
    for cell, effect in effects.items():
        target = targets.index(cell[2]) if len(cell) > 2 else targets.index("current")
        place = train.index(cell[0]), test.index(cell[1]), target
        scores[place] = 0.5 + np.broadcast_to(effect, n_trials) + rng.normal(0, noise, n_trials)
    return xr.Dataset(
        {
            "identification": (
                ("train_delta", "test_delta", "target", "trial"),
                scores.astype(np.float32),
                IMAGE_METRICS["identification"].attrs(),
            )
        },
        coords={
            "train_delta": train,
            "test_delta": test,
            "lag_s": ("test_delta", (np.array(test) + START_TR + N_TR) * 4 / 3),
            "target": list(targets),
            "image_id": ("trial", np.arange(n_trials) % n_images),
            "run": ("trial", np.arange(n_trials) // 25),
            "onset_tr": ("trial", 3 * (np.arange(n_trials) % 25)),
        },
        attrs={"n_tr": N_TR, "start_tr": START_TR, "general_delta": 0, "decoder_target": "pixels", **attrs},
    )
