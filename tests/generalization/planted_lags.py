"""A result whose scores say which cell they come from."""

import numpy as np
import xarray as xr

from tempgen.metrics import IMAGE_METRICS

DELTAS = np.arange(-2, 5)
TR_S = 4 / 3


def planted_lags(n_trials=30, n_images=10, *, measured_chance=True):
    """A score that says which cell it comes from: 10 * train + test, and 1000 for the next image, plus noise."""
    rng = np.random.default_rng(0)
    cell = 10.0 * DELTAS[:, None] + DELTAS
    noise = rng.normal(0, 0.1, size=(len(DELTAS), len(DELTAS), 3, n_trials))
    scores = (cell[:, :, None, None] + np.array([-1000, 0, 1000])[:, None] + noise).astype(np.float32)
    dims = ("train_delta", "test_delta", "target", "trial")
    results = xr.Dataset(
        {
            "identification": (dims, scores, IMAGE_METRICS["identification"].attrs()),
            "pixcorr": (dims, scores / 100, IMAGE_METRICS["pixcorr"].attrs()),
        },
        coords={
            "train_delta": DELTAS,
            "test_delta": DELTAS,
            "train_lag_s": ("train_delta", (DELTAS + 8) * TR_S),
            "lag_s": ("test_delta", (DELTAS + 8) * TR_S),
            "target": ["previous", "current", "next"],
            "image_id": ("trial", np.arange(n_trials) % n_images),
            "run": ("trial", np.arange(n_trials) // 10),
        },
        attrs={
            "n_tr": 3,
            "tr_s": TR_S,
            "start_tr": 2,
            "soa_s": 4.0,
            "data_kind": "simulated",
            "subject": "subj01",
        },
    )
    if measured_chance:
        results["pixcorr_chance"] = (("train_delta", "test_delta"), cell / 1000)
    return results
