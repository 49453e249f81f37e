"""Makes the trainable part of a UNet trainable, and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tempgen.config.adapters import AdapterConfig
from tempgen.errors import DecoderError
from tempgen.models.adapters.slot import ADAPTER_NAME, has_adapter, remember

CROSS_ATTENTION = "attn2"
"""Name of the cross-attention in each transformer block of diffusers' UNets; ``attn1`` is self-attention."""


def add_adapter(unet: Any, config: AdapterConfig) -> list[str]:
    """Add what is to be trained to a UNet, freeze all else, and give the one slot for adapters.

    A new low-rank update is zero, so that the UNet's output stays as it was. Its weights are float32 also in a UNet of
    half precision. The kinds that train the UNet's own weights convert these to float32: in a UNet of half precision they
    need autocast.

    Parameters
    ----------
    unet : diffusers.UNet2DConditionModel
        Changed in place.
    config : AdapterConfig

    Returns
    -------
    list of str
        Names of the trainable parameters, as in ``unet.named_parameters()``; empty for ``kind="none"``.

    Raises
    ------
    DecoderError
        If the UNet already has an adapter, or has no layer of the kind to adapt.
    """
    if has_adapter(unet):
        raise DecoderError(
            "this UNet already has an adapter: switch it by load_adapter_state, or load the backbone anew for another kind"
        )
    unet.requires_grad_(False)
    if config.is_lora:
        _add_lora(unet, config)
    trainable = [name for name, _ in unet.named_parameters() if _belongs(name, config)]
    if not trainable and config.kind != "none":
        raise DecoderError(f"this UNet has no layer for an adapter of kind {config.kind!r}")
    parameters = dict(unet.named_parameters())
    for name in trainable:
        parameters[name].data = parameters[name].data.to(torch.float32)
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in set(trainable))
    remember(unet, trainable)
    return trainable


def _belongs(name: str, config: AdapterConfig) -> bool:
    """Whether a parameter is trained."""
    if config.is_lora:
        return f".{ADAPTER_NAME}." in name and (".lora_A." in name or ".lora_B." in name)
    if config.kind == "cross-attention-full":
        return CROSS_ATTENTION in name.split(".")
    return config.kind == "full"


def _add_lora(unet: Any, config: AdapterConfig) -> None:
    from peft import LoraConfig  # heavy; only what adds updates needs it

    targets = [
        name
        for name, module in unet.named_modules()
        if isinstance(module, nn.Linear)
        and (config.kind == "linear-lora" or CROSS_ATTENTION in name.split("."))
    ]
    if not targets:
        raise DecoderError(f"this UNet has no layer for an adapter of kind {config.kind!r}")
    lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=targets)
    unet.add_adapter(lora, adapter_name=ADAPTER_NAME)
