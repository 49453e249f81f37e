"""What a decoder's outputs mean: low-resolution pixels, labels or features, and the way from images there and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import DecoderError

KINDS = ("pixels", "labels", "features")
"""What outputs can be."""

IMAGES_AT_ONCE = 64
"""Images that are converted to float32 together, so that a large uint8 set needs little more memory than it has."""


@dataclass(frozen=True)
class TargetSpec:
    """The meaning of a decoder's outputs, saved with it.

    Attributes
    ----------
    kind : {"pixels", "labels", "features"}
    size : int
        Pixels: height and width of the decoded image; the outputs are its rows, columns and RGB, flattened in this order.
    image_size : int
        Pixels: height and width of the reconstructed image.
    names : tuple of str
        Labels: the name of each output. Features: likewise, or empty.

    Raises
    ------
    DecoderError
        If a kind is unknown, or lacks what it needs.

    Examples
    --------
    >>> TargetSpec("pixels", size=16, image_size=64).n_outputs
    768
    """

    kind: str
    size: int = 0
    image_size: int = 0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DecoderError(f"target kind {self.kind!r} is unknown; there are {', '.join(KINDS)}")
        if self.kind == "pixels" and (self.size < 1 or self.image_size < 1 or self.names):
            raise DecoderError(
                f"a target of pixels needs size and image_size of at least 1 and no names; got size={self.size}, "
                f"image_size={self.image_size}, {len(self.names)} names"
            )
        if self.kind == "labels" and not self.names:
            raise DecoderError("a target of labels needs their names, in the order of the outputs")

    @property
    def n_outputs(self) -> int | None:
        """Number of outputs; None for features without names, of which any number may be."""
        return self.size * self.size * 3 if self.kind == "pixels" else len(self.names) or None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {key: list(value) if key == "names" else value for key, value in asdict(self).items() if value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TargetSpec":
        """From what `to_dict` gave.

        Raises
        ------
        DecoderError
            If a key is unknown, or the kind is missing.
        """
        unknown = sorted(set(values) - {"kind", "size", "image_size", "names"})
        if unknown or "kind" not in values:
            raise DecoderError(
                f"the target {dict(values)} has unknown keys {unknown} or no kind: kind, size, image_size and names make it up"
            )
        return cls(**{**values, "names": tuple(values.get("names", ()))})

    def reconstruct(self, predictions: ArrayLike) -> NDArray[np.float32]:
        """Images that a decoder of pixels saw.

        Parameters
        ----------
        predictions : (n_trials, size * size * 3)

        Returns
        -------
        (n_trials, image_size, image_size, 3) float32 in [0, 1]
            Upsampled bilinearly, values outside [0, 1] clipped.

        Raises
        ------
        DecoderError
            If the outputs are no pixels, or of another number.
        """
        pixels = self._checked(
            predictions, kind="pixels", instead="predict_label gives labels, predict the outputs themselves"
        )
        return upsample_images(pixels.reshape(-1, self.size, self.size, 3), self.image_size).clip(0, 1)

    def predict_label(self, predictions: ArrayLike) -> NDArray[np.int64]:
        """Index of the largest output, the decoded label: (n_trials, n_labels) -> (n_trials,).

        Raises
        ------
        DecoderError
            If the outputs are no labels, or of another number.
        """
        return self._checked(predictions, kind="labels", instead="reconstruct gives images").argmax(axis=1)

    def _checked(self, predictions: ArrayLike, *, kind: str, instead: str) -> NDArray[np.float32]:
        if self.kind != kind:
            raise DecoderError(f"this decoder's outputs are {self.kind}, not {kind}: {instead}")
        outputs = np.asarray(predictions, dtype=np.float32)
        if outputs.ndim != 2 or outputs.shape[1] != self.n_outputs:
            raise DecoderError(
                f"predictions have shape {outputs.shape}; (n_trials, {self.n_outputs}) is needed for {kind}"
            )
        return outputs


def pixel_targets(images: ArrayLike, size: int) -> NDArray[np.float32]:
    """Low-resolution pixels of images, as targets of a decoder.

    Parameters
    ----------
    images : (n_images, height, width, 3), uint8 or float in [0, 1]
    size : int
        Height and width after averaging over areas.

    Returns
    -------
    (n_images, size * size * 3) float32 in [0, 1]
        Rows, columns and RGB flattened in this order.

    Raises
    ------
    DecoderError
        If images have another shape or range, or are smaller than ``size``.

    Examples
    --------
    >>> pixel_targets(np.full((1, 4, 4, 3), 255, dtype=np.uint8), 1)
    array([[1., 1., 1.]], dtype=float32)
    """
    return area_average(images, size).reshape(len(np.asarray(images)), -1)


def area_average(images: ArrayLike, size: int) -> NDArray[np.float32]:
    """Images made smaller by averaging over areas; each pixel counts by the share of it in the area.

    Parameters
    ----------
    images : (n_images, height, width, 3), uint8 or float in [0, 1]
    size : int
        New height and width.

    Returns
    -------
    (n_images, size, size, 3) float32 in [0, 1]

    Raises
    ------
    DecoderError
        If images have another shape or range, or are smaller than ``size``.
    """
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[-1] != 3 or not 1 <= size <= min(array.shape[1:3]):
        raise DecoderError(
            f"images have shape {array.shape}; (n_images, height, width, 3) with sides of at least size={size} >= 1 is needed"
        )
    if array.dtype != np.uint8 and array.size and not (array.min() >= 0 and array.max() <= 1):
        raise DecoderError(
            f"images of type {array.dtype} range from {array.min():.3g} to {array.max():.3g}; uint8, or floats in [0, 1], are needed"
        )
    rows, columns = _area_weights(array.shape[1], size), _area_weights(array.shape[2], size)
    if array.dtype == np.uint8:
        rows = rows / np.float32(255)
    averaged = np.empty((len(array), size, size, 3), dtype=np.float32)
    for start in range(0, len(array), IMAGES_AT_ONCE):
        some = slice(start, start + IMAGES_AT_ONCE)
        averaged[some] = _resize(array[some].astype(np.float32), rows=rows, columns=columns)
    return averaged


def upsample_images(images: ArrayLike, image_size: int) -> NDArray[np.float32]:
    """Images made larger by bilinear interpolation between pixel centres, constant beyond the outermost centres.

    Parameters
    ----------
    images : (n_images, height, width, 3)
    image_size : int
        New height and width.

    Returns
    -------
    (n_images, image_size, image_size, 3) float32
    """
    array = np.asarray(images, dtype=np.float32)
    rows, columns = (
        _bilinear_weights(array.shape[1], image_size),
        _bilinear_weights(array.shape[2], image_size),
    )
    return _resize(array, rows=rows, columns=columns)


def one_hot(labels: ArrayLike, n_classes: int) -> NDArray[np.float32]:
    """Labels as targets of a decoder: 1 in the label's column, else 0.

    Parameters
    ----------
    labels : (n_trials,) int
        From 0 to ``n_classes - 1``.

    Returns
    -------
    (n_trials, n_classes) float32

    Raises
    ------
    DecoderError
        If a label is outside the classes.

    Examples
    --------
    >>> one_hot([1, 0], 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    indices = np.asarray(labels, dtype=np.int64)
    if indices.ndim != 1 or (indices.size and not 0 <= indices.min() <= indices.max() < n_classes):
        raise DecoderError(
            f"labels of shape {indices.shape} must be whole numbers from 0 to {n_classes - 1}, one a trial"
        )
    return np.eye(n_classes, dtype=np.float32)[indices]


def _resize(
    images: NDArray[np.float32], *, rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rows (new, old) and columns (new, old) of weights applied to images (n, height, width, 3), as two large matrix products."""
    n_images, height, width, _ = images.shape
    shorter = rows @ images.reshape(n_images, height, width * 3)
    resized = shorter @ np.kron(columns.T, np.eye(3, dtype=np.float32))
    return np.asarray(resized.reshape(n_images, len(rows), len(columns), 3))


def _area_weights(old: int, new: int) -> NDArray[np.float32]:
    """Share of each old pixel in each new one, (new, old); rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    pixel = np.arange(old)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (overlap.clip(0) * (new / old)).astype(np.float32)


def _bilinear_weights(old: int, new: int) -> NDArray[np.float32]:
    """Linear interpolation at new pixel centres, (new, old)."""
    centre = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    return (1 - np.abs(centre[:, None] - np.arange(old))).clip(0).astype(np.float32)
