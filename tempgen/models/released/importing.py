"""From released files to the states of a brain module and an adapter; no name is passed over in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tempgen.config.brain_module import BrainModuleConfig
from tempgen.errors import DecoderError
from tempgen.models.adapters.slot import adapter_parameters
from tempgen.models.adapters.state import check_names, check_state, listed
from tempgen.models.backbone.dual_guided import image_unet_name
from tempgen.models.brain_module import BrainModule
from tempgen.models.released.deepspeed import CheckpointWeights, read_deepspeed, split_by_type
from tempgen.models.released.names import (
    BRAIN,
    BRAIN_NAMES,
    FROZEN,
    SUBJECT_WEIGHTS,
    UNET,
    factor_name,
    incomplete_factors,
    turned_timestep_weight,
    unwrapped,
)
from tempgen.models.released.pickled import load_pickled

TOKEN_DIM = 768
"""Size of a token of Versatile Diffusion. Source: its UNet's cross_attention_dim."""


class ReleasedDecoder(NamedTuple):
    """Float32 weights of a released decoder, under the names of this package."""

    brain_state: dict[str, Tensor]
    adapter_state: dict[str, Tensor]


def import_released_decoder(
    source: Path | str,
    *,
    subjects: Sequence[str],
    unet: nn.Module | None = None,
    leave_out: Sequence[str] = (),
) -> ReleasedDecoder:
    """Read a decoder that the authors of Dynadiff released, or that their code trained.

    The frozen weights of the backbone that a checkpoint may repeat are left to the backbone, and the updates of the
    dual-guided UNet's text branch, which change no output, have no place in the plain UNet. Every other weight must have one.

    Parameters
    ----------
    source : Path or str
        Folder of a DeepSpeed checkpoint (or one above it), or a file: ``.safetensors``, or what torch saved.
    subjects : sequence of str
        Names for the checkpoint's subject layers, in its order. The released decoders have one subject each.
    unet : Module, optional
        A UNet with the adapter that the weights are for: names and shapes are then compared with it.
    leave_out : sequence of str
        Names or beginnings of names, as in the checkpoint, that are to be left out knowingly.

    Returns
    -------
    ReleasedDecoder
        States for ``BrainModule.load_state_dict`` and :func:`tempgen.models.adapters.load_adapter_state`.

    Raises
    ------
    DecoderError
        If a file is missing or cannot be read, names are missing or unexpected (they are listed), sizes contradict
        each other, or there is another number of subjects.
    """
    source = Path(source)
    tensors, trained, others = _read(source)
    brain: dict[str, Tensor] = {}
    adapter: dict[str, Tensor] = {}
    strangers = [name for name in others if not name.startswith(tuple(leave_out))]
    doubles = []
    for full_name, tensor in tensors.items():
        name = unwrapped(full_name)
        if full_name.startswith(tuple(leave_out)):
            continue
        factor = factor_name(name.removeprefix(UNET))
        if name.startswith(BRAIN):
            place, new = brain, name.removeprefix(BRAIN)
        elif factor is not None:
            plain = image_unet_name(factor)
            if plain is None:
                continue  # the text's branch, whose weight is zero
            place, new = adapter, plain
        elif name.startswith(FROZEN) and full_name not in trained:
            continue  # the backbone has it
        else:
            strangers.append(full_name)
            continue
        if new in place:
            doubles.append(full_name)
        place[new] = tensor
    remedy = f"is {source} a decoder of Dynadiff's code?"
    missing = [BRAIN + name for name in (SUBJECT_WEIGHTS, *BRAIN_NAMES) if name not in brain]
    missing += [UNET + name for name in (incomplete_factors(adapter) if adapter else ["*.lora_A.weight"])]
    strangers += [BRAIN + name for name in brain if name not in (SUBJECT_WEIGHTS, *BRAIN_NAMES)]
    if doubles:
        raise DecoderError(f"weights in {source} are there twice under different names: {listed(doubles)}")
    check_names(
        dict.fromkeys(strangers), needed=dict.fromkeys(missing), what=f"weights in {source}", remedy=remedy
    )
    adapter_weights = {name: _own(tensor) for name, tensor in adapter.items()}
    if unet is not None:
        check_state(adapter_weights, adapter_parameters(unet), what="released updates")
    return ReleasedDecoder(_brain_state(brain, subjects), adapter_weights)


def brain_module_from_released(
    brain_state: Mapping[str, Tensor], *, token_dim: int = TOKEN_DIM
) -> BrainModule:
    """The brain module that imported weights belong to, with them in it, in evaluation mode.

    Parameters
    ----------
    brain_state : mapping of str to Tensor
        Of :func:`import_released_decoder`.
    token_dim : int
        Size of a token.

    Raises
    ------
    DecoderError
        If the outputs are no whole number of tokens.
    """
    n_tr, hidden_size, _ = brain_state["timestep_layer.weight"].shape
    n_outputs = brain_state["output.weight"].shape[0]
    if n_outputs % token_dim:
        raise DecoderError(f"{n_outputs} outputs are no whole number of tokens of {token_dim}")
    prefix, suffix = "subject_layers.", ".weight"
    n_voxels = {
        name.removeprefix(prefix).removesuffix(suffix): tensor.shape[1]
        for name, tensor in brain_state.items()
        if name.startswith(prefix)
    }
    with torch.device("meta"):
        module = BrainModule(
            BrainModuleConfig(hidden_size=hidden_size),
            n_voxels=n_voxels,
            n_tr=n_tr,
            n_tokens=n_outputs // token_dim,
            token_dim=token_dim,
        )
    module.load_state_dict(dict(brain_state), assign=True)
    return module.requires_grad_(True).eval()


def _read(source: Path) -> CheckpointWeights:
    """Weights by name of any kind of source; of single files it is unknown which were trained."""
    if source.is_dir():
        return read_deepspeed(source)
    if source.suffix == ".safetensors" and source.is_file():
        from safetensors.torch import load_file

        return CheckpointWeights(load_file(source), frozenset(), ())
    loaded = load_pickled(source)
    for key in ("state_dict", "module"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    tensors, others = split_by_type(loaded) if isinstance(loaded, Mapping) else ({}, ())
    if not tensors:
        raise DecoderError(
            f"{source} holds no weights by name: give a DeepSpeed folder, a state dict or safetensors"
        )
    return CheckpointWeights(tensors, frozenset(), others)


def _own(tensor: Tensor) -> Tensor:
    """A float32 copy that no longer needs the file."""
    return tensor.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)


def _brain_state(brain: Mapping[str, Tensor], subjects: Sequence[str]) -> dict[str, Tensor]:
    """Weights of the released brain module under the names, and in the layouts, of :class:`BrainModule`."""
    by_subject = brain[SUBJECT_WEIGHTS]
    if by_subject.ndim != 3 or len(by_subject) != len(subjects) or len(set(subjects)) != len(subjects):
        raise DecoderError(
            f"the checkpoint's subject layers have shape {tuple(by_subject.shape)}, (subjects, voxels, hidden size); "
            f"{len(subjects)} names were given: {', '.join(subjects)}. Give one for each, in order"
        )
    size = by_subject.shape[2]
    n_tr = brain["out_time_agg.weight"].numel()
    n_outputs = len(brain["lin1.bias"])
    shapes = {
        "lin0.weight": (n_tr * size, 1, size),
        "lin0.bias": (n_tr * size,),
        "post_lin0.0.weight": (size,),
        "post_lin0.0.bias": (size,),
        "out_time_agg.weight": (1, n_tr),
        "out_time_agg.bias": (1,),
        "lin1.weight": (n_outputs, size),
        "lin1.bias": (n_outputs,),
    }
    wrong = [
        f"{BRAIN}{name} {tuple(brain[name].shape)} instead of {shape}"
        for name, shape in shapes.items()
        if tuple(brain[name].shape) != shape
    ]
    if wrong:
        raise DecoderError(
            f"weights of the brain module contradict its sizes ({n_tr} TRs, hidden size {size}): {listed(wrong)}"
        )
    layouts = {
        **{name: brain[name] for name in shapes},
        "lin0.weight": turned_timestep_weight(brain["lin0.weight"]),
        "lin0.bias": brain["lin0.bias"].view(n_tr, size),
        "out_time_agg.weight": brain["out_time_agg.weight"][0],
    }
    layers = {
        f"subject_layers.{subject}.weight": _own(weight.T)
        for subject, weight in zip(subjects, by_subject, strict=True)
    }
    return layers | {new: _own(layouts[name]) for name, new in BRAIN_NAMES.items()}
