"""Features on disk: computed once, the same as without, and never those of other weights."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from tempgen.metrics.feature_cache import FeatureCache


@dataclass
class Network:
    """Means and sums of the pixels, and a map of labels; remembers what it was asked."""

    name: str = "counting"
    weights: str = "first"
    preprocessing: str = "none"
    asked: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def features(self, images, layers):
        self.asked.append((len(images), tuple(layers)))
        all_layers = {
            "mean/early": images.mean(axis=(1, 2)).astype(np.float32),
            "late": images.reshape(len(images), -1)[:, :5] * 2,
            "labels": (images[..., 0] > 0.5).astype(np.int64),
        }
        return {layer: all_layers[layer] for layer in layers}


LAYERS = ("mean/early", "late", "labels")


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 4, 4, 3)).astype(np.float32)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features")


def check(features, images, layers=LAYERS):
    expected = Network().features(images, layers)
    assert list(features) == list(layers)
    for layer in layers:
        assert features[layer].dtype == expected[layer].dtype
        np.testing.assert_array_equal(features[layer], expected[layer])


def test_features_are_those_of_the_network_the_first_and_the_second_time(cache, images):
    network = Network()
    check(cache.features(network, images, LAYERS), images)
    check(cache.features(network, images[::-1], LAYERS), images[::-1])
    assert network.asked == [(6, LAYERS)]


def test_only_what_is_missing_is_computed(cache, images):
    network = Network()
    cache.features(network, images[:4], ["late"])
    check(cache.features(network, images, ["late"]), images, ["late"])
    check(cache.features(network, images, ["late", "labels"]), images, ["late", "labels"])
    assert network.asked == [(4, ("late",)), (2, ("late",)), (6, ("labels",))]


def test_image_that_occurs_twice_goes_through_the_network_once(cache, images):
    network, doubled = Network(), images[[0, 1, 0, 0, 1]]
    check(cache.features(network, doubled, LAYERS), doubled)
    assert network.asked == [(2, LAYERS)]


@pytest.mark.parametrize("change", [{"weights": "second"}, {"preprocessing": "blur"}, {"name": "other"}])
def test_another_network_never_finds_them(cache, images, change):
    cache.features(Network(), images, LAYERS)
    other = Network(**change)
    cache.features(other, images, LAYERS)
    assert other.asked == [(6, LAYERS)]


def test_one_pixel_or_another_shape_makes_another_image(cache, images):
    network = Network()
    cache.features(network, images, ["late"])
    changed = images.copy()
    changed[2, 0, 0, 0] += np.float32(1e-6)
    check(cache.features(network, changed, ["late"]), changed, ["late"])
    check(cache.features(network, images.reshape(6, 2, 8, 3), ["late"]), images, ["late"])
    assert [n for n, _ in network.asked] == [6, 1, 6]


def test_damaged_file_is_made_again(cache, images):
    cache.features(Network(), images, ["late"])
    files = sorted(cache.folder.rglob("*.npy"))
    assert len(files) == 6
    files[0].write_bytes(files[0].read_bytes()[:-3])
    files[1].write_bytes(b"")
    np.save(files[2], np.zeros(3, dtype=np.float32))  # whole, but of another network's shape
    network = Network()
    check(cache.features(network, images, ["late"]), images, ["late"])
    assert network.asked == [(3, ("late",))]
    cache.features(network, images, ["late"])
    assert len(network.asked) == 1


def test_stopped_while_writing_it_leaves_no_half_file(cache, images, monkeypatch):
    def stop(path, values):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tempgen.metrics.feature_cache.np.save", stop)
        with pytest.raises(KeyboardInterrupt):
            cache.features(Network(), images, LAYERS)
    assert not list(cache.folder.rglob("*.npy"))
    check(cache.features(Network(), images, LAYERS), images)


def test_folder_says_which_weights_its_features_are_of(cache, images):
    cache.features(Network(weights="pinned weights 1.0"), images, ["late"])
    (note,) = cache.folder.glob("*/network.txt")
    assert "pinned weights 1.0" in note.read_text()
