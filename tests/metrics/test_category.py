"""Object categories of scenes: what is shared, and that the suite of scenes scores them."""

from dataclasses import replace

import numpy as np
import pytest

from tempgen.metrics import ImageSuite, get_suite
from tempgen.metrics.category import category_overlap
from tempgen.models.vision import register_network

N_CATEGORIES = 10


class Reader:
    """Logits of `coloured` images: 4 where a category is there, -4 where not; small slopes break ties."""

    name, weights, preprocessing = "reader", "none", "none"

    def features(self, images, layers):
        assert layers == ["logits"]
        logits = 8 * images[:, 0, :N_CATEGORIES, 0] - 4 - 0.01 * np.arange(N_CATEGORIES, dtype=np.float32)
        return {"logits": logits}


def coloured(categories):
    """Images whose pixels of one row say which categories are there."""
    images = np.zeros((len(categories), 64, 64, 3), dtype=np.float32)
    for image, there in zip(images, categories, strict=True):
        image[0, list(there), 0] = 1
    return images


@pytest.mark.parametrize(
    ("seen", "found", "score"),
    [
        ([4, -4, -4, -4], [4, -4, -4, -4], 1.0),
        ([4, -4, -4, -4], [1, 2, 0, 0], 0.0),
        ([4, 4, -4, -4], [3, 2, 1, 0], 1.0),
        ([4, -4, 4, -4], [3, 2, 1, 0], 0.5),
        ([-4, -1, -4, -4], [0, 1, 0, 0], 1.0),  # nothing is certain: the likeliest counts
        ([4, 4, 4, -4], [0, 0, 1, 1], 2 / 3),  # ties go to the first
    ],
)
def test_share_of_the_seen_categories_among_as_many_likeliest(seen, found, score):
    value = category_overlap(seen_logits=np.float32([seen]), logits=np.float32([found]))
    assert value == pytest.approx([score])


@pytest.fixture
def suite():
    """SSIM and object categories, read by a network that cannot err."""
    register_network("reader", lambda device: Reader())
    chosen = get_suite("scenes").select(["ssim", "scene_category"])
    return replace(chosen.with_network("scene_classifier", "reader"), name="read")


def test_suite_scores_each_target_and_measures_chance_on_images_of_other_trials(suite):
    seen = coloured([{k} for k in range(8)])
    own = np.arange(8)
    targets = {"previous": np.r_[-1, own[:-1]], "current": own}
    scores = ImageSuite(seen, suite).score(seen, target_images=targets)
    np.testing.assert_array_equal(scores.score["scene_category"], [[np.nan] + [0.0] * 7, [1.0] * 8])
    assert scores.chance["scene_category"] == 0.0
    assert scores.score["ssim"].shape == (2, 8)


def test_decoder_that_always_shows_one_category_is_at_chance(suite):
    rng = np.random.default_rng(0)
    seen = coloured([{int(k)} for k in rng.integers(0, 4, size=400)])
    always = coloured([{0}] * 400)
    pool = ImageSuite(seen, suite, metrics=["scene_category"])
    scores = pool.score(always, target_images={"current": np.arange(400)})
    assert scores.score["scene_category"].mean() == pytest.approx(scores.chance["scene_category"], abs=0.05)
    assert scores.chance["scene_category"] == pytest.approx(0.25, abs=0.05)
