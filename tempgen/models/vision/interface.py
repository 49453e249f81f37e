"""What a network has to offer so that metrics can compare images by it. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["LABELS", "Layer", "VisionNetwork"]

LABELS = "labels"
"""Layer of a segmentation network: one category a pixel, as integers."""


@dataclass(frozen=True)
class Layer:
    """Where in which network an image is represented.

    Attributes
    ----------
    network : str
        A name that `tempgen.models.vision.open_network` knows, ``"alexnet"``; where a network's weights can be chosen,
        the name and the choice, ``"ade20k:REPOSITORY@REVISION"``.
    name : str
        A layer of that network, ``"features.4"``.

    Examples
    --------
    >>> str(Layer("alexnet", "features.4"))
    'alexnet features.4'
    """

    network: str
    name: str

    def __str__(self) -> str:
        return f"{self.network} {self.name}"


@runtime_checkable
class VisionNetwork(Protocol):
    """A frozen network that represents images.

    Attributes
    ----------
    name : str
        The name that it was opened by.
    weights : str
        Which weights it has, pinned: ``"torchvision AlexNet_Weights.IMAGENET1K_V1"``. Goes into results and into the keys
        of cached features, so two networks that differ in any output have different ``weights``.
    preprocessing : str
        What happens to the images before the first layer, in words.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - above

    @property
    def weights(self) -> str: ...  # noqa: D102

    @property
    def preprocessing(self) -> str: ...  # noqa: D102

    def features(self, images: NDArray[np.float32], layers: Sequence[str]) -> dict[str, NDArray[Any]]:
        """What the layers say of images, all from one pass.

        Parameters
        ----------
        images : array of float32, shape (n, height, width, 3)
            In [0, 1].
        layers : sequence of str
            Which layers; at least one.

        Returns
        -------
        dict of str to array
            For each layer, in the order asked for: float32 (n, n_features), or for the layer `LABELS` integers from 0
            (n, rows, columns). The same batch gives the same numbers each time; in another batch the last digits of
            float32 may differ.

        Raises
        ------
        MetricError
            If the images have another shape or are not floats.
        NetworkUnavailableError
            If the network has no such layer.
        """
        ...
