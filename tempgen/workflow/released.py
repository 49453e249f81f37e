"""`tempgen import-released`: a decoder folder of the weights that the authors of Dynadiff released."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tempgen.decoders import decoder_kind
from tempgen.errors import ConfigError, DecoderError
from tempgen.workflow.backbones import check_installed


def import_released_weights(
    source: Path,
    out: Path,
    *,
    subject: str = "1",
    backbone: str = "versatile-diffusion",
    backbone_folder: Path | None = None,
    leave_out: Sequence[str] = (),
    to_safetensors: bool = False,
    overwrite: bool = False,
    say: Callable[[str], Any] = print,
) -> Path:
    """Write the decoder folder of a released checkpoint, or only its weights as one safetensors file.

    Parameters
    ----------
    source : Path
        Folder of a DeepSpeed checkpoint, or a file of safetensors or torch.
    out : Path
        The folder, or with ``to_safetensors`` the file; it appears whole or not at all.
    subject : str
        Name of the subject, as stores of the Natural Scenes Dataset have it: ``"1"`` for subj01.
    backbone, backbone_folder : str, Path or None
        What the decoder steers, by name (or folder), and a local copy of it.
    leave_out : sequence of str
        Beginnings of names in the checkpoint that are to be left out knowingly.
    to_safetensors : bool
        Convert the trained weights of a DeepSpeed checkpoint, under their own names; needs no backbone.
    overwrite : bool
        Replace an earlier decoder (or file) there.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    ConfigError
        If something is at ``out``, or packages are missing.
    DecoderError
        If the checkpoint cannot be read or does not fit the backbone.
    BackboneError
        If the backbone is not there and cannot be fetched.
    """
    _check_free(out, is_file=to_safetensors, overwrite=overwrite)
    check_installed()
    if not source.exists():
        raise DecoderError(
            f"there is no checkpoint {source}: give the folder or the file of the released weights"
        )
    if to_safetensors:
        from tempgen.models.released import deepspeed_to_safetensors

        if source.is_file():
            raise DecoderError(
                f"{source} is a file; --to-safetensors converts the folder of a DeepSpeed checkpoint"
            )
        say(f"{len(deepspeed_to_safetensors(source, out))} trained weights in float32, under their own names")
        return out
    from tempgen.decoders.dynadiff import decoder_from_released

    say(f"reading {source}, for {backbone_folder or backbone}")
    decoder = decoder_from_released(
        source, subject=subject, backbone=backbone, backbone_folder=backbone_folder, leave_out=leave_out
    )
    say(f"windows of {decoder.n_tr} TRs x {decoder.n_voxels:,} voxels of subject {subject}")
    return decoder.save_pretrained(out, provenance=decoder.provenance)


def _check_free(out: Path, *, is_file: bool, overwrite: bool) -> None:
    """Refuse to write over anything but what this command wrote."""
    if not out.exists():
        return
    if not overwrite:
        raise ConfigError(f"{out} is there already: name another place, or replace it with --overwrite.")
    if is_file and out.is_file() and out.suffix == ".safetensors":
        return
    try:
        replaceable = not is_file and decoder_kind(out) == "dynadiff"
    except DecoderError:
        replaceable = False
    if not replaceable:
        what = "a file of safetensors" if is_file else "a Dynadiff decoder"
        raise ConfigError(f"{out} is not {what}, and nothing else is replaced: name another place.")
