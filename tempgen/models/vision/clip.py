"""CLIP's image encoder ViT-L/14, by transformers.

Source: Brain-Diffuser's ``scripts/eval_extract_features.py`` and, after it, Dynadiff's ``metrics/image_metrics.py``: OpenAI's
ViT-L/14 in float32 at 224 x 224. Both codes, and MindEye's notebook, score its output (``final``, the projected embedding of
768 values). Dynadiff's tables name CLIP-12; their code's hook gives ``transformer.resblocks[12]`` for layer 12 (the thirteenth
of 24 blocks, all 257 tokens), which is what the suite ``paper`` takes. The repository openai/clip-vit-large-patch14 holds the
same weights.
"""

from __future__ import annotations

from torch import Tensor

from tempgen.models.vision.published import hub_folder, library, load_pretrained
from tempgen.models.vision.torch_network import HookedNetwork, normalizer, resized

__all__ = ["PINNED", "open_network"]

PINNED = "openai/clip-vit-large-patch14@32bd64288804d66eefd0ccbe215aa642df71cc41"
"""Repository and revision on the hub."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of each colour. Source: OpenAI's CLIP, ``clip.load``; the same in Brain-Diffuser, MindEye and Dynadiff."""


def open_network(name: str = "clip", device: str | None = None, chosen: str = PINNED) -> HookedNetwork:
    """CLIP's image encoder.

    Layers: ``"resblocks.K"``, all tokens behind block K counted from 0, in one vector; ``"final"``, the projected embedding.

    Parameters
    ----------
    name : str
    device : str, optional
        By default a GPU where there is one, else the CPU.
    chosen : str
        Another CLIP model, ``REPOSITORY@REVISION`` or a folder.

    Raises
    ------
    NetworkUnavailableError
        If transformers or the model's files are missing.
    """
    full_name = name if chosen == PINNED else f"{name}:{chosen}"
    transformers = library("transformers", network=full_name)
    folder, weights = hub_folder(chosen, network=full_name)
    model = load_pretrained(transformers.CLIPVisionModelWithProjection, folder, network=full_name)
    side = int(model.config.image_size)
    normalize = normalizer(CLIP_MEAN, CLIP_STD)

    def prepare(pixels: Tensor) -> Tensor:
        return normalize(resized(pixels, side, side))

    blocks = {
        f"resblocks.{k}": f"vision_model.encoder.layers.{k}" for k in range(model.config.num_hidden_layers)
    }
    return HookedNetwork(
        full_name,
        model,
        layers={**blocks, "final": "visual_projection"},
        weights=weights,
        preprocessing=(
            f"bilinear with antialiasing to {side} x {side} pixels where images have another size; "
            "colours standardized with CLIP's means and SDs"
        ),
        prepare=prepare,
        device=device,
    )
