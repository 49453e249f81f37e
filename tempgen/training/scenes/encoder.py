"""The image encoder of the scenes backbone, and with the same body the classifier that judges samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tempgen.data.scenes import BACKGROUNDS, CATEGORIES, COLOURS
from tempgen.models.scene_encoder import SceneEncoder
from tempgen.training.scenes.pictures import Pictures

READOUT_SIDE = 8
"""Pixels a side of the half-resolution patch that is read from a token of the grid. Source: a 4 x 4 grid of 32 x 32 pixels."""
WEIGHTS = {"pixels": 10.0, "background": 0.3, "category": 1.0, "colour": 0.3, "place": 3.0}
"""Of the losses: each contributes about as much as the others after the first minute. Source: house choice."""
_SECTIONS = (len(BACKGROUNDS), len(CATEGORIES), len(COLOURS), 3)


class EncoderModule(nn.Module):
    """Encoder with linear readouts: what a scene shows from its first token, its pixels from the others.

    Parameters
    ----------
    encoder : SceneEncoder
    """

    def __init__(self, encoder: SceneEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        token_dim = encoder.config["token_dim"]
        self.read_pixels = nn.Linear(token_dim, 3 * READOUT_SIDE**2)
        self.read_content = nn.Linear(token_dim, sum(_SECTIONS))

    def forward(self, images: Tensor, content: Tensor) -> dict[str, Tensor]:
        """Losses of images (n, 3, 64, 64) in [0, 1] that show ``content`` (n, 31)."""
        tokens = self.encoder.raw_tokens(images).float()
        read = self.read_content(tokens[:, 0]).float().split(_SECTIONS, dim=1)
        background, category, colour, place = content.split(_SECTIONS, dim=1)
        patches = functional.pixel_unshuffle(functional.avg_pool2d(images * 2 - 1, 2), READOUT_SIDE)
        losses = {
            "pixels": functional.mse_loss(
                self.read_pixels(tokens[:, 1:]).float(), patches.flatten(2).transpose(1, 2)
            ),
            "background": functional.cross_entropy(read[0], background),
            "category": functional.binary_cross_entropy_with_logits(read[1], category),
            "colour": functional.cross_entropy(read[2], colour),
            "place": functional.mse_loss(read[3], place),
        }
        loss = torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()
        return {"loss": loss, **{name: value.detach() for name, value in losses.items()}}

    def category_logits(self, images: Tensor) -> Tensor:
        """Evidence for each category, (n, 10)."""
        logits: Tensor = self.read_content(self.encoder.raw_tokens(images)[:, 0]).split(_SECTIONS, dim=1)[1]
        return logits


def categories_found(logits: Tensor, categories: Tensor) -> Tensor:
    """Share of each scene's categories among as many with the largest logits: (n, 10), (n, 10) -> (n,).

    Chance is the mean number of objects over the number of categories.
    """
    order = logits.argsort(dim=1, descending=True)
    ranked = categories.gather(1, order)
    n_objects = categories.sum(dim=1)
    among = torch.arange(categories.shape[1], device=logits.device) < n_objects[:, None]
    return (ranked * among).sum(dim=1) / n_objects


@dataclass
class EncoderTask:
    """Trains an encoder with its readouts; a task of the training loop."""

    name: str
    pictures: Pictures
    held_out: Pictures
    module: EncoderModule
    recipe: Mapping[str, Any]

    @property
    def n_samples(self) -> int:
        """Training scenes."""
        return len(self.pictures)

    def batch(self, rows: NDArray[np.int64], step: int) -> dict[str, Tensor]:
        """Images and what they show."""
        return {
            "images": self.pictures.pixels(rows),
            "content": torch.from_numpy(self.pictures.content[rows]),
        }

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Share of the objects' categories that are found in held-out scenes."""
        device = self.module.read_content.weight.device
        logits = self.module.category_logits(self.held_out.pixels(slice(None)).to(device))
        found = categories_found(logits.float().cpu(), torch.from_numpy(self.held_out.categories)).mean()
        return {"category": float(found), "monitor": -float(found)}


@torch.no_grad()
def standardize(encoder: SceneEncoder, pictures: Pictures, *, n_scenes: int = 5000) -> None:
    """Set the encoder's mean and scale, value by value, from its raw tokens of the first scenes."""
    tokens = torch.cat(
        [
            encoder.raw_tokens(pictures.pixels(slice(start, min(start + 250, n_scenes))))
            for start in range(0, min(n_scenes, len(pictures)), 250)
        ]
    )
    encoder.token_mean.copy_(tokens.mean(dim=0))
    encoder.token_scale.copy_(tokens.std(dim=0).clamp(min=1e-4))
