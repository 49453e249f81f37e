"""Identity of a backbone in a folder: the hub's revision where it is known, else a fingerprint of its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

# Read whole up to this size, so that any change counts; of larger files (the full-size UNet has 3.4 GB) 64 pieces of
# 64 KiB, evenly spread, and the size.
WHOLE_BYTES = 64 * 2**20
N_PIECES, PIECE_BYTES = 64, 64 * 2**10


def folder_revision(folder: Path, files: Sequence[Path]) -> str:
    """Identity of a folder's files.

    A copy of a hub's repository has the repository's revision, so that decoders made with the hub's weights load with a
    local copy: a folder of the hub's cache is named after it, and ``hf download --local-dir`` notes it beside each file.

    Parameters
    ----------
    folder : Path
        The backbone's folder.
    files : sequence of Path
        Its configurations and weights, in ``folder``; those of parts that are not loaded too.

    Returns
    -------
    str
        A hub revision (40 hexadecimal digits), or ``sha256:`` and 16 digits.
    """
    resolved = folder.resolve()
    if resolved.parent.name == "snapshots" and re.fullmatch("[0-9a-f]{40}", resolved.name):
        return resolved.name
    noted = {_noted_revision(folder, path) for path in files}
    if len(noted) == 1 and (revision := noted.pop()) is not None:
        return revision
    return fingerprint(folder, files)


def fingerprint(folder: Path, files: Sequence[Path]) -> str:
    """``sha256:`` and 16 digits of the files' names, sizes and contents (sampled beyond 64 MiB)."""
    digest = hashlib.sha256()
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as stream:
            if size <= WHOLE_BYTES:
                digest.update(stream.read())
                continue
            for piece in range(N_PIECES):
                stream.seek(piece * (size - PIECE_BYTES) // (N_PIECES - 1))
                digest.update(stream.read(PIECE_BYTES))
    return f"sha256:{digest.hexdigest()[:16]}"


def _noted_revision(folder: Path, path: Path) -> str | None:
    """Revision that ``hf download --local-dir`` noted, unless the file was changed since."""
    name = path.relative_to(folder)
    note = folder / ".cache" / "huggingface" / "download" / name.with_name(f"{name.name}.metadata")
    if not note.is_file():
        return None
    lines = note.read_text(encoding="utf-8").split()  # revision, etag, time of download
    try:
        unchanged = path.stat().st_mtime - 1 <= float(lines[2])  # the hub's client allows the same second
    except (IndexError, ValueError):
        return None
    return lines[0] if unchanged and re.fullmatch("[0-9a-f]{40}", lines[0]) else None
