"""Decoders side by side: standard errors over images, differences image by image."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization import score_table
from tempgen.metrics import IMAGE_METRICS


def planted(mean, *, n_images=200, n_repetitions=3, seed=0, shared=0.2, own=0.05):
    """Scores of a decoder: a difficulty that images share between decoders, and noise of a trial."""
    rng = np.random.default_rng(0)
    difficulty = np.repeat(rng.normal(0, shared, n_images), n_repetitions)
    noise = np.random.default_rng(seed).normal(0, own, n_images * n_repetitions)
    dims = ("train_delta", "test_delta", "target", "trial")
    scores = (mean + difficulty + noise)[None, None, None].astype(np.float32)
    return xr.Dataset(
        {
            "pixcorr": (dims, scores, IMAGE_METRICS["pixcorr"].attrs()),
            "pixcorr_chance": (dims[:2], np.array([[0.1]])),
        },
        coords={
            "train_delta": [0],
            "test_delta": [0],
            "target": ["current"],
            "image_id": ("trial", np.repeat(np.arange(n_images), n_repetitions)),
        },
    )


def test_distance_from_chance_is_in_standard_errors_over_images():
    row = score_table({"a": planted(0.5)}).loc[("PixCorr", "a")]
    assert row["score"] == pytest.approx(0.5, abs=0.05)
    assert row["chance"] == pytest.approx(0.1)
    assert row["se"] == pytest.approx(0.2 / np.sqrt(200), rel=0.1)  # not of 600 independent trials
    assert row["above_chance_se"] == pytest.approx((row["score"] - 0.1) / row["se"])


def test_what_images_share_drops_out_of_the_difference():
    table = score_table({"a": planted(0.5), "b": planted(0.53, seed=1)})
    row = table.loc[("PixCorr", "b")]
    assert row["difference"] == pytest.approx(0.03, abs=0.01)
    assert row["difference_se"] < 0.3 * row["se"]
    assert np.isnan(table.loc[("PixCorr", "a"), "difference"])


def test_images_that_only_one_decoder_was_tested_on_do_not_count_in_the_difference():
    fewer = planted(0.6, seed=1).isel(trial=slice(0, 150))
    row = score_table({"a": planted(0.5), "b": fewer}).loc[("PixCorr", "b")]
    assert row["difference"] == pytest.approx(0.1, abs=0.02)


def test_cell_that_was_not_computed_is_refused():
    with pytest.raises(ResultsError, match="no cell of train_delta 3"):
        score_table({"a": planted(0.5)}, train_delta=3)
    with pytest.raises(ResultsError, match="0 scored images"):
        score_table({"a": planted(np.nan)})
