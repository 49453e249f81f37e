"""Chance levels that metrics state hold when images are dealt to reconstructions at random."""

import numpy as np
import pytest

from tempgen.metrics import FeatureMetric, ImageSuite, Metric, Suite, get_suite
from tempgen.models.vision import Layer
from tests.metrics.networks import register

N_IMAGES, N_DEALS = 30, 100
DIRECTIONS = ("reconstruction-to-seen", "seen-to-reconstruction")


def scenes_like(n_images, seed=0):
    """Images with structure in common, so that their features correlate."""
    rng = np.random.default_rng(seed)
    coarse = 0.5 * rng.random((n_images, 8, 8, 3)) + 0.5 * np.linspace(0, 1, 8)[:, np.newaxis, np.newaxis]
    return np.kron(coarse, np.ones((1, 8, 8, 1))).astype(np.float32)


def dealt_at_random(suite):
    """Mean score of each random deal, for each metric; reconstructions resemble images of the pool."""
    seen = scenes_like(N_IMAGES)
    made = (0.7 * seen + 0.3 * scenes_like(N_IMAGES, seed=1)).astype(np.float32)
    rng = np.random.default_rng(0)
    deals = {f"deal {k}": rng.permutation(N_IMAGES) for k in range(N_DEALS)}
    scores = ImageSuite(seen, suite, device="cpu").score(made, target_images=deals)
    return {name: values.mean(axis=1) for name, values in scores.score.items()}


def fixed(suite):
    return [metric.name for metric in suite.metrics if metric.metric.chance is not None]


def assert_at_its_chance(suite):
    chance = {metric.name: metric.metric.chance for metric in suite.metrics}
    for name, means in dealt_at_random(suite).items():
        half_width = 3.3 * means.std(ddof=1) / np.sqrt(N_DEALS)  # 99.9 %
        assert half_width < 0.03, name
        assert means.mean() == pytest.approx(chance[name], abs=half_width), name


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_fixed_level_of_the_suite_of_scenes_is_what_random_deals_score(direction):
    pytest.importorskip("torch")
    suite = get_suite("scenes")
    assert fixed(suite) == ["identification", "identification_early", "identification_late"]
    assert_at_its_chance(suite.select(fixed(suite)).directed(direction))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_identification_on_random_features_is_at_one_half(direction):
    register("random", n_features=40)
    metric = Metric("random", "Random", 0.5, True, "-", "-")
    suite = Suite(
        "random",
        1,
        (FeatureMetric(metric, "identification", Layer("random", "first")),),
        image_size=None,
        description="-",
        source="-",
    )
    assert_at_its_chance(suite.directed(direction))


def test_measured_levels_are_what_mismatched_pairs_score():
    suite = get_suite("pixels").select(["pixcorr", "ssim"])
    seen, made = scenes_like(N_IMAGES), scenes_like(N_IMAGES, seed=1)
    scorer = ImageSuite(seen, suite)
    own = {"current": np.arange(N_IMAGES)}
    chance = scorer.score(made, target_images=own, n_shifts=N_IMAGES).chance
    shifted = {f"shift {k}": np.roll(np.arange(N_IMAGES), k) for k in range(1, N_IMAGES)}
    scores = scorer.score(made, target_images=shifted).score
    for name, level in chance.items():
        assert level == pytest.approx(scores[name].mean(), abs=1e-5)
        assert level > 0.05  # such images resemble one another
