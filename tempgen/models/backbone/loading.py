"""Backbones by name or folder: from the hub at a pinned revision, from the package, or from a local copy."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tempgen.errors import BackboneError
from tempgen.models.backbone.fingerprint import folder_revision
from tempgen.models.backbone.hub_format import (
    HUB_PARTS,
    SCHEDULER_FOLDER,
    load_part,
    missing_files,
    read_json,
)
from tempgen.models.backbone.interface import PARTS, Backbone
from tempgen.models.backbone.versatile import (
    REPOSITORY,
    REVISION,
    VersatileBackbone,
    latent_scale,
    load_scheduler,
    versatile_spec,
)

NAMES = ("scenes", "versatile-diffusion")
SCENES_FOLDER = Path(__file__).parents[1] / "weights" / "scenes"


def load_backbone(
    name_or_folder: str | Path,
    *,
    revision: str | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    parts: Sequence[str] = PARTS,
) -> Backbone:
    """A frozen backbone, ready to encode, decode and denoise.

    Parameters
    ----------
    name_or_folder : str or Path
        ``"scenes"``: the weights in the package. ``"versatile-diffusion"``: the hub's, at the pinned revision, from the
        hub's cache if they are there. Else a folder in the format of one of them, told apart by its ``backbone.json``
        or its subfolders. A Path is always a folder.
    revision : str, optional
        Another revision of the hub's repository; a folder has its own identity.
    dtype : torch.dtype, optional
        Of the weights; by default float32.
    device : torch.device or str, optional
        Where the weights go; by default the CPU.
    parts : sequence of str
        Which of ``"vae"``, ``"unet"`` and ``"image_encoder"`` to load. Training on cached latents needs the UNet alone.
        ``spec`` is the same whatever is loaded: every part's ``config.json`` is needed.

    Raises
    ------
    BackboneError
        If a part or the folder is unknown, files are missing and cannot be fetched, or the parts don't fit each other.
    """
    wanted = _checked_parts(parts)
    if name_or_folder == "versatile-diffusion":
        backbone = _load_versatile(_hub_folder(revision or REVISION, wanted), dtype=dtype, parts=wanted)
    else:
        if revision is not None:
            raise BackboneError(
                f"revision {revision!r} was given for {str(name_or_folder)!r}; only versatile-diffusion from the hub "
                "has revisions. Leave it out: a folder is identified by its weights."
            )
        folder = SCENES_FOLDER if name_or_folder == "scenes" else Path(name_or_folder)
        if folder_kind(folder) == "scenes":
            # Imported by name: scenes builds upon this package's interface.
            scenes: Any = import_module("tempgen.models.backbone.scenes")
            backbone = scenes.load_scenes(folder, dtype=dtype, parts=wanted)
        else:
            if missing := missing_files(folder, wanted):
                raise _incomplete(str(folder), missing, revision=REVISION, parts=wanted)
            backbone = _load_versatile(folder, dtype=dtype, parts=wanted)
    return backbone.to(device) if device is not None else backbone


def folder_kind(folder: Path) -> str:
    """Which backbone's format a folder has, ``"scenes"`` or ``"versatile-diffusion"``.

    Raises
    ------
    BackboneError
        If there is no such folder, or it holds neither.
    """
    if not folder.is_dir():
        raise BackboneError(
            f"{str(folder)!r} is neither a backbone ({', '.join(NAMES)}) nor a folder. "
            "Give one of these names, or the folder of a backbone."
        )
    if (folder / "backbone.json").is_file():
        name = read_json(folder / "backbone.json").get("name")
        if name not in NAMES:
            raise BackboneError(
                f"{folder / 'backbone.json'} names the backbone {name!r}; known are {', '.join(NAMES)}. "
                "Use a folder that this version of tempgen can read."
            )
        return str(name)
    if (folder / HUB_PARTS["unet"].subfolder).is_dir():
        return "versatile-diffusion"
    raise BackboneError(
        f"{folder} holds no backbone: needed are the subfolders "
        f"{', '.join(layout.subfolder for layout in HUB_PARTS.values())}, as `hf download {REPOSITORY}` makes them. "
        "Give the folder that holds these."
    )


def _checked_parts(parts: Sequence[str]) -> tuple[str, ...]:
    named = (parts,) if isinstance(parts, str) else tuple(parts)
    if unknown := sorted(set(named) - set(PARTS)):
        raise BackboneError(
            f"unknown parts of a backbone: {', '.join(unknown)}; known are {', '.join(PARTS)}."
        )
    return tuple(part for part in PARTS if part in named)


def _load_versatile(folder: Path, *, dtype: torch.dtype | None, parts: tuple[str, ...]) -> VersatileBackbone:
    spec = versatile_spec(folder, revision=folder_revision(folder, _identifying_files(folder)))
    loaded: dict[str, Any] = {part: load_part(part, folder, dtype=dtype) for part in parts}
    scheduler = load_scheduler(folder)
    return VersatileBackbone(spec, scheduler=scheduler, latent_scale=latent_scale(folder), **loaded)


def _identifying_files(folder: Path) -> list[Path]:
    """Every configuration, and the UNet's weights: the same whichever parts a folder has besides."""
    configurations = [folder / layout.subfolder / "config.json" for layout in HUB_PARTS.values()]
    scheduler = folder / SCHEDULER_FOLDER / "scheduler_config.json"
    return [
        *configurations,
        *([scheduler] if scheduler.is_file() else []),
        *HUB_PARTS["unet"].weights(folder),
    ]


def _hub_folder(revision: str, parts: tuple[str, ...]) -> Path:
    """Folder of the hub's cache with everything that the parts need, fetched if it is not there.

    Raises
    ------
    BackboneError
        If files are missing and the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    where = f"{REPOSITORY} at revision {revision}"
    # Its bases are every error of the client's transport, whichever HTTP library this version of it uses.
    failures: tuple[Any, ...] = (*HfHubHTTPError.__bases__, OSError, ValueError)
    patterns = _fetch_patterns(parts)
    try:
        folder = Path(
            snapshot_download(REPOSITORY, revision=revision, allow_patterns=patterns, local_files_only=True)
        )
        if not missing_files(folder, parts):
            return folder
    except failures:
        pass  # nothing in the cache yet
    try:
        folder = Path(snapshot_download(REPOSITORY, revision=revision, allow_patterns=patterns))
    except failures as error:
        raise _incomplete(where, [], revision=revision, parts=parts, reason=error) from error
    if missing := missing_files(folder, parts):
        raise _incomplete(where, missing, revision=revision, parts=parts)
    return folder


def _fetch_patterns(parts: tuple[str, ...]) -> list[str]:
    layouts = HUB_PARTS.items()
    patterns = [each for part, layout in layouts for each in layout.patterns(with_weights=part in parts)]
    return [*patterns, f"{SCHEDULER_FOLDER}/*"]


def _incomplete(
    where: str, missing: list[str], *, revision: str, parts: tuple[str, ...], reason: Exception | None = None
) -> BackboneError:
    subfolders = ", ".join(HUB_PARTS[part].subfolder for part in parts)
    what = f"missing: {', '.join(missing)}" if missing else f"needed from the hub: {subfolders}"
    why = (
        f" ({type(reason).__name__}: {str(reason).splitlines()[0]})"
        if reason is not None and str(reason)
        else ""
    )
    # Names instead of --include, which older and newer versions of the command read differently.
    files = [f"{layout.subfolder}/config.json" for layout in HUB_PARTS.values()]
    files += [f"{HUB_PARTS[part].subfolder}/{HUB_PARTS[part].weight_stems[-1]}.bin" for part in parts]
    command = f"hf download {REPOSITORY} {' '.join(files)} {SCHEDULER_FOLDER}/scheduler_config.json --revision {revision}"
    return BackboneError(
        f"the backbone versatile-diffusion from {where} is not complete{why}; {what}. With a connection to the hub, "
        f"fetch it once by `{command}`; or give the folder of a copy (the same command with --local-dir FOLDER) "
        "in place of the name."
    )
