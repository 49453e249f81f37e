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


def test_where_lower_is_better_the_peak_is_the_lowest_score_and_another_target_is_named():
    scores = np.full((1, 3, 1, 4), 0.9, dtype=np.float32)
    scores[0, 2] = 0.3
    results = xr.Dataset(
        {
            "swav": (SCORE_DIMS, scores, {"direction": "lower is better"}),
            "swav_chance": (SCORE_DIMS[:2], np.full((1, 3), 0.95, dtype=np.float32)),
        },
        coords={"train_delta": [0], "test_delta": [0, 1, 2], "target": ["next"]},
        attrs={"general_delta": 0},
    )
    assert headline(results)[0].startswith(
        "swav (next image): General peaks at delta 2 (0.300, chance 0.950)"
    )
