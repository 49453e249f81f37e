"""What this machine has for tasks: cores, memory, GPUs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tempgen.sweep.cgroups import memory_room_bytes, quota_cores

_GB = 1e9


def n_cores() -> int:
    """Cores that this process may use; at least one."""
    quota = quota_cores()
    n_allowed = len(os.sched_getaffinity(0))
    return n_allowed if quota is None else max(1, min(n_allowed, int(quota)))


def free_memory_gb() -> float:
    """Memory (GB) that new processes can take: what the kernel offers, or less where control groups limit this one."""
    fields = dict(
        line.split(":", 1)
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        if ":" in line
    )
    free = int(fields["MemAvailable"].split()[0]) * 1024 / _GB
    room = memory_room_bytes()
    return free if room is None else min(free, room / _GB)


def gpu_names() -> list[str]:
    """GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty without any."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return listed.stdout.split()


def memory_of_session_gb(session: int) -> float:
    """Memory (GB) that the processes of a session hold themselves, shared pages counted once for each."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                total += int((folder / "statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):  # it ended meanwhile
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / _GB
