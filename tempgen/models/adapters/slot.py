"""The one adapter of a UNet: which of its parameters belong to it, and under which names they are saved."""

from __future__ import annotations

from torch import nn

from tempgen.errors import DecoderError

ADAPTER_NAME = "default"
"""Name under which peft keeps the one LoRA; it is no part of saved names."""
_ATTRIBUTE = "tempgen_adapter_parameters"


def plain_module(unet: nn.Module) -> nn.Module:
    """The UNet itself, where it was wrapped by ``torch.compile``."""
    inner = getattr(unet, "_orig_mod", unet)
    return inner if isinstance(inner, nn.Module) else unet


def saved_name(name: str) -> str:
    """Name of a parameter in files: peft's, without the name of the adapter.

    Examples
    --------
    >>> saved_name("mid_block.attn2.to_q.lora_A.default.weight")
    'mid_block.attn2.to_q.lora_A.weight'
    """
    for factor in ("lora_A", "lora_B"):
        name = name.replace(f".{factor}.{ADAPTER_NAME}.", f".{factor}.")
    return name


def remember(unet: nn.Module, names: list[str]) -> None:
    """Note on the UNet which of its parameters are the adapter's: saved name, the layer that holds it, its name there."""
    module = plain_module(unet)
    places = [name.rpartition(".") for name in names]
    entries = tuple(
        (saved_name(name), module.get_submodule(layer), leaf)
        for name, (layer, _, leaf) in zip(names, places, strict=True)
    )
    setattr(module, _ATTRIBUTE, entries)


def has_adapter(unet: nn.Module) -> bool:
    """Whether :func:`add_adapter` was called on this UNet."""
    return hasattr(plain_module(unet), _ATTRIBUTE)


def adapter_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """The adapter's parameters by the names under which they are saved, in the UNet's order.

    Raises
    ------
    DecoderError
        If the UNet has no adapter.
    """
    if not has_adapter(unet):
        raise DecoderError("this UNet has no adapter yet: call add_adapter(unet, config) first")
    entries: tuple[tuple[str, nn.Module, str], ...] = getattr(plain_module(unet), _ATTRIBUTE)
    return {name: getattr(layer, leaf) for name, layer, leaf in entries}
