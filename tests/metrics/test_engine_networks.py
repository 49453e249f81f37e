"""What the engine asks of networks: each image once, all layers at once, nothing kept that need not be."""

import weakref
from dataclasses import replace

import numpy as np
import pytest

from tempgen.errors import MetricError, NetworkUnavailableError
from tempgen.metrics import (
    FeatureMetric,
    ImageSuite,
    Metric,
    PairMetric,
    Suite,
    engine,
    get_suite,
    two_way_identification,
)
from tempgen.metrics.distance import correlation_distance
from tempgen.metrics.resizing import resize_images
from tempgen.models.vision import Layer, register_network
from tests.metrics.networks import register


def metric_named(name, **changes):
    return replace(Metric(name, name, None, True, "-", "-"), **changes)


def suite_on(*networks, **changes):
    """Both layers of each network identified, and the distance of the second."""
    metrics = []
    for network in networks:
        first, second = Layer(network, "first"), Layer(network, "second")
        metrics += [
            FeatureMetric(metric_named(f"{network}_first", chance=0.5), "identification", first),
            FeatureMetric(metric_named(f"{network}_second", chance=0.5), "identification", second),
            FeatureMetric(metric_named(f"{network}_r", higher_is_better=True), "correlation", second),
            FeatureMetric(
                metric_named(f"{network}_d", higher_is_better=False), "correlation_distance", second
            ),
        ]
    options = {"image_size": None, "description": "-", "source": "-", **changes}
    return Suite("networks", 1, tuple(metrics), **options)


def pictures(n_images, seed=0, size=12):
    return np.random.default_rng(seed).random((n_images, size, size, 3)).astype(np.float32)


@pytest.fixture
def small_blocks(monkeypatch):
    """Four images a block."""
    monkeypatch.setattr(engine, "_BLOCK_VALUES", 4 * 3 * 12 * 12)


def test_truth_goes_through_each_network_once_and_each_block_once_for_all_layers(small_blocks):
    networks = [register("one"), register("two", seed=1)]
    suite = ImageSuite(pictures(10), suite_on("one", "two"))
    for network in networks:
        assert network.calls == [(4, ("first", "second")), (4, ("first", "second")), (2, ("first", "second"))]
        network.calls.clear()
    for lag in range(2):  # the truth is not asked for again
        suite.score(pictures(7, seed=lag), target_images={"current": np.arange(7), "next": np.arange(1, 8)})
    for network in networks:
        assert network.calls == 2 * [(4, ("first", "second")), (3, ("first", "second"))]


def test_features_of_reconstructions_are_not_held_beyond_their_block(small_blocks):
    network = register("watched")
    given = []
    alive = []
    answer = network.features

    def watched(images, layers):
        alive.append(sum(array() is not None for array in given))
        outputs = answer(images, layers)
        given.extend(weakref.ref(array) for array in outputs.values())
        return outputs

    network.features = watched
    suite = ImageSuite(pictures(10), suite_on("watched"))
    suite.score(pictures(40, seed=1), target_images={"current": np.arange(40) % 10})
    assert len(alive) == 3 + 10
    assert max(alive) <= 1  # at most the layer that was scored last
    assert not any(array() is not None for array in given)


@pytest.mark.parametrize("comparison", ["reconstruction-to-seen", "seen-to-reconstruction"])
def test_scores_on_layers_equal_the_plain_functions(small_blocks, comparison):
    network = register("plain")
    seen, made = pictures(10), pictures(25, seed=1)
    targets = np.random.default_rng(2).integers(10, size=25)
    made = 0.5 * made + 0.5 * seen[targets]
    scores = ImageSuite(seen, suite_on("plain").directed(comparison)).score(
        made, target_images={"current": targets}
    )
    layers = ["first", "second"]
    truth, features = network.features(seen, layers), network.features(made, layers)
    for layer in layers:
        expected = two_way_identification(
            reconstructed_features=features[layer],
            pool_features=truth[layer],
            target_image=targets,
            comparison=comparison,
        )
        np.testing.assert_allclose(scores.score[f"plain_{layer}"][0], expected, atol=1e-6)
        assert scores.chance[f"plain_{layer}"] == 0.5
    every = np.stack(
        [
            correlation_distance(
                seen_features=np.repeat(truth["second"][[image]], 25, axis=0),
                reconstructed_features=features["second"],
            )
            for image in range(10)
        ]
    )
    np.testing.assert_allclose(scores.score["plain_d"][0], every[targets, np.arange(25)], atol=1e-6)
    np.testing.assert_allclose(scores.score["plain_r"][0], 1 - scores.score["plain_d"][0], atol=1e-6)
    others = np.arange(10)[:, np.newaxis] != targets
    assert scores.chance["plain_d"] == pytest.approx(every[others].mean(), abs=1e-6)
    assert scores.chance["plain_r"] == pytest.approx(1 - every[others].mean(), abs=1e-6)


def test_a_pair_metric_compares_what_a_layer_says_and_measures_chance_on_other_images():
    network = register("labelled")
    same = PairMetric(
        metric_named("same"),
        compare=lambda seen, made: (seen == made).mean(axis=(1, 2)),
        layer=Layer("labelled", "labels"),
    )
    seen, made = pictures(6), pictures(6, seed=1)
    suite = Suite("pairs", 1, (same,), image_size=None, description="-", source="-")
    targets = np.array([0, 1, 2, 3, 4, -1])
    scores = ImageSuite(seen, suite).score(made, target_images={"current": targets}, n_shifts=6)
    every = (network.features(made, ["labels"])["labels"][:, None] == seen.argmax(axis=-1)).mean(axis=(2, 3))
    expected = np.r_[np.diag(every)[:5], np.nan]
    np.testing.assert_allclose(scores.score["same"][0], expected, atol=1e-6)
    mismatched = np.ones((6, 6), dtype=bool)
    mismatched[np.arange(5), np.arange(5)] = False
    assert scores.chance["same"] == pytest.approx(every[mismatched].mean(), abs=1e-6)


def test_networks_see_images_after_the_suites_resize_and_then_the_metrics_own():
    shapes = []

    class Shapes:
        name, weights, preprocessing = "shapes", "none", "none"

        def features(self, images, layers):
            shapes.append(images.copy())
            return {layer: images.reshape(len(images), -1)[:, :50] for layer in layers}

    register_network("shapes", lambda device: Shapes())
    first, second = suite_on("shapes").metrics[:2]
    suite = Suite(
        "sizes", 1, (first, replace(second, image_size=20)), image_size=16, description="-", source="-"
    )
    seen = pictures(3, size=24)
    scorer = ImageSuite(seen, suite)
    np.testing.assert_array_equal(shapes[0], resize_images(seen, 16))
    np.testing.assert_array_equal(shapes[1], resize_images(resize_images(seen, 16), 20))
    scores = scorer.score(pictures(3, size=40), target_images={"current": np.arange(3)})  # any size will do
    assert np.isfinite(scores.score["shapes_first"]).all()
    assert scorer.metrics[0].resize == "to 16 x 16 pixels, bilinear with antialiasing"
    assert scorer.metrics[1].resize.endswith(", then to 20 x 20 pixels, bilinear with antialiasing")
    assert scorer.attrs()["resize"].startswith("to 16 x 16 pixels, bilinear with antialiasing, then")


def test_results_name_the_weights_and_what_was_done_to_the_images():
    register("described", seed=7)
    scorer = ImageSuite(pictures(3), suite_on("described"))
    attrs = scorer.metrics[1].attrs()
    assert attrs["networks"] == "random numbers of seed 7; layer second; preprocessing: none"
    assert attrs["resize"] == "none: images are compared at the size they come in"
    assert attrs["comparison"] == "reconstruction-to-seen"
    assert all(isinstance(value, (str, int, float)) for value in attrs.values())
    assert ImageSuite(pictures(3, size=16)).metrics[0].attrs().keys() & {"networks", "comparison"} == set()


def test_scoring_twice_gives_the_same_numbers_with_a_cache_too():
    network = register("again")
    asked = []

    class Cache:
        def features(self, network, images, layers):
            asked.append(network.name)
            return network.features(images, layers)

    seen, made = pictures(8), pictures(20, seed=1)
    targets = {"current": np.arange(20) % 8}
    first, second = (ImageSuite(seen, suite_on("again")).score(made, target_images=targets) for _ in range(2))
    cached = ImageSuite(seen, suite_on("again"), cache=Cache()).score(made, target_images=targets)
    for other in (second, cached):
        assert other.chance == first.chance
        for name, scores in first.score.items():
            np.testing.assert_array_equal(other.score[name], scores)
    assert asked == ["again", "again"]
    assert len(network.calls) == 2 * 2 + 2


def test_a_network_that_cannot_be_opened_is_named_with_what_needs_it_and_what_works_without():
    register("there")

    def absent(device):
        raise NetworkUnavailableError("torchnets is not installed: pip install torchnets")

    register_network("absent", absent)
    suite = Suite(
        "some",
        1,
        (*get_suite("pixels").metrics, *suite_on("there", "absent").metrics[2:6]),
        image_size=None,
        description="-",
        source="-",
    )
    with pytest.raises(MetricError, match="pip install torchnets") as refusal:
        ImageSuite(pictures(3, size=16), suite)
    assert "'absent' of absent_first, absent_second cannot be opened" in str(refusal.value)
    assert "these work: pixcorr, ssim, identification, there_r, there_d" in str(refusal.value)
    assert ImageSuite(pictures(3, size=16), suite, metrics=["there_r"]).metric_names == ("there_r",)


def test_a_network_is_opened_on_the_device_asked_for():
    devices = []
    network = register("placed")
    register_network("placed", lambda device: devices.append(device) or network)
    ImageSuite(pictures(3), suite_on("placed"), device="cuda:1")
    assert devices == ["cuda:1"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (
            lambda images: np.ones((len(images) - 1, 5), np.float32),
            "2 rows of its layer 'first' for 3 images",
        ),
        (lambda images: np.full((len(images), 5), np.nan, np.float32), "not finite"),
    ],
)
def test_what_no_network_should_answer_is_refused(answer, complaint):
    network = register("odd")
    network.features = lambda images, layers: {layer: answer(images) for layer in layers}
    with pytest.raises(MetricError, match=complaint):
        ImageSuite(pictures(3), suite_on("odd"))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda images: images[0], "one image"),
        (lambda images: images[..., :1].repeat(4, axis=-1), "no alpha"),
        (lambda images: np.where(images > 0.9, np.nan, images), "not finite"),
        (lambda images: (255 * images).astype(np.uint8), "uint8.*divide bytes by 255"),
        (lambda images: 255 * images, "ranges from"),
        (lambda images: images[:0], "no pixels"),
        (lambda images: images[:, :9], "resize"),
    ],
)
def test_bad_images_are_refused_before_any_network_sees_them(spoil, complaint):
    network = register("spared")
    suite = ImageSuite(pictures(3), suite_on("spared"))
    n_calls = len(network.calls)
    with pytest.raises(MetricError, match=complaint):
        suite.score(spoil(pictures(3)), target_images={"current": np.arange(3)})
    assert len(network.calls) == n_calls
