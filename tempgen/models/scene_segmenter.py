"""The network that says what each pixel of a scene shows: it judges reconstructions, and was trained apart from what it judges."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempgen.models.network_folder import load_frozen, save_network

PACKAGED = Path(__file__).parent / "weights" / "scene_segmenter"
"""Folder of the weights that come with the package; ``tempgen pretrain-scenes`` trained them."""
UNSHUFFLE = 4
"""Pixels a side that become channels before the first convolution. Source: house choice, for speed on a CPU."""
N_GROUPS = 8
"""Of the normalizations. Source: house choice, as in the scene encoder."""


class SceneSegmenter(nn.Module):
    """Evidence for each class at each pixel of a scene.

    Convolutions at 1/4 and at 1/8 of the image's resolution, and between the two what the whole image shows; from each place at
    1/4 the classes of its 4 x 4 pixels are read.

    Parameters
    ----------
    classes : tuple of str
        Names of the outputs.
    channels : tuple of int
        At 1/4 and at 1/8 of the resolution; multiples of 8.
    """

    def __init__(self, classes: tuple[str, ...], *, channels: tuple[int, int] = (64, 128)) -> None:
        super().__init__()
        fine, coarse = channels
        self.classes = classes
        self.channels = channels
        self.enter = nn.Sequential(
            nn.Conv2d(3 * UNSHUFFLE**2, fine, 1), nn.GroupNorm(N_GROUPS, fine), _Residual(fine)
        )
        self.shrink = nn.Sequential(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1), nn.GroupNorm(N_GROUPS, coarse), _Residual(coarse)
        )
        self.whole = nn.Linear(2 * coarse, coarse)
        self.coarse = _Residual(coarse)
        self.widen = nn.Conv2d(coarse, 4 * fine, 1)
        self.leave = nn.Sequential(nn.GroupNorm(N_GROUPS, fine), _Residual(fine), nn.ReLU())
        self.readout = nn.Conv2d(fine, len(classes) * UNSHUFFLE**2, 1)
        # before training the whole image says nothing
        nn.init.zeros_(self.whole.weight)
        nn.init.zeros_(self.whole.bias)

    def features(self, images: Tensor) -> Tensor:
        """What the classes are read from: (n, 3, side, side) in [0, 1] -> (n, channels, side / 4, side / 4)."""
        pixels = functional.pixel_unshuffle(images * 2 - 1, UNSHUFFLE)
        fine = self.enter(pixels.contiguous(memory_format=torch.channels_last))
        coarse = self.shrink(fine)
        whole = self.whole(torch.cat([coarse.mean(dim=(2, 3)), coarse.amax(dim=(2, 3))], dim=1))
        coarse = self.coarse(coarse + whole[:, :, None, None])
        features: Tensor = self.leave(fine + functional.pixel_shuffle(self.widen(coarse), 2))
        return features

    def read(self, features: Tensor, pixels: Tensor | None = None) -> Tensor:
        """Logits of the pixels of each place, or of some of them: training needs no more.

        Parameters
        ----------
        features : Tensor, shape (n, channels, rows, columns)
        pixels : Tensor of int64, shape (n_pixels,), optional
            Numbers of pixels in their 4 x 4 block, row by row.

        Returns
        -------
        Tensor, shape (n, rows, columns, n_pixels, n_classes)
        """
        n_classes = len(self.classes)
        if pixels is None:
            logits: Tensor = self.readout(features)
        else:
            # rows of the readout: the classes of the first pixel, of the second, ...
            rows = (pixels[:, None] * n_classes + torch.arange(n_classes, device=pixels.device)).flatten()
            bias = None if self.readout.bias is None else self.readout.bias[rows]
            logits = functional.conv2d(features, self.readout.weight[rows], bias)
        # classes last, as they lie in memory
        return logits.movedim(1, -1).unflatten(-1, (-1, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, n_classes, side, side) of images (n, 3, side, side) in [0, 1]; ``side`` is a multiple of 8."""
        return as_image(self.read(self.features(images))).movedim(-1, 1)

    def labels(self, images: Tensor) -> Tensor:
        """The likeliest class of each pixel, an index into ``classes``: uint8, (n, side, side)."""
        return as_image(self.read(self.features(images)).max(dim=-1).indices.to(torch.uint8))


def as_image(blocks: Tensor) -> Tensor:
    """Put pixels into their places: (n, rows, columns, 16, ...) -> (n, 4 * rows, 4 * columns, ...)."""
    return blocks.unflatten(3, (UNSHUFFLE, UNSHUFFLE)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


def in_blocks(image: Tensor) -> Tensor:
    """The other way: (n, side, side, ...) -> (n, side / 4, side / 4, 16, ...)."""
    rows = image.unflatten(2, (-1, UNSHUFFLE)).unflatten(1, (-1, UNSHUFFLE))
    return rows.transpose(2, 3).flatten(3, 4)


class _Residual(nn.Module):
    """One 3 x 3 convolution beside an identity; it starts small, so that few normalizations do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.convolution.weight.mul_(0.5)

    def forward(self, features: Tensor) -> Tensor:
        residual: Tensor = self.convolution(functional.relu(features))
        return features + residual


def save_scene_segmenter(segmenter: SceneSegmenter, folder: Path) -> None:
    """Write config.json and half-precision weights into an empty folder."""
    config = {"classes": list(segmenter.classes), "channels": list(segmenter.channels)}
    save_network(segmenter, config, folder)
    load_scene_segmenter.cache_clear()  # a folder may be written anew


@lru_cache(maxsize=1)
def load_scene_segmenter(folder: Path = PACKAGED) -> SceneSegmenter:
    """The segmentation network in a folder, frozen; by default the packaged one.

    Raises
    ------
    BackboneError
        If a file is missing or does not fit the others.
    """
    return load_frozen(folder, _of_config, named="scene segmenter")


def _of_config(config: Any) -> SceneSegmenter:
    fine, coarse = config["channels"]
    return SceneSegmenter(tuple(config["classes"]), channels=(fine, coarse))
