"""What SLURM is asked: which jobs of this user there are, by one squeue, and whether one was cancelled."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_ASK_S = 60.0
"""Seconds after which a question to SLURM counts as unanswered."""


@dataclass(frozen=True)
class Job:
    """A job in SLURM's queue.

    Attributes
    ----------
    state : str
        SLURM's own word: ``PENDING``, ``RUNNING``, ``COMPLETING``...
    left : str
        Time to its limit, as SLURM writes it.
    """

    state: str
    left: str


def queue() -> Mapping[str, Job] | None:
    """Jobs of this user by id (``12`` or ``12_3``); None if SLURM does not answer now."""
    command = ["squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%T|%L"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_ASK_S)
    except (OSError, subprocess.SubprocessError):  # no SLURM here, a server that is down or busy
        return None
    rows = (line.strip().split("|") for line in listed.stdout.splitlines())
    return {row[0]: Job(row[1], row[2]) for row in rows if len(row) == 3}


def was_cancelled(job_id: str) -> bool:
    """Whether somebody cancelled a job, as far as SLURM still knows."""
    try:
        shown = subprocess.run(
            ["scontrol", "-o", "show", "job", job_id], capture_output=True, text=True, timeout=_ASK_S
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return "JobState=CANCELLED" in shown.stdout and "Reason=DependencyNeverSatisfied" not in shown.stdout
