"""Several processes that train one decoder together (``accelerate launch``, torchrun): who makes and who writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def n_processes() -> int:
    """How many processes were launched together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this process writes files and talks."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def main_process_first() -> Iterator[None]:
    """Let the main process go first, so that the others find what it made."""
    if n_processes() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    # said here, or processes on CPUs alone would not find one another
    with PartialState(cpu=not torch.cuda.is_available()).main_process_first():
        yield
