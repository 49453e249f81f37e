"""A planted result, as an analysis of a subject would give it."""

import numpy as np
import pytest
import xarray as xr

from tempgen.metrics import IMAGE_METRICS

TR_S = 4 / 3


def planted_results(deltas=range(-2, 14), *, rotating=True, matrix=True, seed=0):
    """Scores of 300 trials of 100 images, for a code that lasts 9 s and turns (or not).

    General peaks at delta 0 and falls, Specialized falls more slowly, and a shift by 3 TRs decodes the neighbours.
    """
    rng = np.random.default_rng(seed)
    deltas = np.array(deltas)
    n_trials, n_images, trial_tr = 300, 100, 3
    image_id = np.arange(n_trials) % n_images
    difficulty = rng.normal(0, 0.12, n_images)[image_id]
    effect = np.zeros((len(deltas), len(deltas), 3, n_trials))
    for row, train in enumerate(deltas):
        for column, test in enumerate(deltas):
            for k, target in enumerate((-1, 0, 1)):
                lag = test - target * trial_tr  # shift relative to that image
                signal = np.exp(-0.5 * (lag / 4.5) ** 2) if lag > 0 else np.exp(-0.5 * (lag / 2.2) ** 2)
                turned = np.cos(np.clip(0.22 * abs(train - lag), 0, 2.2)) if rotating else 1.0
                effect[row, column, k] = 0.42 * signal * turned * (1 - 0.02 * max(train, 0))
            if not matrix and train not in (0, test):
                effect[row, column] = np.nan
    noise = rng.normal(0, 0.2, (1, 1, 3, n_trials)) + rng.normal(0, 0.1, effect.shape)
    identification = np.clip(0.5 + effect + difficulty + noise, 0, 1)
    dims = ("train_delta", "test_delta", "target", "trial")
    pixcorr = 0.12 + 0.8 * effect + 0.5 * (difficulty + noise)
    missing = np.isnan(effect[:, :, 0, 0])
    return xr.Dataset(
        {
            "identification": (
                dims,
                identification.astype(np.float32),
                IMAGE_METRICS["identification"].attrs(),
            ),
            "pixcorr": (dims, pixcorr.astype(np.float32), IMAGE_METRICS["pixcorr"].attrs()),
            "pixcorr_chance": (
                ("train_delta", "test_delta"),
                np.where(missing, np.nan, 0.12 + 0.008 * np.arange(len(deltas))[:, np.newaxis] / len(deltas)),
            ),
        },
        coords={
            "train_delta": deltas,
            "test_delta": deltas,
            "train_lag_s": ("train_delta", (deltas + 8) * TR_S),
            "lag_s": ("test_delta", (deltas + 8) * TR_S),
            "target": ["previous", "current", "next"],
            "image_id": ("trial", image_id),
            "run": ("trial", np.arange(n_trials) // 60),
        },
        attrs={
            "tr_s": TR_S,
            "start_tr": 2,
            "n_tr": 6,
            "soa_s": 4.0,
            "stimulus_duration_s": 3.0,
            "subject": "subj01",
            "data_kind": "simulated",
            "general_delta": 0,
        },
    )


@pytest.fixture(scope="session")
def plant():
    """The function, so that a test can plant what it needs."""
    return planted_results


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")
