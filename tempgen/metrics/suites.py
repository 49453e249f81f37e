"""Suites: lists of metrics under a name, with the size that images have when they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from tempgen.errors import MetricError
from tempgen.metrics.base import Comparison
from tempgen.metrics.identification import IDENTIFICATION_DIRECTIONS
from tempgen.metrics.image_metric import ImageMetric
from tempgen.metrics.resizing import resize_words

__all__ = ["Suite", "get_suite", "known_suites", "register_metric", "register_suite"]

_BUILT_IN = {
    "pixels": "pixel_suite",
    "scenes": "scenes",
    "paper": "published",
    "mindeye": "published",
    "brain-diffuser": "published",
}
"""Module that defines each suite. Imported when first asked for: those with networks may import torch."""

_suites: dict[str, Suite] = {}
_metrics: dict[str, ImageMetric] = {}


@dataclass(frozen=True)
class Suite:
    """Metrics that are computed together.

    Attributes
    ----------
    name : str
    version : int
        Raised whenever the same input gives another number, or the suite another metric.
    metrics : tuple of FeatureMetric and PairMetric
        In the order in which tables and figures show them; no name twice.
    image_size : int or None
        Pixels a side that all images are resized to first; None where they are compared as they come.
    description, source : str
        What the suite is for, and who defined it.
    antialias : bool
        Whether resizes antialias, see `tempgen.metrics.resizing.resize_images`.

    Raises
    ------
    MetricError
        If there is no metric, or two have one name.
    """

    name: str
    version: int
    metrics: tuple[ImageMetric, ...]
    image_size: int | None
    description: str
    source: str
    antialias: bool = True

    def __post_init__(self) -> None:
        names = self.metric_names
        if not names or len(set(names)) < len(names):
            raise MetricError(
                f"The suite {self.name!r} has the metrics {list(names)}; needed is at least one, and each once."
            )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics, in order."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def resize(self) -> str:
        """What is done to the size of the images, in words.

        Examples
        --------
        >>> get_suite("paper").resize
        'to 224 x 224 pixels, bilinear with antialiasing'
        """
        ways = {self.resize_of(metric) for metric in self.metrics}
        if len(ways) == 1:
            return ways.pop()
        first = (
            ""
            if self.image_size is None
            else f"{resize_words(self.image_size, antialias=self.antialias)}, then "
        )
        return f"{first}to the size of each metric, see the attribute 'resize' of its scores"

    def resize_of(self, metric: ImageMetric) -> str:
        """What is done to the size of the images that a metric compares, in words."""
        sizes = [size for size in (self.image_size, metric.image_size) if size is not None]
        steps = [resize_words(size, antialias=self.antialias) for size in sizes]
        return ", then ".join(steps) or "none: images are compared at the size they come in"

    @property
    def comparison(self) -> Comparison | None:
        """Direction of the suite's identification metrics; None if it has none."""
        directions = [metric.metric.comparison for metric in self.metrics if metric.metric.comparison]
        return directions[0] if directions else None

    def select(self, names: Sequence[str]) -> Suite:
        """The suite with some metrics alone, in the order asked for; registered metrics may be among them.

        Raises
        ------
        MetricError
            If a name is neither the suite's nor registered, occurs twice, or there is none.
        """
        known = {**_metrics, **{metric.name: metric for metric in self.metrics}}
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise MetricError(
                f"Metrics {list(names)} were asked for; the suite {self.name!r} has {', '.join(self.metric_names)}"
                + "".join(f", {name} (registered)" for name in _metrics if name not in self.metric_names)
                + ". Choose of these, take another suite or add a metric with `register_metric`."
            )
        return replace(self, metrics=tuple(known[name] for name in names))

    def directed(self, comparison: Comparison) -> Suite:
        """The suite with two-way identification in the given direction.

        Raises
        ------
        MetricError
            If there is no such direction.

        Examples
        --------
        >>> get_suite("pixels").directed("seen-to-reconstruction").attrs()["identification_direction"]
        'seen-to-reconstruction'
        """
        if comparison not in IDENTIFICATION_DIRECTIONS:
            raise MetricError(
                f"Two-way identification was asked for in the direction {comparison!r}; there are "
                f"{' and '.join(IDENTIFICATION_DIRECTIONS)}."
            )
        return replace(self, metrics=tuple(metric.directed(comparison) for metric in self.metrics))

    def with_network(self, network: str, instead: str) -> Suite:
        """The suite with another network in place of one, such as a segmentation model of one's choice.

        Parameters
        ----------
        network : str
            Name of a network that the suite uses, ``"ade20k"``.
        instead : str
            Name of one with the same layers: ``"ade20k:REPOSITORY@REVISION"``, or one that was registered.

        Raises
        ------
        MetricError
            If no metric of the suite uses the network.
        """
        used = dict.fromkeys(metric.layer.network for metric in self.metrics if metric.layer is not None)
        if network not in used:
            raise MetricError(
                f"The suite {self.name!r} does not use a network {network!r}; it uses {', '.join(used) or 'none'}."
            )
        metrics = (
            replace(metric, layer=replace(metric.layer, network=instead))
            if metric.layer is not None and metric.layer.network == network
            else metric
            for metric in self.metrics
        )
        return replace(self, metrics=tuple(metrics))

    def attrs(self) -> dict[str, str | int]:
        """What a result says of the suite that made it.

        Returns
        -------
        dict
            ``suite``, ``suite_version``, ``resize``; ``image_size`` where there is one for all metrics and
            ``identification_direction`` where one is identified.
        """
        attrs: dict[str, str | int] = {
            "suite": self.name,
            "suite_version": self.version,
            "resize": self.resize,
        }
        if self.image_size is not None:
            attrs["image_size"] = self.image_size
        if self.comparison is not None:
            attrs["identification_direction"] = self.comparison
        return attrs


def known_suites() -> tuple[str, ...]:
    """Names that `get_suite` knows, the built-in ones first.

    Examples
    --------
    >>> known_suites()[:3]
    ('pixels', 'scenes', 'paper')
    """
    return (*_BUILT_IN, *(name for name in _suites if name not in _BUILT_IN))


def get_suite(name: str) -> Suite:
    """The suite of a name; no network is opened.

    Raises
    ------
    MetricError
        If there is none.
    """
    if name in _BUILT_IN and name not in _suites:
        module = import_module(f"tempgen.metrics.{_BUILT_IN[name]}")
        _suites.update({suite.name: suite for suite in module.SUITES})
    if name not in _suites:
        raise MetricError(
            f"There is no suite {name!r}; known are {', '.join(known_suites())}. "
            "Add one with `tempgen.metrics.register_suite`."
        )
    return _suites[name]


def register_suite(suite: Suite) -> None:
    """Make a suite known by its name; the last one of a name counts.

    Raises
    ------
    MetricError
        If the name is that of a built-in suite, whose numbers others rely on.
    """
    if suite.name in _BUILT_IN:
        raise MetricError(
            f"{suite.name!r} is a suite of tempgen; give yours another name, such as 'my-{suite.name}'."
        )
    _suites[suite.name] = suite


def register_metric(metric: ImageMetric) -> None:
    """Make a metric usable by name in the ``metrics`` of every suite; the last one of a name counts.

    A suite's own metric of the same name goes first.

    Raises
    ------
    MetricError
        If it is neither a FeatureMetric nor a PairMetric, as `metric_of` makes.
    """
    if not isinstance(metric, ImageMetric):
        raise MetricError(
            f"A metric has to be a FeatureMetric or a PairMetric, got {type(metric).__name__}; "
            "make one of a function with `tempgen.metrics.metric_of`."
        )
    _metrics[metric.name] = metric
