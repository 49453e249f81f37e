"""The distinct seen images, represented once for all that is compared with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.metrics.correlation import standardize_rows
from tempgen.metrics.image_metric import FeatureMetric, PairMetric
from tempgen.metrics.suites import Suite
from tempgen.metrics.views import View, Views, view_of

__all__ = ["SeenPool"]


class SeenPool:
    """What metrics need of the seen images.

    Parameters
    ----------
    seen_images : array of float32, shape (n_images, height, width, 3)
    suite : Suite
    views : Views
        Of the suite's metrics.
    blocks : iterable of slice
        Images to represent at once.

    Attributes
    ----------
    rows : dict of View to array of float32, shape (n_images, n_features)
        Standardized features, held once.
    represented : dict of str to anything
        What each pair metric compares, by its name.
    """

    def __init__(
        self, seen_images: NDArray[np.float32], suite: Suite, views: Views, blocks: Iterable[slice]
    ) -> None:
        pairs = [metric for metric in suite.metrics if isinstance(metric, PairMetric)]
        correlated = {view_of(metric) for metric in suite.metrics if isinstance(metric, FeatureMetric)}
        as_they_come = View(None, None) if suite.image_size is None else None
        kept = {view_of(metric) for metric in pairs} - {as_they_come}
        self.rows: dict[View, NDArray[np.float32]] = {}
        outputs: dict[View, NDArray[Any]] = {}
        for block in blocks:
            some = seen_images[block]
            for view, seen_as in views.of(some):
                if view in correlated:
                    _fill(self.rows, view, block, features_of(seen_as), n_images=len(seen_images))
                if view in kept:
                    _fill(outputs, view, block, seen_as, n_images=len(seen_images))
        self.represented: dict[str, Any] = {}
        for metric in pairs:
            self.represented[metric.name] = metric.represent(outputs.get(view_of(metric), seen_images))


def features_of(seen_as: NDArray[Any]) -> NDArray[np.float32]:
    """Standardized feature vectors of a view, one a row."""
    return standardize_rows(seen_as.reshape(len(seen_as), -1))


def _fill(
    arrays: dict[View, NDArray[Any]], view: View, block: slice, rows: NDArray[Any], *, n_images: int
) -> None:
    if view not in arrays:
        arrays[view] = np.empty((n_images, *rows.shape[1:]), dtype=rows.dtype)
    arrays[view][block] = rows
