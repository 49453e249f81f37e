"""A file that says "I do this": taken by one process at a time, without a lock server and without comparing clocks.

Whoever holds a claim touches it every few seconds. It counts as abandoned when the process is gone (on the same machine) or
when it was not touched for a while: then another may take it. Ages are differences of times that the file system itself
gave, to the claim and to a file that is written now, so that a machine whose clock is wrong neither loses a claim nor
keeps one for ever.

Nothing depends on claims for being right: results appear whole, and two that do the same write the same. They spare work.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEAT_S = 10.0
"""Seconds between two touches. Source: house choice, little for a file server."""
STALE_S = 90.0
"""Seconds without a touch after which a claim of another machine is abandoned. Source: file servers show others' times up to a
minute late (the default of NFS' acdirmax)."""


def this_process() -> dict[str, Any]:
    """Names this process among those of all machines, and the SLURM job that it belongs to."""
    array, job = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_JOB_ID")
    if array is not None:
        job = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID')}"
    return {
        "host": _host(),
        "pid": os.getpid(),
        "started": _start_of(os.getpid()),
        "job": job,
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    }


def _host() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()


def _start_of(pid: int) -> str | None:
    """When a process of this machine began, in ticks since boot; None if there is none: numbers are given again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


@dataclass(frozen=True)
class Claim:
    """A claim that this process holds.

    Attributes
    ----------
    path : Path
    token : str
        Of this claim alone.
    """

    path: Path
    token: str

    @classmethod
    def take(cls, path: Path) -> Claim | None:
        """Take a claim; None if another process holds it and is alive."""
        path.parent.mkdir(parents=True, exist_ok=True)
        token = uuid.uuid4().hex
        own = path.with_name(f".{token}.tmp.{path.name}")
        try:
            own.write_text(json.dumps({"token": token, **this_process()}), encoding="utf-8")
            for _ in range(2):
                with suppress(FileExistsError):
                    os.link(own, path)  # unlike opening with O_EXCL, this is one step on any file server
                    return cls(path, token)
                holder = read_claim(path)
                if holder is None:
                    continue
                if is_alive(path, holder):
                    return None
                _put_aside(path, holder)
        finally:
            own.unlink(missing_ok=True)
        return None

    @contextmanager
    def held(self, *, beat_s: float = BEAT_S) -> Iterator[None]:
        """Touch the claim every ``beat_s`` seconds meanwhile, and give it up at the end."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(beat_s):
                with suppress(OSError):  # a full or absent disk: the next time
                    if self.is_own():
                        os.utime(self.path)

        thread = threading.Thread(target=beat, daemon=True, name="tempgen-claim")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if self.is_own():
                self.path.unlink(missing_ok=True)

    def is_own(self) -> bool:
        """Whether nobody took it away."""
        holder = read_claim(self.path)
        return holder is not None and holder.get("token") == self.token


def read_claim(path: Path) -> Mapping[str, Any] | None:
    """Who holds a claim; None if nobody does. Of a damaged one nothing is known but its age."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def is_alive(path: Path, holder: Mapping[str, Any], *, stale_s: float = STALE_S) -> bool:
    """Whether the holder of a claim still works on it, as far as one can know from here."""
    me = this_process()
    if holder.get("host") == me["host"]:
        return holder.get("started") is not None and _start_of(int(holder["pid"])) == holder["started"]
    if me["job"] is not None and holder.get("job") == me["job"] and holder.get("restarts") != me["restarts"]:
        return False  # SLURM began this job again, on another node
    return seconds_since_touch(path) < stale_s


def seconds_since_touch(path: Path) -> float:
    """Age of a file by the clock of its file system; infinite if it is gone."""
    probe = path.with_name(f".{uuid.uuid4().hex}.tmp.now")
    try:
        touched = path.stat().st_mtime
        try:
            probe.touch()
            now = probe.stat().st_mtime
        except PermissionError:  # whoever may only look has its own clock
            now = time.time()
        return max(0.0, now - touched)
    except FileNotFoundError:
        return float("inf")
    finally:
        with suppress(PermissionError):
            probe.unlink(missing_ok=True)


def _put_aside(path: Path, holder: Mapping[str, Any]) -> None:
    """Remove an abandoned claim, and not one that was taken since it was read."""
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp.{path.name}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    taken = read_claim(aside)
    if taken is not None and taken.get("token") != holder.get("token"):
        with suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)
