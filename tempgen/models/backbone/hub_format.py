"""The hub's folder format: which subfolder holds which part, its configuration and its weights."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from tempgen.errors import BackboneError


@dataclass(frozen=True)
class PartLayout:
    """Where a part of a backbone lies in the hub's format.

    Parameters
    ----------
    subfolder : str
        Folder of the part; its ``config.json`` is needed even if the part is not loaded.
    weight_stems : tuple of str
        Names of the weights before ``.safetensors`` or ``.bin``; diffusers and transformers have their own.
    """

    subfolder: str
    weight_stems: tuple[str, ...]

    def weights(self, folder: Path) -> list[Path]:
        """Files of the weights, safetensors before ``.bin``; several where they are sharded, none where they lack."""
        for suffix in ("safetensors", "bin"):
            for stem in self.weight_stems:
                whole = folder / self.subfolder / f"{stem}.{suffix}"
                index = whole.with_name(f"{whole.name}.index.json")
                if whole.is_file():
                    return [whole]
                if index.is_file():
                    shards = sorted(set(read_json(index).get("weight_map", {}).values()))
                    return [index, *(index.with_name(shard) for shard in shards)]
        return []

    def patterns(self, *, with_weights: bool) -> list[str]:
        """Names of what to fetch from the hub, as its client understands them (``*`` for shards)."""
        names = ["config.json"]
        if with_weights:
            ends = [f"{mark}.{suffix}" for suffix in ("safetensors", "bin") for mark in ("", "-*-of-*")]
            ends += [".safetensors.index.json", ".bin.index.json"]
            names += [f"{stem}{end}" for stem in self.weight_stems for end in ends]
        return [f"{self.subfolder}/{name}" for name in names]


# Subfolders of shi-labs/versatile-diffusion.
HUB_PARTS: Mapping[str, PartLayout] = {
    "vae": PartLayout("vae", ("diffusion_pytorch_model",)),
    "unet": PartLayout("image_unet", ("diffusion_pytorch_model",)),
    "image_encoder": PartLayout("image_encoder", ("model", "pytorch_model")),
}
SCHEDULER_FOLDER = "scheduler"
# What torch, safetensors, diffusers and transformers raise for files that are cut off or hold something else.
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError, SafetensorError)


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file that holds one object.

    Raises
    ------
    BackboneError
        If the file is missing, is no JSON or holds no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"cannot read {path} ({error}). Fetch or copy the backbone's folder again."
        ) from error
    if not isinstance(content, dict):
        raise BackboneError(
            f"{path} holds a {type(content).__name__}, not an object. Fetch the backbone again."
        )
    return content


def missing_files(folder: Path, parts: tuple[str, ...]) -> list[str]:
    """What a folder lacks of every part's configuration and of the weights of the parts to load."""
    missing = []
    for name, layout in HUB_PARTS.items():
        if not (folder / layout.subfolder / "config.json").is_file():
            missing.append(f"{layout.subfolder}/config.json")
        if name in parts:
            files = layout.weights(folder)
            missing += [f"{layout.subfolder}/{path.name}" for path in files if not path.is_file()]
            if not files:
                missing.append(f"{layout.subfolder}/{layout.weight_stems[0]}.safetensors (or .bin)")
    return missing


def load_part(name: str, folder: Path, *, dtype: torch.dtype | None) -> torch.nn.Module:
    """One part of the folder as diffusers or transformers loads it, in evaluation mode.

    Weights are read into a model without memory of its own (``low_cpu_mem_usage``), so that the peak is one copy;
    ``.bin`` files are unpickled with ``weights_only``. diffusers renames the old attention keys of the VAE (query, key,
    value, proj_attn).

    Raises
    ------
    BackboneError
        If the weights cannot be read, or keys are missing, unexpected or of another shape.
    """
    layout = HUB_PARTS[name]
    files = layout.weights(folder)
    safe = any(".safetensors" in path.name for path in files)
    try:
        module, report = _model_class(name).from_pretrained(
            str(folder / layout.subfolder),
            # Older versions of diffusers know the first name alone, newer ones of transformers the second.
            **{"dtype" if name == "image_encoder" else "torch_dtype": dtype or torch.float32},
            use_safetensors=safe,
            low_cpu_mem_usage=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except UNREADABLE as error:
        names = ", ".join(path.name for path in files) or "no weights"
        raise BackboneError(
            f"cannot load the backbone's {name} from {folder / layout.subfolder} ({names}): {error}. "
            "Check that the files are whole, or fetch them again."
        ) from error
    _check_report(report, name=name, folder=folder / layout.subfolder)
    return module.eval()


def _model_class(name: str) -> Any:
    """Class of a part, imported only when a part is loaded."""
    if name == "image_encoder":
        from transformers import CLIPVisionModelWithProjection

        return CLIPVisionModelWithProjection
    from diffusers import AutoencoderKL, UNet2DConditionModel

    return AutoencoderKL if name == "vae" else UNet2DConditionModel


def _check_report(report: Mapping[str, Any], *, name: str, folder: Path) -> None:
    # Older transformers saved the positions' indices with CLIP; they are computed now.
    unexpected = [key for key in report.get("unexpected_keys", ()) if not str(key).endswith("position_ids")]
    found = {
        "missing": list(report.get("missing_keys", ())),
        "unexpected": unexpected,
        "of another shape": list(report.get("mismatched_keys", ())),
        "unreadable": list(report.get("error_msgs", ())),
    }
    lines = [
        f"{len(keys)} {what}: {', '.join(map(str, keys[:5]))}{', ...' if len(keys) > 5 else ''}"
        for what, keys in found.items()
        if keys
    ]
    if lines:
        raise BackboneError(
            f"the weights in {folder} are not those of the {name} in its config.json: {'; '.join(lines)}. "
            "Use the configuration and the weights of one revision."
        )
