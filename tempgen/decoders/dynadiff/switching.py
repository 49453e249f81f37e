"""The decoders of many lags over one frozen backbone and one brain module: weights are copied in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tempgen.config import differences
from tempgen.decoders.dynadiff.decoder import DynadiffDecoder
from tempgen.decoders.dynadiff.folder import DecoderFolder, read_folder
from tempgen.errors import DecoderError
from tempgen.models.backbone import Backbone, load_backbone


@dataclass(frozen=True)
class _Weights:
    brain_module: dict[str, Tensor]
    adapter: dict[str, Tensor]
    null_embedding: Tensor


class DecoderBank:
    """Decoders by lag, of which one is in use at a time; nothing is reloaded or compiled again to use another.

    Parameters
    ----------
    folders : mapping of int to Path
        Train lag -> folder of its decoder; all of one analysis.
    backbone : Backbone, optional
        One that is in memory; else it is loaded once.
    device : torch.device or str, optional
        Where the backbone is loaded to.
    keep_on : torch.device or str, optional
        Where the weights of all lags wait; the backbone's device unless given. The paper's brain module takes 1.4 GB a lag.

    Attributes
    ----------
    deltas : tuple of int
        Lags, ascending.

    Raises
    ------
    DecoderError
        If there are no decoders, their shapes or kinds differ, or the backbone is another.
    """

    def __init__(
        self,
        folders: Mapping[int, Path],
        backbone: Backbone | None = None,
        *,
        device: torch.device | str | None = None,
        keep_on: torch.device | str | None = None,
    ) -> None:
        if not folders:
            raise DecoderError("no decoders were given: train some, e.g. with 'tempgen train-specialized'")
        self.deltas = tuple(sorted(folders))
        self._decoder: DynadiffDecoder | None = None
        self._weights: dict[int, _Weights] = {}
        self._provenance: dict[int, dict[str, Any]] = {}
        first: DecoderFolder | None = None
        for delta in self.deltas:
            stored = read_folder(Path(folders[delta]))
            if backbone is None:
                where = stored.config.backbone_folder or stored.config.backbone
                backbone = load_backbone(where, device=device, parts=("vae", "unet"))
            stored.check_backbone(backbone.spec)
            first = _one_kind(first, stored, delta=delta)
            place = torch.device(keep_on) if keep_on is not None else backbone.device
            self._weights[delta] = _Weights(
                {name: tensor.to(place) for name, tensor in stored.brain_module.items()},
                {name: tensor.to(place) for name, tensor in stored.adapter.items()},
                stored.null_embedding.to(place),
            )
            self._provenance[delta] = stored.provenance
            if self._decoder is None:
                self._decoder = _decoder_of(stored, backbone)

    def use(self, delta: int) -> DynadiffDecoder:
        """The decoder of a lag: the same object each time, with the weights of the lag asked for last.

        Raises
        ------
        DecoderError
            If there is no decoder of that lag.
        """
        if delta not in self._weights or self._decoder is None:
            raise DecoderError(f"there is no decoder of lag {delta}; there are {list(self.deltas)}")
        decoder, weights = self._decoder, self._weights[delta]
        with torch.no_grad():
            for name, tensor in decoder.brain_module.state_dict().items():
                tensor.copy_(weights.brain_module[name])
            decoder.null_embedding.copy_(weights.null_embedding)
        decoder.adapter = weights.adapter
        decoder.provenance = self._provenance[delta]
        return decoder


def _decoder_of(stored: DecoderFolder, backbone: Backbone) -> DynadiffDecoder:
    copied = {name: tensor.clone() for name, tensor in stored.brain_module.items()}
    return DynadiffDecoder(
        backbone,
        replace(stored, brain_module=copied).new_brain_module(),
        config=stored.config,
        subject=stored.subject,
        adapter=stored.adapter,
        null_embedding=stored.null_embedding.clone(),
    )


def _one_kind(first: DecoderFolder | None, stored: DecoderFolder, *, delta: int) -> DecoderFolder:
    if first is None:
        return stored
    old, new = (
        {
            "subject": each.subject,
            "n_tr": each.n_tr,
            "n_voxels": dict(each.n_voxels),
            "brain_module": each.config.brain_module.model_dump(),
            "adapter": each.config.adapter.model_dump(),
        }
        for each in (first, stored)
    )
    different = differences(old, new)
    if different:
        raise DecoderError(
            f"the decoder of lag {delta} is of another kind than the others: {'; '.join(different)}"
        )
    return first
