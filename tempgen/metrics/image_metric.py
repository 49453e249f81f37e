"""How a metric of images is computed: from correlations of features, or by a function of two images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.base import Comparison, Metric, compared_in
from tempgen.metrics.identification import IDENTIFICATION_DIRECTION

if TYPE_CHECKING:  # tempgen.models may import torch
    from tempgen.models.vision.interface import Layer

__all__ = ["FeatureMetric", "ImageMetric", "PairMetric", "metric_of"]

Kind = Literal["correlation", "correlation_distance", "identification"]


@dataclass(frozen=True)
class FeatureMetric:
    """A metric that follows from the correlations between features of reconstructions and of seen images.

    Attributes
    ----------
    metric : Metric
    kind : {"correlation", "correlation_distance", "identification"}
        r between a reconstruction and its target; 1 - r; or two-way identification, in the direction that
        ``metric.comparison`` names. A constant feature vector has r = 0 with all.
    layer : Layer or None
        Whose features are correlated; None for pixels, all three colours in one vector.
    image_size : int or None
        Pixels a side that images are resized to after the suite's own resize; None for no further one.

    Raises
    ------
    MetricError
        If the kind is unknown.
    """

    metric: Metric
    kind: Kind
    layer: Layer | None = None
    image_size: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise MetricError(
                f"The metric {self.metric.name!r} is of kind {self.kind!r}; there are {', '.join(get_args(Kind))}."
            )
        if self.kind == "identification" and self.metric.comparison is None:
            object.__setattr__(self, "metric", compared_in(self.metric, IDENTIFICATION_DIRECTION))

    @property
    def name(self) -> str:
        """Variable of the results."""
        return self.metric.name

    def directed(self, comparison: Comparison) -> FeatureMetric:
        """The same metric in the given direction, if it has one."""
        if self.kind != "identification":
            return self
        return replace(self, metric=compared_in(self.metric, comparison))


def _as_they_are(images: NDArray[Any]) -> NDArray[Any]:
    return images


@dataclass(frozen=True)
class PairMetric:
    """A metric that a function computes from a seen image and a reconstruction.

    Attributes
    ----------
    metric : Metric
        Without fixed chance level, chance is the mean over pairs that do not belong together.
    compare : callable
        ``compare(seen, reconstructed)`` gives the scores, shape (n,), of n representations of each that belong together.
    represent : callable
        What is computed once for each image and serves all its comparisons: takes images (n, height, width, 3), or the
        layer's output, and gives anything of length n that can be indexed by an array of int. By default what it takes.
    layer : Layer or None
        Whose output is represented; None for pixels.
    image_size : int or None
        Pixels a side that images are resized to after the suite's own resize; None for no further one.
    """

    metric: Metric
    compare: Callable[[Any, Any], NDArray[Any]]
    represent: Callable[[NDArray[Any]], Any] = _as_they_are
    layer: Layer | None = None
    image_size: int | None = None

    @property
    def name(self) -> str:
        """Variable of the results."""
        return self.metric.name

    def directed(self, comparison: Comparison) -> PairMetric:
        """Itself: only two-way identification has a direction."""
        return self


ImageMetric: TypeAlias = FeatureMetric | PairMetric


def metric_of(
    name: str,
    compare: Callable[[Any, Any], NDArray[Any]],
    *,
    description: str,
    source: str,
    chance: float | None = None,
    higher_is_better: bool = True,
    long_name: str | None = None,
    version: int = 1,
    represent: Callable[[NDArray[Any]], Any] = _as_they_are,
    layer: Layer | None = None,
    image_size: int | None = None,
) -> PairMetric:
    """A metric of one's own: a function of the seen images and of the reconstructions that belong to them.

    Parameters
    ----------
    name : str
        Variable of the results; letters, digits and underscores.
    compare : callable
        ``compare(seen, reconstructed)``, each of shape (n, height, width, 3), float32 in [0, 1] (or what ``represent``
        made of it), gives n scores.
    description, source : str
        What is computed with which settings, and who defined it.
    chance : float, optional
        Expected score of a decoder that knows nothing, if one number holds for all images. Measured unless given.
    higher_is_better : bool
    long_name : str, optional
        Axis label; by default the name.
    version, represent, layer, image_size
        As in `Metric` and `PairMetric`.

    Raises
    ------
    MetricError
        If the name cannot be a variable's.

    Examples
    --------
    >>> brightness = metric_of(
    ...     "brightness",
    ...     lambda seen, reconstructed: abs(seen.mean(axis=(1, 2, 3)) - reconstructed.mean(axis=(1, 2, 3))),
    ...     higher_is_better=False,
    ...     description="absolute difference of the mean pixel values",
    ...     source="this example",
    ... )
    >>> brightness.metric.direction
    'lower is better'
    """
    if not name.isidentifier():
        raise MetricError(
            f"A metric cannot be called {name!r}: its scores become a variable of the results. Use letters, digits and "
            "underscores."
        )
    metric = Metric(
        name=name,
        long_name=long_name or name,
        chance=chance,
        higher_is_better=higher_is_better,
        description=description,
        source=source,
        version=version,
    )
    return PairMetric(metric, compare, represent=represent, layer=layer, image_size=image_size)
