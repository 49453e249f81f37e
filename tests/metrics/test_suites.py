"""Suites by name, metrics by name, and what a user adds to them."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import (
    FeatureMetric,
    ImageSuite,
    Metric,
    Suite,
    get_suite,
    known_suites,
    metric_of,
    register_metric,
    register_suite,
    suites,
)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(suites, "_suites", dict(suites._suites))
    monkeypatch.setattr(suites, "_metrics", dict(suites._metrics))


def small_images(n_images=6, seed=0):
    return np.random.default_rng(seed).random((n_images, 16, 16, 3)).astype(np.float32)


def brightness():
    return metric_of(
        "brightness",
        lambda seen, reconstructed: abs(seen.mean(axis=(1, 2, 3)) - reconstructed.mean(axis=(1, 2, 3))),
        higher_is_better=False,
        description="absolute difference of the mean pixel values",
        source="these tests",
    )


def test_a_metric_of_ones_own_works_by_name_in_any_suite():
    register_metric(brightness())
    seen, reconstructed = small_images(), small_images(seed=1)
    suite = ImageSuite(seen, metrics=["brightness", "pixcorr"])
    scores = suite.score(reconstructed, target_images={"current": np.arange(6)}, n_shifts=6)
    means, others = seen.mean(axis=(1, 2, 3)), ~np.eye(6, dtype=bool)
    between = abs(reconstructed.mean(axis=(1, 2, 3))[:, np.newaxis] - means)
    np.testing.assert_allclose(scores.score["brightness"][0], np.diag(between), atol=1e-6)
    assert scores.chance["brightness"] == pytest.approx(between[others].mean(), abs=1e-6)
    assert suite.metric_names == ("brightness", "pixcorr")
    assert suite.metrics[0].attrs()["direction"] == "lower is better"


def test_a_metric_of_ones_own_is_made_once_per_image_where_it_says_how():
    sizes = []

    def represent(images):
        sizes.append(len(images))
        return images.mean(axis=(1, 2, 3))

    register_metric(
        metric_of(
            "level",
            lambda seen, made: -abs(seen - made),
            represent=represent,
            description="-",
            source="-",
            chance=0.0,
        )
    )
    pool = ImageSuite(small_images(), metrics=["level"])
    scores = pool.score(small_images(4), target_images={"current": np.arange(4), "next": np.full(4, 5)})
    assert sizes == [6, 4]  # the pool, then the block, however many targets
    np.testing.assert_array_equal(scores.score["level"][0], 0)
    assert scores.chance["level"] == 0


def test_a_metric_that_gives_another_number_of_scores_is_named():
    register_metric(metric_of("broken", lambda seen, made: np.zeros(2), description="-", source="-"))
    with pytest.raises(MetricError, match=r"'broken' gave scores of shape \(2,\) for 6 pairs"):
        ImageSuite(small_images(), metrics=["broken"]).score(
            small_images(), target_images={"current": np.arange(6)}
        )


def test_only_metrics_can_be_registered_under_names_that_variables_can_have():
    with pytest.raises(MetricError, match="metric_of"):
        register_metric(lambda seen, made: 0)
    with pytest.raises(MetricError, match="letters, digits"):
        metric_of("my metric", lambda seen, made: 0, description="-", source="-")


def test_a_suite_of_ones_own_is_known_by_its_name():
    own = Suite("own", 3, (brightness(),), image_size=12, description="-", source="-")
    register_suite(own)
    assert "own" in known_suites()
    seen = small_images()
    by_name = ImageSuite(seen, "own")
    scores = by_name.score(seen, target_images={"current": np.arange(6)})
    np.testing.assert_allclose(scores.score["brightness"], 0, atol=1e-6)
    assert by_name.attrs() == {
        "suite": "own",
        "suite_version": 3,
        "resize": "to 12 x 12 pixels, bilinear with antialiasing",
        "image_size": 12,
    }


def test_built_in_suites_cannot_be_replaced():
    with pytest.raises(MetricError, match="another name"):
        register_suite(replace(get_suite("pixels"), version=2))


def test_unknown_suites_and_metrics_are_refused_with_the_known_ones():
    with pytest.raises(MetricError, match="pixels, scenes, paper, mindeye, brain-diffuser"):
        get_suite("papers")
    register_metric(brightness())
    with pytest.raises(MetricError, match=r"has pixcorr, ssim, identification, brightness \(registered\)"):
        get_suite("pixels").select(["clip"])


@pytest.mark.parametrize("names", [[], ["pixcorr", "pixcorr"]])
def test_a_suite_has_each_metric_once_and_at_least_one(names):
    with pytest.raises(MetricError):
        get_suite("pixels").select(names)


def test_the_direction_of_identification_is_named_wherever_it_is_shown():
    suite = get_suite("pixels")
    assert suite.attrs()["identification_direction"] == "reconstruction-to-seen"
    other = suite.directed("seen-to-reconstruction")
    assert other.attrs()["identification_direction"] == "seen-to-reconstruction"
    attrs = other.metrics[2].metric.attrs()
    assert attrs["comparison"] == "seen-to-reconstruction"
    assert "seen-to-reconstruction" in attrs["description"]
    assert "reconstruction-to-seen" not in attrs["description"]
    assert "other trials' reconstructions" in attrs["description"]
    assert other.directed("reconstruction-to-seen").metrics[2].metric == suite.metrics[2].metric
    assert "identification_direction" not in suite.select(["ssim"]).attrs()
    with pytest.raises(MetricError, match="reconstruction-to-seen and seen-to-reconstruction"):
        suite.directed("both")


def test_identification_without_direction_takes_the_default():
    plain = Metric("own", "Own", 0.5, True, "on pixels", "-")
    assert FeatureMetric(plain, "identification").metric.comparison == "reconstruction-to-seen"
    with pytest.raises(MetricError, match="correlation, correlation_distance, identification"):
        FeatureMetric(plain, "euclidean")


def test_a_network_can_be_chosen_in_place_of_another():
    chosen = get_suite("paper").with_network("ade20k", "ade20k:somebody/else@123")
    assert {metric.layer.network for metric in chosen.metrics if metric.name == "miou"} == {
        "ade20k:somebody/else@123"
    }
    with pytest.raises(
        MetricError, match="uses alexnet, clip, inception, efficientnet, swav, ade20k, dreamsim"
    ):
        get_suite("paper").with_network("resnet", "alexnet")


def test_importing_the_metrics_and_scoring_pixels_needs_no_torch():
    program = (
        "import sys, numpy as np; from tempgen.metrics import ImageSuite; images = np.random.rand(3, 16, 16, 3);"
        "ImageSuite(images).score(images, target_images={'current': np.arange(3)});"
        "print([name for name in ('torch', 'tempgen.models') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.stdout.strip() == "[]", finished.stderr
