"""Presets compare the layers, at the sizes and with the weights of the published evaluation codes."""

import math

import numpy as np
import pytest

from tempgen.metrics import ImageSuite, get_suite
from tests.metrics.networks import CountingNetwork

# Read in the evaluation codes of Brain-Diffuser, MindEye and Dynadiff: network, layer, pixels a side in the end.
LAYERS = {
    "paper": {
        "ssim": (None, None, 224),
        "pixcorr": (None, None, 224),
        "alexnet_2": ("alexnet", "features.4", 224),
        "alexnet_5": ("alexnet", "features.11", 224),
        "clip_12": ("clip", "resblocks.12", 224),
        "inception": ("inception", "avgpool", 224),
        "efficientnet": ("efficientnet", "avgpool", 224),
        "swav": ("swav", "avgpool", 224),
        "miou": ("ade20k", "labels", 224),
        "dreamsim": ("dreamsim", "embedding", 224),
    },
    "mindeye": {
        "pixcorr": (None, None, 425),
        "ssim": (None, None, 425),
        "alexnet_2": ("alexnet", "features.4", 256),
        "alexnet_5": ("alexnet", "features.11", 256),
        "inception": ("inception", "avgpool", 342),
        "clip": ("clip", "final", 224),
        "efficientnet": ("efficientnet-v2", "avgpool", 255),
        "swav": ("swav", "avgpool", 224),
    },
    "brain-diffuser": {
        "pixcorr": (None, None, 425),
        "ssim": (None, None, 425),
        "alexnet_2": ("alexnet", "features.4", 224),
        "alexnet_5": ("alexnet", "features.11", 224),
        "inception": ("inception", "avgpool", 224),
        "clip": ("clip", "final", 224),
        "efficientnet": ("efficientnet", "avgpool", 224),
        "swav": ("swav", "avgpool", 224),
    },
}
DISTANCES = {"efficientnet", "swav"}
CORRELATED = {"pixcorr"}
PAIRS = {"ssim", "miou", "dreamsim"}


@pytest.mark.parametrize("name", LAYERS)
def test_each_metric_compares_the_published_layer_at_the_published_size(name):
    suite = get_suite(name)
    found = {
        metric.name: (
            metric.layer and metric.layer.network,
            metric.layer and metric.layer.name,
            metric.image_size or suite.image_size,
        )
        for metric in suite.metrics
    }
    assert found == LAYERS[name]
    assert list(found) == list(LAYERS[name])


@pytest.mark.parametrize("name", LAYERS)
def test_each_metric_is_of_the_published_kind_with_its_chance_and_direction(name):
    for metric in get_suite(name).metrics:
        attrs = metric.metric.attrs()
        if metric.name in PAIRS:
            assert not hasattr(metric, "kind")
            assert math.isnan(attrs["chance"])
        elif metric.name in DISTANCES | CORRELATED:
            assert metric.kind == ("correlation" if metric.name in CORRELATED else "correlation_distance")
            assert math.isnan(attrs["chance"])
        else:
            assert metric.kind == "identification"
            assert attrs["chance"] == 0.5
            assert attrs["comparison"] == "reconstruction-to-seen"
        lower = metric.name in DISTANCES | {"dreamsim"}
        assert attrs["direction"] == ("lower is better" if lower else "higher is better")
        assert "doi" in attrs["source"] or "arXiv" in attrs["source"]
        assert len(attrs["description"]) > 20


def test_the_first_resize_is_that_of_each_code():
    assert get_suite("paper").attrs()["image_size"] == 224
    assert get_suite("mindeye").attrs()["image_size"] == 256
    assert "without antialiasing" in get_suite("mindeye").resize
    assert "image_size" not in get_suite("brain-diffuser").attrs()


@pytest.mark.parametrize("name", ["scenes", *LAYERS])
def test_every_suite_runs_and_a_perfect_decoder_gets_the_best_score(name, monkeypatch):
    suite = get_suite(name)
    networks = {}

    def open_network(name, *, device):
        return networks.setdefault(name, CountingNetwork(name, n_features=16))

    monkeypatch.setattr("tempgen.models.vision.open_network", open_network)
    coarse = np.random.default_rng(0).random((4, 5, 5, 3))
    images = np.kron(coarse, np.ones((1, 8, 8, 1))).astype(np.float32)
    scorer = ImageSuite(images, suite)
    scores = scorer.score(images, target_images={"current": np.arange(4)})
    for metric in scorer.metrics:
        best = 1 if metric.higher_is_better else 0
        np.testing.assert_allclose(scores.score[metric.name], best, atol=1e-5, err_msg=metric.name)
        worse = scores.chance[metric.name] < 0.999 if best else scores.chance[metric.name] > 1e-3
        assert worse, metric.name
    assert all(
        len(network.calls) <= 2 * len({m.image_size for m in suite.metrics}) for network in networks.values()
    )
