"""One task in one process, whoever started it: a job on a cluster, or a server that forks worker processes here."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tempgen.errors import SweepError
from tempgen.sweep.claim import Claim, this_process
from tempgen.sweep.record import Record
from tempgen.sweep.task import Task
from tempgen.sweep.together import run_together

FAILED, STOPPED = 1, 128 + signal.SIGTERM
"""Exit statuses: it raised an error; it was told to stop (the shells' convention)."""
_WAIT_S, _LOOK_S = 5.0, 0.02


def run_task(record: Record) -> None:
    """Do a task unless it is done, holding its claim, and write how it ended.

    Where another process is at it, this one waits for what comes of it.

    Raises
    ------
    SweepError
        If a task that it needs is not done.
    SystemExit
        If it was told to stop.
    """
    task = record.task()
    while not record.is_done(task):
        claim = Claim.take(record.claim)
        if claim is None:
            time.sleep(_WAIT_S)
            continue
        with claim.held():
            _do(record, task)
        return


def _do(record: Record, task: Task) -> None:
    if record.is_done(task):  # by whoever held the claim before
        return
    missing = [need.name for need in task.needs if not _is_done(Record(need))]
    record.write_started(task, this_process())
    began = time.monotonic()
    try:
        with _stoppable():
            if missing:
                raise SweepError(
                    f"{', '.join(missing)} ended without what {task.name} needs: start the sweep again."
                )
            run_together(task.run, task.processes) if task.processes > 1 else task.run()
            if not task.has_made:
                raise SweepError(f"{task.name} ended and did not make {', '.join(map(str, task.makes))}.")
    except (SystemExit, KeyboardInterrupt):
        record.write_failed(task, "was told to stop", stopped=True)
        raise
    except BaseException as error:
        record.write_failed(task, error)
        raise
    record.write_done(task, seconds=time.monotonic() - began, host=socket.gethostname())


def _is_done(record: Record) -> bool:
    return record.is_done(record.task())


@contextmanager
def _stoppable() -> Iterator[None]:
    """Meanwhile SIGTERM ends the task as an exit does: files half written go. Training answers it itself, and saves first."""
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(STOPPED)


def serve(modules: Sequence[str], requests: int, answers: int) -> None:
    """Import what tasks need once, then fork a process for each task that is asked for.

    A request is a line of JSON: ``record``, ``log`` and ``environment``. An answer says that a task began (``record``,
    ``pid``) or ended (``pid``, ``status``; negative: the signal that ended it). The end of the requests ends the server, and with
    it, by SIGTERM, all tasks.

    Parameters
    ----------
    modules : sequence of str
        What the tasks' calls are in.
    requests, answers : int
        File descriptors to read from and write to.
    """
    for name in modules:
        importlib.import_module(name)
    live: set[int] = set()
    read = b""
    while True:
        if select.select([requests], [], [], _LOOK_S)[0]:
            some = os.read(requests, 65536)
            if not some:
                return
            *lines, read = (read + some).split(b"\n")
            server = os.getpid()
            for request in map(json.loads, lines):
                pid = os.fork()
                if pid == 0:
                    _be_a_task(request, server=server)
                live.add(pid)
                _answer(answers, {"record": request["record"], "pid": pid})
        for pid in list(live):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                live.remove(pid)
                _answer(answers, {"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _answer(answers: int, content: dict[str, Any]) -> None:
    os.write(answers, json.dumps(content).encode() + b"\n")


def _be_a_task(request: dict[str, Any], *, server: int) -> NoReturn:
    """What a forked process does: a session, a log and an environment of its own, then the task."""
    status = FAILED
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, _stop)  # the server ignores it
        _end_with(server)
        os.environ.update(request["environment"])
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(stream, target)
        status = _run(Record(Path(request["record"])))
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else FAILED
    finally:
        os._exit(status)


def _run(record: Record) -> int:
    try:
        run_task(record)
    except Exception:
        os.write(2, traceback.format_exc().encode())
        return FAILED
    return 0


def _end_with(parent: int) -> None:
    """Have the kernel tell this process to stop when its parent is gone: no orphan goes on unseen."""
    death_signal = 1  # PR_SET_PDEATHSIG, linux/prctl.h
    ctypes.CDLL(None).prctl(death_signal, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(STOPPED)


def main() -> None:
    """Serve the driver, which started this process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends it to all: the driver answers
        signal.signal(number, signal.SIG_IGN)
    serve(sys.argv[1:], sys.stdin.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    main()
