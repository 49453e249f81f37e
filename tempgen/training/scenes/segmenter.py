"""The segmentation network that judges samples, trained on scenes as they are and as reconstructions show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tempgen.config.optimization import OptimizationConfig
from tempgen.models.keyed_noise import keyed_normal, keyed_uniform
from tempgen.models.scene_segmenter import SceneSegmenter, in_blocks
from tempgen.training.scenes.pictures import Pictures

N_PIXELS = 4
"""Of each block of 16 that a step looks at: the loss is the dearest part. Source: house choice."""
CLEAN = 0.5
"""Share of training scenes that are left as they are. Source: house choice."""
BLUR_PX = 3.0
"""Largest SD of the blur of the others, in pixels. Source: house choice; the VAE's own is about 1."""
GRAIN, BLOTCHES = 0.08, 0.12
"""Largest SD of independent noise and of noise that is smooth over 8 x 8 pixels. Source: house choice."""
HELD_OUT_BLUR_PX, HELD_OUT_GRAIN = 1.5, 0.04
"""Of the held-out scenes that a judge is tried on. Source: house choice, half of the largest."""
AT_ONCE = 250
"""Scenes that pass the network together in validation."""
_STRENGTHS, _GRAIN, _BLOTCHES, _PIXELS = 11, 12, 13, 14  # first entries of the keys


class SegmenterModule(nn.Module):
    """The network with its loss.

    Parameters
    ----------
    segmenter : SceneSegmenter
    """

    def __init__(self, segmenter: SceneSegmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: Tensor, masks: Tensor, pixels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of the classes of images (n, 3, 64, 64) in [0, 1].

        Parameters
        ----------
        masks : Tensor, shape (n, 16, 16, n_pixels)
            Classes of some pixels of each 4 x 4 block.
        pixels : Tensor, shape (n, n_pixels)
            Which those are; the same in each row.
        """
        segmenter = self.segmenter
        logits = segmenter.read(segmenter.features(images), pixels[0]).float()
        return {"loss": functional.cross_entropy(logits.flatten(0, -2), masks.flatten().long())}


def disturbed(images: Tensor, *, seed: int, keys: Sequence[tuple[int, ...]]) -> Tensor:
    """Images blurred and under noise, each by its own amount, as imperfect reconstructions are.

    Parameters
    ----------
    images : Tensor, shape (n, 3, side, side)
        In [0, 1], as are those that come back.
    keys : sequence of tuple of int
        Image ``k`` depends on ``(seed, keys[k])`` alone.
    """
    chosen = keyed_uniform((4,), seed=seed, keys=[(_STRENGTHS, *key) for key in keys])
    rows = torch.nonzero(chosen[:, 0] >= CLEAN).flatten().tolist()
    if not rows:
        return images
    side, keys = images.shape[-1], [keys[row] for row in rows]
    _, sigma_px, grain_sd, blotches_sd = (chosen[rows] * torch.tensor([1, BLUR_PX, GRAIN, BLOTCHES])).T
    # grain is grey: a third of the numbers
    grain = keyed_normal((1, side, side), seed=seed, keys=[(_GRAIN, *key) for key in keys])
    few = keyed_normal((3, side // 8, side // 8), seed=seed, keys=[(_BLOTCHES, *key) for key in keys])
    blotches = functional.interpolate(few, size=(side, side), mode="bilinear", align_corners=False)
    noise = _each(grain_sd) * grain + _each(blotches_sd) * blotches
    images = images.clone()
    images[rows] = (blur(images[rows], sigma_px) + noise).clamp(0, 1)
    return images


def as_reconstructed(images: Tensor) -> Tensor:
    """Held-out scenes (n, 3, side, side) blurred and under noise, all by the same amount; the noise is the same each time."""
    keys = [(_GRAIN, -1, row) for row in range(len(images))]
    grain = keyed_normal((1, *images.shape[2:]), seed=0, keys=keys)
    blurred = blur(images, torch.full((len(images),), HELD_OUT_BLUR_PX))
    return (blurred + HELD_OUT_GRAIN * grain).clamp(0, 1)


def blur(images: Tensor, sigma_px: Tensor) -> Tensor:
    """Gaussian blur whose weights sum to 1 at the edges too: (n, 3, side, side), (n,) -> (n, 3, side, side)."""
    places = torch.arange(images.shape[-1], dtype=torch.float32)
    distance = (places[:, None] - places).square()
    weights = torch.exp(-distance / (2 * sigma_px.clamp(min=1e-3).square()[:, None, None]))
    weights = (weights / weights.sum(dim=-1, keepdim=True))[:, None]
    return weights @ images @ weights.mT


def _each(amounts: Tensor) -> Tensor:
    return amounts[:, None, None, None]


def overlap(labels: Tensor, masks: Tensor, *, n_classes: int) -> dict[str, float]:
    """How well label maps agree with the true ones.

    Parameters
    ----------
    labels, masks : Tensor of uint8, shape (n, side, side)

    Returns
    -------
    dict of str to float
        ``pixel_accuracy``; ``mean_iou``, intersection over union of each class that is in either map of a scene, averaged in
        the scene and then over scenes; ``class_iou``, of each class over all scenes' pixels, averaged over classes.
    """
    keys = masks.flatten(1).long() * n_classes + labels.flatten(1).long()
    counts = torch.zeros(len(masks), n_classes**2).scatter_add_(1, keys, torch.ones(keys.shape))
    table = counts.unflatten(1, (n_classes, n_classes))  # (scene, true class, found class)
    both = table.diagonal(dim1=1, dim2=2)
    either = table.sum(dim=1) + table.sum(dim=2) - both
    in_scene = (both / either.clamp(min=1)).sum(dim=1) / (either > 0).sum(dim=1)
    in_all = both.sum(dim=0)[either.sum(dim=0) > 0] / either.sum(dim=0)[either.sum(dim=0) > 0]
    return {
        "pixel_accuracy": float((labels == masks).float().mean()),
        "mean_iou": float(in_scene.mean()),
        "class_iou": float(in_all.mean()),
    }


@dataclass
class SegmenterTask:
    """Trains the segmentation network; a task of the training loop.

    Attributes
    ----------
    masks, held_out_masks : array of uint8, shape (n_scenes, 64, 64)
        What each pixel of ``pictures`` and of ``held_out`` shows.
    """

    pictures: Pictures
    masks: NDArray[np.uint8]
    held_out: Pictures
    held_out_masks: NDArray[np.uint8]
    module: SegmenterModule
    config: OptimizationConfig
    recipe: Mapping[str, Any]
    name: str = "segmenter"

    @property
    def n_samples(self) -> int:
        """Training scenes."""
        return len(self.pictures)

    def batch(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        """Images, most of them disturbed as (step, scene) decides, and what their pixels show."""
        keys = [(step, int(row)) for row in rows]
        images = disturbed(self.pictures.pixels(rows), seed=self.config.seed, keys=keys)
        masks = in_blocks(torch.from_numpy(self.masks[rows]))
        order = keyed_uniform((masks.shape[-1],), seed=self.config.seed, keys=[(_PIXELS, step)]).argsort(
            dim=1
        )
        pixels = order[:, :N_PIXELS]
        return {
            "images": images,
            "masks": masks[..., pixels[0]],
            "pixels": pixels.expand(len(rows), -1).contiguous(),
        }

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Agreement with the true maps in held-out scenes, and in the same under blur and noise."""
        masks = torch.from_numpy(self.held_out_masks)
        images = self.held_out.pixels(slice(None))
        clean = agreement(self.module.segmenter, images, masks)
        other = agreement(self.module.segmenter, as_reconstructed(images), masks)
        return {**clean, "mean_iou_disturbed": other["mean_iou"], "monitor": -clean["mean_iou"]}


def agreement(segmenter: SceneSegmenter, images: Tensor, masks: Tensor) -> dict[str, float]:
    """:func:`overlap` of what the network finds in images (n, 3, 64, 64) with the true maps (n, 64, 64)."""
    device = segmenter.readout.weight.device
    found = [segmenter.labels(part.to(device)).cpu() for part in images.split(AT_ONCE)]
    return overlap(torch.cat(found), masks, n_classes=len(segmenter.classes))
