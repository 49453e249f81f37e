"""Several processes that do one task together, each with a device of its own: elastic launch below this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tempgen.errors import SweepError


def run_together(function: Callable[[], None], n_processes: int) -> None:
    """Call a function in ``n_processes`` new processes that find one another, as torchrun would; here if it is one.

    Parameters
    ----------
    function : callable
        Without arguments, importable by name: Accelerate inside it sees all processes. Each is given ``LOCAL_RANK``.
    n_processes : int

    Raises
    ------
    SweepError
        If one of them fails; the others are ended.
    """
    if n_processes == 1 or "LOCAL_RANK" in os.environ:
        function()
        return
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n_processes,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
        start_method="spawn",
    )
    try:
        elastic_launch(config, function)()
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        said: Any = failure.message
        said = said["message"] if isinstance(said, dict) else said or f"exit status {failure.exitcode}"
        raise SweepError(f"Process {rank} of {n_processes} failed: {said.splitlines()[0]}") from error
    except SignalException as stop:
        raise SystemExit(128 + int(stop.sigval)) from stop
