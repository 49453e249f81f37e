"""What the control groups of this process leave it: cores by quota, and memory.

A limit can be set on the process's own group or on any above it, by a container, a login node, systemd or SLURM; all of them
hold. Where the groups are in the file tree is in ``/proc/self/cgroup`` (cgroups(7)); in a container whose tree starts lower
than that path says, the groups that are there are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_MOUNT = "sys/fs/cgroup"


def quota_cores(root: Path = Path("/")) -> float | None:
    """Cores that the groups let this process keep busy on average; None if they set no limit.

    Parameters
    ----------
    root : Path
        Of the file tree.
    """
    quotas = []
    for group in _groups(root, "cpu"):
        for quota, period in (_pair(group / "cpu.max"), _old_quota(group)):
            if quota is not None and period is not None and quota > 0:
                quotas.append(quota / period)
    return min(quotas, default=None)


def memory_room_bytes(root: Path = Path("/")) -> int | None:
    """Memory that the groups still give; None if they set no limit. Pages of files that were not used lately can be taken back.

    Parameters
    ----------
    root : Path
        Of the file tree.
    """
    rooms = []
    for group in _groups(root, "memory"):
        for limit, used, unused in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            at_most, held = _number(group / limit), _number(group / used)
            if at_most is not None and held is not None:
                rooms.append(max(0, at_most - max(0, held - _counted(group / "memory.stat", unused))))
    return min(rooms, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the process's groups that are there, from its own to the top one, of both versions of control groups."""
    paths = {"": PurePosixPath("/"), controller: PurePosixPath("/")}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in paths and ".." not in path.split("/"):  # else it lies outside of what a container sees
                paths[name] = PurePosixPath(path)
    mount = root / _MOUNT
    for top, own in (
        (mount, paths[""]),
        (mount / "unified", paths[""]),
        (mount / controller, paths[controller]),
    ):
        for group in (own, *own.parents):
            folder = top / group.relative_to("/")
            if folder.is_dir():
                yield folder


def _old_quota(group: Path) -> tuple[int | None, int | None]:
    return _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")


def _pair(path: Path) -> tuple[int | None, int | None]:
    """``"150000 100000"``, or ``"max 100000"`` without a limit."""
    parts = _text(path).split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and parts[0].isdigit() else (None, None)


def _counted(path: Path, name: str) -> int:
    found = [line.split()[1] for line in _text(path).splitlines() if line.split()[:1] == [name]]
    return int(found[0]) if found else 0


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:  # no such file, or "max"
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
