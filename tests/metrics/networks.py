"""Stand-ins for pretrained networks, which count how often they are asked."""

import numpy as np

from tempgen.models.vision import register_network


class CountingNetwork:
    """Random but fixed projections of the pixels; the layer ``labels`` is a map of the brightest colour."""

    preprocessing = "none"

    def __init__(self, name, *, n_features=12, seed=0):
        self.name, self.weights = name, f"random numbers of seed {seed}"
        self.n_features, self.seed = n_features, seed
        self._drawn = {}
        self.calls = []  # (number of images, layers) of each pass

    def features(self, images, layers):
        self.calls.append((len(images), tuple(layers)))
        return {layer: self._layer(images, layer) for layer in layers}

    def _layer(self, images, layer):
        if layer == "labels":
            return images.argmax(axis=-1)
        n_features = 10 if layer == "logits" else self.n_features
        weights = self._weights(layer, images[0].size, n_features)
        return np.maximum(images.reshape(len(images), -1) @ weights, 0)

    def _weights(self, layer, n_pixels, n_features):
        key = layer, n_pixels
        if key not in self._drawn:
            rng = np.random.default_rng([self.seed, len(layer), *layer.encode()])
            self._drawn[key] = rng.standard_normal((n_pixels, n_features), dtype=np.float32)
        return self._drawn[key]


def register(name, **settings):
    network = CountingNetwork(name, **settings)
    register_network(name, lambda device: network)
    return network
