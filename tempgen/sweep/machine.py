"""What this machine has for tasks: cores, memory, GPUs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_GB = 1e9


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def free_memory_gb() -> float:
    """Memory (GB) that new processes can take: what the kernel offers, or less where a control group limits this one."""
    fields = dict(
        line.split(":", 1)
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        if ":" in line
    )
    free = int(fields["MemAvailable"].split()[0]) * 1024 / _GB
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            room = int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such group, or "max"
            continue
        free = min(free, max(0.0, room / _GB))
    return free


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
