"""Memory of this process, in bytes, as Linux counts it; elsewhere the peak since its start."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

_PROCESS = Path("/proc/self")


def resident_bytes() -> int:
    """What it holds now."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The most that it held since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Count the peak from now on, where the system allows it."""
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")


def _status(key: str) -> int:
    if not (_PROCESS / "status").exists():
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    lines = (_PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))
