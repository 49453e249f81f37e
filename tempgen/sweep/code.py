"""Which code made something: a hash of the parts of the package that determine it."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@functools.cache
def code_hash(*parts: str) -> str:
    """Twelve hexadecimal digits that change with any source file of these parts.

    Parameters
    ----------
    *parts : str
        Modules and subpackages below ``tempgen``, with slashes: ``"windows"``, ``"data/splits"``, ``"decoders"``.

    Raises
    ------
    FileNotFoundError
        If there is no such part.
    """
    digest = hashlib.sha256()
    for part in sorted(parts):
        path = PACKAGE / part
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
