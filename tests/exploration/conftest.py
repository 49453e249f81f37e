"""A planted result with what lies beside it: a store's trials and images, and kept reconstructions of some trials."""

import numpy as np
import pytest
import xarray as xr

from tempgen.exploration import Entry, Exploration, ShownImages
from tests.plots.conftest import planted_results

KEPT = (3, 4, 50)
"""Positions of the trials whose reconstructions are there."""


def planted_trials() -> xr.Dataset:
    """The planted result with the trials' onsets: 60 trials a run, every third volume."""
    results = planted_results(range(-2, 5), matrix=True)
    n_trials = results.sizes["trial"]
    return results.assign_coords(onset_tr=("trial", 3 * (np.arange(n_trials) % 60))).assign_attrs(
        decoder="ridge", decoder_target="pixels", signal="bold", title="tempgen: planted"
    )


def planted_reconstructions(results: xr.Dataset) -> xr.Dataset:
    """Reconstructions of three trials in the General row, each pixel with the test lag's number, and the images seen."""
    deltas = results["test_delta"].to_numpy()
    chosen = results.isel(trial=list(KEPT))
    image_id = chosen["image_id"].to_numpy()
    computed = np.zeros((len(deltas), len(deltas)), dtype=bool)
    computed[deltas == 0] = True
    reconstruction = np.zeros((len(deltas), len(deltas), len(KEPT), 4, 4, 3), dtype=np.uint8)
    reconstruction[:] = (100 + deltas)[np.newaxis, :, np.newaxis, np.newaxis, np.newaxis, np.newaxis]
    seen = np.unique(np.concatenate([image_id - 1, image_id, image_id + 1]))
    colours = np.stack([seen, 255 - 2 * seen, np.full_like(seen, 160)], axis=1).astype(np.uint8)
    pixels = np.broadcast_to(colours[:, np.newaxis, np.newaxis], (len(seen), 4, 4, 3))
    return xr.Dataset(
        {
            "reconstruction": (
                ("train_delta", "test_delta", "trial", "row", "column", "rgb"),
                reconstruction,
            ),
            "computed": (("train_delta", "test_delta"), computed),
            "seen": (("image", "row", "column", "rgb"), pixels),
        },
        coords={
            "train_delta": deltas,
            "test_delta": deltas,
            "image_of": ("image", seen),
            **{name: ("trial", chosen[name].to_numpy()) for name in ("run", "onset_tr", "image_id")},
            "previous_image": ("trial", np.where(chosen["onset_tr"] > 0, image_id - 1, -1)),
            "next_image": ("trial", image_id + 1),
        },
    )


@pytest.fixture
def planted():
    """The result with its images, as one entry."""
    results = planted_trials()
    images = ShownImages(reconstructions=planted_reconstructions(results))
    return Entry({"subject": "subj01", "algorithm": "Ridge to pixels"}, results, images)


@pytest.fixture
def exploration(planted):
    return Exploration([planted], n_draws=50)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")
