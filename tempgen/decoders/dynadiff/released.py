"""A working decoder from the weights that the authors of Dynadiff released, or that their code trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tempgen.config.adapters import AdapterConfig
from tempgen.config.brain_module import BrainModuleConfig
from tempgen.config.dynadiff import DynadiffConfig
from tempgen.config.sampling import SamplingConfig
from tempgen.decoders.dynadiff.decoder import DynadiffDecoder
from tempgen.decoders.dynadiff.slot import adapter_slot
from tempgen.errors import DecoderError
from tempgen.models.adapters.slot import adapter_parameters
from tempgen.models.adapters.state import check_state
from tempgen.models.backbone import Backbone, BackboneSpec, load_backbone
from tempgen.models.backbone.fingerprint import fingerprint
from tempgen.models.backbone.loading import NAMES
from tempgen.models.brain_module import BrainModule
from tempgen.models.released import brain_module_from_released, import_released_decoder
from tempgen.models.released.deepspeed import find_deepspeed_folder

BACKBONE = "versatile-diffusion"
"""What the released decoders steer. Source: the authors' code."""
HOW_TO_USE = {
    "note_window": "6 volumes, image onset + [3, 9), in the authors' evaluation code (offset 4.6 s)",
    "note_preprocessing": "linear detrend and z-score by run in the authors' code; voxels in the order of its mask",
}
"""What windows the released weights expect, for the model card. Source: the released evaluation code."""


def decoder_from_released(
    source: Path | str,
    *,
    subject: str,
    backbone: Backbone | str = BACKBONE,
    backbone_folder: Path | str | None = None,
    sampling: SamplingConfig | None = None,
    leave_out: Sequence[str] = (),
    device: torch.device | str | None = None,
) -> DynadiffDecoder:
    """The decoder of released weights: :meth:`~DynadiffDecoder.save_pretrained` makes a decoder folder of it.

    The condition is left out by zeros, as in the released code. Its provenance says that these are the authors' weights.

    Parameters
    ----------
    source : Path or str
        Folder of a DeepSpeed checkpoint (or one above it), or a file: ``.safetensors``, or what torch saved.
    subject : str
        Name of the subject whose layer the checkpoint has; released decoders have one each.
    backbone : Backbone or str
        One in memory, or the name or folder of one to load.
    backbone_folder : Path or str, optional
        Local copy of the backbone, which the saved decoder then remembers.
    sampling : SamplingConfig, optional
        How tokens become images; by default as in the paper. The released code has guidance 3.5.
    leave_out : sequence of str
        Beginnings of names, as in the checkpoint, that are to be left out knowingly.
    device : torch.device or str, optional
        Where a backbone that is loaded here goes.

    Returns
    -------
    DynadiffDecoder
        Without an image encoder where the backbone was loaded here: reconstruction needs none.

    Raises
    ------
    DecoderError
        If the checkpoint cannot be read, names in it are missing or unexpected (they are listed), or its tokens or
        updates are not the backbone's.
    BackboneError
        If the backbone is not there and cannot be fetched.
    """
    source = Path(source)
    released = import_released_decoder(source, subjects=[subject], leave_out=leave_out)
    if isinstance(backbone, str):
        if backbone not in NAMES:
            backbone_folder = backbone_folder or backbone
        where = Path(backbone_folder) if backbone_folder is not None else backbone
        backbone = load_backbone(where, device=device, parts=("vae", "unet"))
    spec = backbone.spec
    brain_module = _fitting(released.brain_state, spec, source=source)
    config = DynadiffConfig(
        backbone=spec.name,
        backbone_folder=None if backbone_folder is None else Path(backbone_folder).absolute(),
        brain_module=BrainModuleConfig(hidden_size=len(released.brain_state["norm.bias"])),
        adapter=AdapterConfig(),
        sampling=sampling or SamplingConfig(),
        null_embedding="zeros",
    )
    adapter_slot(backbone, config.adapter)
    check_state(released.adapter_state, adapter_parameters(backbone.unet), what="released updates")
    decoder = DynadiffDecoder(
        backbone,
        brain_module,
        config=config,
        subject=subject,
        adapter={name: tensor.to(backbone.device) for name, tensor in released.adapter_state.items()},
        null_embedding=backbone.null_tokens(1)[0],
    )
    decoder.provenance = _provenance(source)
    return decoder


def _fitting(state: dict[str, Any], spec: BackboneSpec, *, source: Path) -> BrainModule:
    """The brain module, once its outputs are known to be the backbone's tokens."""
    n_outputs, needed = len(state["output.bias"]), spec.n_tokens * spec.token_dim
    if n_outputs != needed:
        raise DecoderError(
            f"the brain module in {source} gives {n_outputs} values, the backbone {spec.name} takes {needed} "
            f"({spec.n_tokens} tokens of {spec.token_dim}): give the backbone that it was trained on, {BACKBONE} for the "
            "released weights"
        )
    return brain_module_from_released(state, token_dim=spec.token_dim)


def _provenance(source: Path) -> dict[str, Any]:
    """Whose weights these are, and of which files they were read."""
    if source.is_dir():
        folder = find_deepspeed_folder(source)
        files = sorted(folder.glob("*.pt"))
    else:
        folder, files = source.parent, [source]
    return {
        "imported_from": str(source),
        "imported_files": [path.name for path in files],
        "imported_fingerprint": fingerprint(folder, files),
        **HOW_TO_USE,
    }
