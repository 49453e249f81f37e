"""What a decoder's outputs mean: low-resolution pixels, labels, tokens or features, and the way from images there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.decoders.resizing import area_average, upsample_images
from tempgen.errors import DecoderError

if TYPE_CHECKING:
    from tempgen.models.backbone import BackboneSpec

KINDS = ("pixels", "labels", "tokens", "features")
"""What outputs can be."""


@dataclass(frozen=True)
class TargetSpec:
    """The meaning of a decoder's outputs, saved with it.

    Attributes
    ----------
    kind : {"pixels", "labels", "tokens", "features"}
    size : int
        Pixels: height and width of the decoded image; the outputs are its rows, columns and RGB, flattened in this order.
    image_size : int
        Pixels and tokens: height and width of the reconstructed image.
    names : tuple of str
        Labels: the name of each output. Features: likewise, or empty.
    n_tokens, token_dim : int
        Tokens: how many an image has, and of how many values; the outputs are these, flattened in this order.
    backbone, revision : str
        Tokens: the diffusion backbone whose they are.

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
    n_tokens: int = 0
    token_dim: int = 0
    backbone: str = ""
    revision: str = ""

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
        if self.kind == "tokens" and not (self.n_tokens and self.token_dim and self.backbone):
            raise DecoderError(
                "a target of tokens needs n_tokens, token_dim and the backbone: use TargetSpec.of_tokens"
            )

    @classmethod
    def of_tokens(cls, spec: BackboneSpec) -> TargetSpec:
        """The tokens of a diffusion backbone."""
        return cls(
            "tokens",
            n_tokens=spec.n_tokens,
            token_dim=spec.token_dim,
            backbone=spec.name,
            revision=spec.revision,
        )

    def check_backbone(self, spec: BackboneSpec) -> None:
        """Refuse a backbone whose tokens these are not.

        Raises
        ------
        DecoderError
            If it is another, or the same of another revision.
        """
        other = TargetSpec.of_tokens(spec)
        if other != self:
            raise DecoderError(
                f"the decoder's outputs are tokens of {self.backbone} {self.revision[:12]} "
                f"({self.n_tokens} x {self.token_dim}), the backbone is {spec.name} {spec.revision[:12]} "
                f"({spec.n_tokens} x {spec.token_dim}): give it its own backbone, or train it again"
            )

    @property
    def n_outputs(self) -> int | None:
        """Number of outputs; None for features without names, of which any number may be."""
        if self.kind == "tokens":
            return self.n_tokens * self.token_dim
        return self.size * self.size * 3 if self.kind == "pixels" else len(self.names) or None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {key: list(value) if key == "names" else value for key, value in asdict(self).items() if value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TargetSpec:
        """From what `to_dict` gave.

        Raises
        ------
        DecoderError
            If a key is unknown, or the kind is missing.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown or "kind" not in values:
            raise DecoderError(
                f"the target {dict(values)} has unknown keys {unknown} or no kind: of {', '.join(known)} it is made up"
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
        instead = (
            "a ridge decoder makes images of them by its backbone"
            if self.kind == "tokens"
            else "predict_label gives labels, predict the outputs themselves"
        )
        pixels = self._checked(predictions, kind="pixels", instead=instead)
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
