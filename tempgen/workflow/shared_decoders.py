"""Decoders that several analyses use and one trains: each finds them below its own folder, by a link."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tempgen.config import Analysis
from tempgen.files import remove_folder, whole_folder
from tempgen.workflow.places import Places

__all__ = ["find_decoders", "share_decoders"]


def find_decoders(analysis: Analysis, trained_in: Path | None, *, overwrite: bool = False) -> Path:
    """Let an analysis find its decoders where another trains them, or keep it from training in another's folder.

    Parameters
    ----------
    trained_in : Path or None
        Folder of the analysis that trains them; None: its own, of an analysis that belongs to no study.

    Returns
    -------
    Path
        ``trained_in``, or its own folder where it has decoders already or there can be no link.
    """
    own = analysis.output_folder
    if trained_in is not None and trained_in != own:
        other = Places(analysis.model_copy(update={"folder": trained_in}))
        return trained_in if share_decoders(other, Places(analysis), overwrite=overwrite) else own
    if trained_in == own and _is_shared(ours := _of(Places(analysis))):  # in an earlier version of the study
        ours.unlink()
    return own


def share_decoders(trained: Places, tested: Places, *, overwrite: bool) -> bool:
    """Link the decoders of one analysis into another's folder; copy them where the file system has no links.

    Returns
    -------
    bool
        Whether there is a link: decoders that lie there already are kept unless ``overwrite`` is on.
    """
    theirs, ours = _of(trained), _of(tested)
    target = Path(os.path.relpath(theirs, ours.parent))
    if ours.is_symlink() and (not ours.exists() or (_is_shared(ours) and ours.readlink() != target)):
        ours.unlink()
    if ours.exists() and (ours.is_symlink() or not overwrite):
        return ours.is_symlink()
    ours.parent.mkdir(parents=True, exist_ok=True)
    remove_folder(ours)
    try:
        ours.symlink_to(target, target_is_directory=True)
    except OSError:  # no right to make links, or a file system without them
        if theirs.exists():
            with whole_folder(ours) as temporary:
                shutil.copytree(theirs, temporary, dirs_exist_ok=True)
        return False
    return True


def _is_shared(folder: Path) -> bool:
    """Whether a folder is a link of `share_decoders`; those that users make, to another disk, are absolute as a rule."""
    return folder.is_symlink() and not folder.readlink().is_absolute()


def _of(places: Places) -> Path:
    """Where an analysis keeps its decoders of any kind."""
    return places.decoder(0).parent.parent
