import numpy as np
import xarray as xr

from tempgen.generalization.headline import headline
from tempgen.results import SCORE_DIMS


def test_headline_names_the_planted_peaks_and_their_chance():
    scores = np.full((3, 3, 1, 4), 0.1, dtype=np.float32)
    scores[1, 1], scores[2, 2], scores[0, 2] = 0.6, 0.8, 0.9  # (0, 2) is neither General nor Specialized
    chance = np.full((3, 3), 0.2, dtype=np.float32)
    chance[2, 2] = 0.3
    scores[0, 0], chance[0, 0] = 0.85, 0.84  # the highest score, but hardly above chance
    deltas = [-1, 0, 1]
    results = xr.Dataset(
        {"pixcorr": (SCORE_DIMS, scores), "pixcorr_chance": (SCORE_DIMS[:2], chance)},
        coords={"train_delta": deltas, "test_delta": deltas, "target": ["current"]},
        attrs={"general_delta": 0},
    )
    assert headline(results) == [
        "pixcorr: General peaks at delta 0 (0.600, chance 0.200), Specialized peaks at delta 1 (0.800, chance 0.300)"
    ]
