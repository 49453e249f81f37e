"""Seen beside reconstructed: what stands where, and what is written."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from tempgen.errors import ResultsError
from tempgen.plots import TARGET_LINES
from tempgen.plots.pairs import plot_pairs


def planted_pairs(n_each=3):
    """Seen images are red, reconstructions green, neighbours blue; the level says the trial."""
    n_trials = 2 * n_each
    images = np.zeros((3, n_trials, 8, 8, 3), dtype=np.uint8)
    for colour in range(3):
        images[colour, ..., colour] = 20 * np.arange(1, n_trials + 1).reshape(-1, 1, 1)
    pixels = ("trial", "row", "column", "rgb")
    return xr.Dataset(
        {
            **{
                name: (pixels, images[k])
                for k, name in enumerate(("seen", "reconstruction", "closest_image"))
            },
            "rule": ("trial", np.array(["best"] * n_each + ["worst"] * n_each, dtype=object)),
            "rank": ("trial", np.r_[1 : n_each + 1, 21 - n_each : 21]),
            "score": ("trial", np.linspace(0.9, -0.1, n_trials)),
            "closest": ("trial", np.array(["current"] * (n_trials - 1) + ["previous"], dtype=object)),
        },
        attrs={
            "rule": "best, worst of 20 kept test trials by PixCorr of the General decoder at delta 0; ties: the earlier trial first",
            "data_kind": "simulated",
            "subject": "1",
        },
    )


def test_reconstructions_stand_under_what_was_seen():
    ax = plot_pairs(planted_pairs())
    places = {
        (round(i.get_extent()[0], 2), round(i.get_extent()[3], 2)): i.get_array()[0, 0].tolist()
        for i in ax.get_images()
    }
    assert len(places) == 2 * 6 + 1
    seen = {place: pixel[0] for place, pixel in places.items() if pixel[0]}
    for (left, top), level in seen.items():
        assert places[left, round(top + 1.06, 2)] == [0, level, 0]


def test_a_neighbour_that_scored_best_is_framed_in_its_colour():
    ax = plot_pairs(planted_pairs())
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [to_hex(frame.get_edgecolor()) for frame in frames] == [TARGET_LINES["previous"].colour.lower()]
    words = [text.get_text() for text in ax.texts]
    assert words.count("own image\nscored best") == 2
    assert "previous" in words


def test_rule_rank_and_score_are_written():
    words = [text.get_text() for text in plot_pairs(planted_pairs()).texts]
    assert "rank 1\n0.90" in words
    assert "rank 20\n\N{MINUS SIGN}0.10" in words
    assert any("best, worst of 20 kept test trials by PixCorr" in word for word in words)


@pytest.mark.parametrize("n_each", [1, 3, 6, 10])
def test_words_neither_leave_the_page_nor_lie_on_one_another(n_each, text_faults):
    ax = plot_pairs(planted_pairs(n_each))
    assert text_faults(ax.figure) == []
    assert ax.figure.get_figwidth() * 25.4 == pytest.approx(180)


def test_no_trial_is_refused():
    with pytest.raises(ResultsError, match="no trial"):
        plot_pairs(planted_pairs().isel(trial=[]))
    with pytest.raises(ResultsError, match="seen.*make them with exemplar_pairs"):
        plot_pairs(planted_pairs().drop_vars("seen"))
