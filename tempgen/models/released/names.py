"""Names and layouts of the released weights, and what they are here.

The released decoder is ``VersatileDiffusion`` of the authors' code, wrapped by DeepSpeed and Lightning. Its UNet is that of
the dual-guided pipeline with a text of weight zero (:mod:`tempgen.models.backbone.dual_guided`): updates of the text's branch
change no output, and have no place here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

WRAPPERS = re.compile(r"^(?:(?:_forward_module|module|model|base_model)\.)+")
"""Prefixes that DeepSpeed, Lightning and peft put before the names."""
BRAIN = "brain_modules.clip_image."
UNET = "unet."
FROZEN = ("unet.", "vae.")

_FACTOR = re.compile(r"(?P<layer>.+?)\.(?:lora_(?P<letter>[AB])|lora[._](?P<way>down|up))(?:\.\w+)?\.weight")
_OLD_FACTOR = re.compile(
    r"(?P<block>.+)\.processor\.(?P<layer>to_q|to_k|to_v|to_out)_lora\.(?P<way>down|up)\.weight"
)

# Released name -> name in BrainModule, in the released configuration (one hidden layer, a layer for each TR).
BRAIN_NAMES: Mapping[str, str] = {
    "lin0.weight": "timestep_layer.weight",
    "lin0.bias": "timestep_layer.bias",
    "post_lin0.0.weight": "norm.weight",
    "post_lin0.0.bias": "norm.bias",
    "out_time_agg.weight": "aggregation.weight",
    "out_time_agg.bias": "aggregation.bias",
    "lin1.weight": "output.weight",
    "lin1.bias": "output.bias",
}
SUBJECT_WEIGHTS = "subject_layers.weights"


def unwrapped(name: str) -> str:
    """A name without the prefixes of wrappers.

    Examples
    --------
    >>> unwrapped("_forward_module.model.brain_modules.clip_image.lin1.bias")
    'brain_modules.clip_image.lin1.bias'
    """
    return WRAPPERS.sub("", name)


def factor_name(name: str) -> str | None:
    """Name of a low-rank factor as peft saves it; None if it is no such factor.

    Names of peft in memory and in files (``lora_A.default.weight``, ``lora_A.weight``) and those of older diffusers
    (``lora.down.weight``, ``processor.to_q_lora.down.weight``) are known.

    Examples
    --------
    >>> factor_name("mid_block.attentions.0.transformer_blocks.0.attn2.to_q.lora_A.default.weight")
    'mid_block.attentions.0.transformer_blocks.0.attn2.to_q.lora_A.weight'
    >>> factor_name("conv_in.weight")
    """
    letters = {"down": "A", "up": "B"}
    if match := _OLD_FACTOR.fullmatch(name):
        layer = match["layer"] + (".0" if match["layer"] == "to_out" else "")
        return f"{match['block']}.{layer}.lora_{letters[match['way']]}.weight"
    if match := _FACTOR.fullmatch(name):
        return f"{match['layer']}.lora_{match['letter'] or letters[match['way']]}.weight"
    return None


def incomplete_factors(names: Iterable[str]) -> list[str]:
    """Names of low-rank factors that are missing because the other factor of their layer is there."""
    given = set(names)
    others = {
        name.replace(".lora_A.", ".lora_B.") if ".lora_A." in name else name.replace(".lora_B.", ".lora_A.")
        for name in given
    }
    return sorted(others - given)


def turned_timestep_weight(weight: Tensor) -> Tensor:
    """Weights of a grouped convolution over TRs, (n_tr * out, 1, in), as a matrix per TR, (n_tr, in, out)."""
    size = weight.shape[2]
    return weight.reshape(-1, size, size).transpose(1, 2)
