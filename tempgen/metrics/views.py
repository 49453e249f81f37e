"""What metrics see of images: pixels at each size they ask for, and layers of networks, each network passed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError, NetworkUnavailableError
from tempgen.metrics.image_metric import ImageMetric
from tempgen.metrics.resizing import resize_images
from tempgen.metrics.suites import Suite

if TYPE_CHECKING:  # tempgen.models may import torch
    from tempgen.models.vision.interface import Layer, VisionNetwork

__all__ = ["FeatureSource", "View", "Views", "open_networks", "view_of"]


@dataclass(frozen=True)
class View:
    """One way to look at an image.

    Attributes
    ----------
    image_size : int or None
        Pixels a side of the metric's own resize.
    layer : Layer or None
        None for pixels.
    """

    image_size: int | None
    layer: Layer | None


def view_of(metric: ImageMetric) -> View:
    """What a metric sees."""
    return View(metric.image_size, metric.layer)


class FeatureSource(Protocol):
    """Where features come from other than from the network itself, such as a cache on disk."""

    def features(
        self, network: VisionNetwork, images: NDArray[np.float32], layers: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """As ``network.features(images, layers)``."""
        ...


class _Networks:
    """The networks themselves."""

    def features(
        self, network: VisionNetwork, images: NDArray[np.float32], layers: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        return network.features(images, layers)


class Views:
    """All views that the metrics of a suite need.

    Parameters
    ----------
    suite : Suite
    networks : dict of str to VisionNetwork
        Opened, by name.
    cache : FeatureSource, optional
        Asked for features in place of the networks.
    """

    def __init__(
        self, suite: Suite, networks: dict[str, VisionNetwork], cache: FeatureSource | None = None
    ) -> None:
        self._suite, self._networks = suite, networks
        self._source: FeatureSource = cache or _Networks()
        self.wanted = tuple(dict.fromkeys(view_of(metric) for metric in suite.metrics))

    def pixels(self, images: NDArray[np.float32], image_size: int | None) -> NDArray[np.float32]:
        """Images after the suite's resize and then a metric's own."""
        for size in (self._suite.image_size, image_size):
            if size is not None:
                images = resize_images(images, size, antialias=self._suite.antialias)
        return images

    def of(self, images: NDArray[np.float32]) -> Iterator[tuple[View, NDArray[Any]]]:
        """Each wanted view of some images, one network at a time.

        Raises
        ------
        MetricError
            If a network gives something else than one row an image.
        """
        for image_size in dict.fromkeys(view.image_size for view in self.wanted):
            resized = self.pixels(images, image_size)
            layers: dict[str, list[Layer]] = {}
            for view in self.wanted:
                if view.image_size == image_size and view.layer is not None:
                    layers.setdefault(view.layer.network, []).append(view.layer)
            if View(image_size, None) in self.wanted:
                yield View(image_size, None), resized
            for name, wanted in layers.items():
                outputs = self._outputs(name, resized, [layer.name for layer in wanted])
                for layer in wanted:
                    yield View(image_size, layer), outputs.pop(layer.name)

    def _outputs(self, name: str, images: NDArray[np.float32], layers: list[str]) -> dict[str, NDArray[Any]]:
        outputs = dict(self._source.features(self._networks[name], images, layers))
        for layer in layers:
            n_rows = len(outputs[layer]) if layer in outputs else 0
            if n_rows != len(images):
                raise MetricError(
                    f"The network {name!r} gave {n_rows} rows of its layer {layer!r} for {len(images)} images; "
                    "needed is one row each. Look at what was registered under this name."
                )
        return outputs


def open_networks(suite: Suite, *, device: str | None) -> dict[str, VisionNetwork]:
    """All networks of a suite, by name.

    Raises
    ------
    MetricError
        If one cannot be opened: names it, what fetches it, the metrics that need it and those that work without.
    """
    names = dict.fromkeys(metric.layer.network for metric in suite.metrics if metric.layer is not None)
    if not names:
        return {}
    from tempgen.models.vision import open_network

    networks, missing = {}, {}
    for name in names:
        try:
            networks[name] = open_network(name, device=device)
        except NetworkUnavailableError as error:
            missing[name] = error
    if missing:
        raise MetricError(_unavailable(suite, missing)) from next(iter(missing.values()))
    return networks


def _unavailable(suite: Suite, missing: dict[str, NetworkUnavailableError]) -> str:
    without = [
        metric.name for metric in suite.metrics if metric.layer is None or metric.layer.network not in missing
    ]
    lines = []
    for name, error in missing.items():
        need = [metric.name for metric in suite.metrics if metric.layer and metric.layer.network == name]
        lines.append(f"The network {name!r} of {', '.join(need)} cannot be opened: {error}")
    works = f"Without it these work: {', '.join(without)}" if without else "No metric of it works without"
    lines.append(f"{works} (suite {suite.name!r}).")
    return "\n".join(lines)
