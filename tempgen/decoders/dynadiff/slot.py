"""One place for an adapter in a backbone's UNet, which all decoders of the backbone share by taking turns.

Weights are copied into the place (half a millisecond for the paper's adapter), never added or removed: nothing is
reloaded and compiled graphs stay valid.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tempgen.config.adapters import AdapterConfig
from tempgen.errors import DecoderError
from tempgen.models.adapters import adapter_state, add_adapter, load_adapter_state
from tempgen.models.backbone import Backbone

INITIAL_SEED = 0
"""Every adapter of a backbone starts from the same weights, whatever ran before."""

_SLOTS: weakref.WeakKeyDictionary[nn.Module, AdapterSlot] = weakref.WeakKeyDictionary()


class AdapterSlot:
    """The adapter of a UNet, and whose weights lie in it.

    Use `adapter_slot` to get the one of a backbone.

    Attributes
    ----------
    config : AdapterConfig
    names : list of str
        The UNet's parameters that the adapter makes trainable.
    initial : dict of Tensor
        Weights with which the UNet is as it was without an adapter.
    """

    def __init__(self, backbone: Backbone, config: AdapterConfig) -> None:
        device = backbone.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(INITIAL_SEED)
            self.names = add_adapter(backbone.unet, config)
        self.config = config
        self._unet: weakref.ref[nn.Module] = weakref.ref(backbone.unet)
        self.initial: dict[str, Tensor] = self.copy()
        self._held: Mapping[str, Tensor] | None = self.initial
        self._trainer: weakref.ref[object] | None = None

    def copy(self) -> dict[str, Tensor]:
        """A copy of the weights that lie in the slot now."""
        return adapter_state(self._living_unet())

    def hold(self, state: Mapping[str, Tensor]) -> None:
        """Put weights into the slot, unless they are there.

        Parameters
        ----------
        state : mapping of name to Tensor
            Compared by identity with what was held last: don't change its tensors.

        Raises
        ------
        DecoderError
            If the slot is being trained, or keys are missing or unexpected.
        """
        if self._held is state:
            return
        if self._trained():
            raise DecoderError(
                "the backbone's adapter is being trained, other weights would overwrite it: finish the training with "
                "DynadiffDecoder.from_module, or load the backbone a second time"
            )
        self._put(state)

    def train(self, trainer: object, state: Mapping[str, Tensor] | None) -> None:
        """Put weights (None: initial ones) into the slot, and keep others out until `release`, or while ``trainer`` lives.

        Raises
        ------
        DecoderError
            If another trainer has the slot.
        """
        if self._trained():
            raise DecoderError(
                "the backbone's adapter is being trained already: finish that training with DynadiffDecoder.from_module, "
                "release its module, or load the backbone a second time"
            )
        self._put(self.initial if state is None else state)
        self._held, self._trainer = None, weakref.ref(trainer)

    def release(self, trainer: object) -> None:
        """Let others in again; nothing happens if ``trainer`` is not the one that has the slot."""
        if self._trainer is not None and self._trainer() is trainer:
            self._trainer = None

    def is_trained_by(self, trainer: object) -> bool:
        """Whether the weights in the slot are those that ``trainer`` trains."""
        return self._trainer is not None and self._trainer() is trainer

    def _living_unet(self) -> nn.Module:
        unet = self._unet()
        if unet is None:
            raise DecoderError("the backbone is gone: keep it while its decoders are used")
        return unet

    def _trained(self) -> bool:
        if self._trainer is not None and self._trainer() is not None:
            gc.collect()  # a trainer that nobody can reach may still be waiting to be collected
        return self._trainer is not None and self._trainer() is not None

    def _put(self, state: Mapping[str, Tensor]) -> None:
        self._held = None  # should copying fail midway, nobody's weights are there
        load_adapter_state(self._living_unet(), state)
        self._held = state


def adapter_slot(backbone: Backbone, config: AdapterConfig) -> AdapterSlot:
    """The slot of a backbone; made by the first call.

    Raises
    ------
    DecoderError
        If the backbone has an adapter of another configuration.
    """
    slot = _SLOTS.get(backbone.unet)
    if slot is None:
        slot = _SLOTS[backbone.unet] = AdapterSlot(backbone, config)
    if slot.config != config:
        raise DecoderError(
            f"the backbone in memory has an adapter of {slot.config!r}, this decoder needs {config!r}: "
            "load another backbone for it"
        )
    return slot


def hold_no_adapter(backbone: Backbone) -> None:
    """Make a backbone behave as if it had no adapter.

    Raises
    ------
    DecoderError
        If its adapter is being trained.
    """
    slot = _SLOTS.get(backbone.unet)
    if slot is not None:
        slot.hold(slot.initial)
