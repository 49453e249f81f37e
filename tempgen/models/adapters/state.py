"""The adapter's weights out of a UNet and into it, by copying: parameters stay the same objects."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tempgen.errors import DecoderError
from tempgen.models.adapters.slot import adapter_parameters

N_LISTED = 20
"""How many names of a kind an error lists before it counts the others."""


def adapter_state(unet: nn.Module) -> dict[str, Tensor]:
    """A copy of the adapter's weights, by name.

    Names of low-rank updates are those that peft saves (``...attn2.to_q.lora_A.weight``), so that diffusers'
    ``load_lora_adapter(prefix=None)`` reads them too.

    Raises
    ------
    DecoderError
        If the UNet has no adapter.
    """
    return {name: parameter.detach().clone() for name, parameter in adapter_parameters(unet).items()}


@torch.no_grad()
def load_adapter_state(unet: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy another adapter's weights into the UNet's slot, all or nothing.

    Parameters stay the same objects, on their device, in their precision and trainable or not as they were. So compiled
    graphs and optimizers stay valid.

    Parameters
    ----------
    unet : Module
        With an adapter of the same kind and rank.
    state : mapping of str to Tensor
        As :func:`adapter_state` gives it.

    Raises
    ------
    DecoderError
        If names are missing or unexpected (they are listed), or a shape differs; the UNet is then unchanged.
    """
    parameters = adapter_parameters(unet)
    check_state(state, parameters, what="adapter weights")
    for name, parameter in parameters.items():
        parameter.copy_(state[name])


def check_state(state: Mapping[str, Tensor], parameters: Mapping[str, Tensor], *, what: str) -> None:
    """Refuse weights whose names or shapes are not exactly those of an adapter's parameters.

    Raises
    ------
    DecoderError
        Listing missing and unexpected names, or the shapes.
    """
    remedy = "the adapter's kind and the UNet must be those of the weights"
    check_names(state, needed=parameters, what=what, remedy=remedy)
    wrong = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(parameter.shape)}"
        for name, parameter in parameters.items()
        if state[name].shape != parameter.shape
    ]
    if wrong:
        raise DecoderError(
            f"{what} have other shapes than this UNet's adapter: {listed(wrong)}. Is the rank the same?"
        )


def check_names(given: Mapping[str, object], *, needed: Mapping[str, object], what: str, remedy: str) -> None:
    """Refuse weights whose names are not exactly the needed ones.

    Raises
    ------
    DecoderError
        Listing missing and unexpected names.
    """
    missing, unexpected = sorted(needed.keys() - given.keys()), sorted(given.keys() - needed.keys())
    if missing or unexpected:
        found = [f"missing: {listed(missing)}"] * bool(missing)
        found += [f"unexpected: {listed(unexpected)}"] * bool(unexpected)
        raise DecoderError(f"{what} do not fit ({'; '.join(found)}): {remedy}")


def listed(names: list[str]) -> str:
    """Names in a row, the many cut short by their number."""
    more = f" and {len(names) - N_LISTED} more" if len(names) > N_LISTED else ""
    return ", ".join(names[:N_LISTED]) + more
