"""Object categories of scenes: what is shared, what chance is, and that the metric joins only when asked."""

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import IMAGE_METRICS, SCENE_METRICS, ImageSuite
from tempgen.metrics import suite as suite_module
from tempgen.metrics.category import SceneCategory, category_overlap

N_CATEGORIES = 10


def coloured(categories):
    """Images whose pixels of one row say which categories are there."""
    images = np.zeros((len(categories), 16, 16, 3), dtype=np.float32)
    for image, there in zip(images, categories, strict=True):
        image[0, list(there), 0] = 1
    return images


def read(images):
    """Logits of `coloured` images: 4 where a category is there, -4 where not; small slopes break ties."""
    return 8 * images[:, 0, :N_CATEGORIES, 0] - 4 - 0.01 * np.arange(N_CATEGORIES, dtype=np.float32)


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
def patched(monkeypatch):
    monkeypatch.setitem(suite_module._POOLED, "scene_category", lambda seen: SceneCategory(seen, read))


def test_suite_scores_each_target_and_measures_chance_on_images_of_other_trials(patched):
    categories = [{k} for k in range(8)]
    seen = coloured(categories)
    suite = ImageSuite(seen, ["ssim", "scene_category"])
    own = np.arange(8)
    targets = {"previous": np.r_[-1, own[:-1]], "current": own}
    scores = suite.score(seen, target_images=targets)
    np.testing.assert_array_equal(scores.score["scene_category"], [[np.nan] + [0.0] * 7, [1.0] * 8])
    assert scores.chance["scene_category"] == 0.0
    assert scores.score["ssim"].shape == (2, 8)


def test_decoder_that_always_shows_one_category_is_at_chance(patched):
    rng = np.random.default_rng(0)
    seen = coloured([{int(k)} for k in rng.integers(0, 4, size=400)])
    always = coloured([{0}] * 400)
    scores = ImageSuite(seen, ["scene_category"]).score(always, target_images={"current": np.arange(400)})
    assert scores.score["scene_category"].mean() == pytest.approx(scores.chance["scene_category"], abs=0.05)
    assert scores.chance["scene_category"] == pytest.approx(0.25, abs=0.05)


def test_metric_is_computed_only_where_it_is_asked_for_by_name():
    assert "scene_category" in SCENE_METRICS
    assert "scene_category" not in IMAGE_METRICS
    assert ImageSuite(coloured([{0}, {1}])).metrics == tuple(IMAGE_METRICS)
    with pytest.raises(MetricError, match="scene_category"):
        ImageSuite(coloured([{0}, {1}]), ["object"])


def test_attributes_say_what_judges():
    attrs = SCENE_METRICS["scene_category"].attrs()
    assert "classifier" in attrs["description"]
    assert np.isnan(attrs["chance"])
