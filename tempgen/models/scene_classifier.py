"""The network that names the objects in scenes: it judges reconstructions, and was trained apart from what it judges."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tempgen.models.network_folder import load_frozen, save_network
from tempgen.models.scene_encoder import SceneEncoder

PACKAGED = Path(__file__).parent / "weights" / "scene_classifier"
"""Folder of the weights that come with the package; ``tempgen pretrain-scenes`` trained them."""


class SceneClassifier(nn.Module):
    """Evidence for each category of objects in a scene, several of which may be there.

    Parameters
    ----------
    encoder : SceneEncoder
        Its first token is read.
    categories : tuple of str
        Names of the outputs.
    """

    def __init__(self, encoder: SceneEncoder, categories: tuple[str, ...]) -> None:
        super().__init__()
        self.encoder = encoder
        self.categories = categories
        self.readout = nn.Linear(int(encoder.config["token_dim"]), len(categories))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, n_categories) of images (n, 3, 64, 64) in [0, 1]; a probability is the sigmoid."""
        logits: Tensor = self.readout(self.encoder.raw_tokens(images)[:, 0])
        return logits


def save_scene_classifier(classifier: SceneClassifier, folder: Path) -> None:
    """Write config.json and half-precision weights into an empty folder."""
    config = {"encoder": classifier.encoder.config, "categories": list(classifier.categories)}
    save_network(classifier, config, folder)


@lru_cache(maxsize=1)
def load_scene_classifier(folder: Path = PACKAGED) -> SceneClassifier:
    """The classifier in a folder, frozen; by default the packaged one.

    Raises
    ------
    BackboneError
        If a file is missing or does not fit the others.
    """
    return load_frozen(folder, _of_config, named="scene classifier")


def _of_config(config: Any) -> SceneClassifier:
    encoder = {**config["encoder"], "channels": tuple(config["encoder"]["channels"])}
    return SceneClassifier(SceneEncoder(**encoder), tuple(config["categories"]))
