"""Ctrl-C and SIGTERM become a wish to stop, which the loop grants after saving."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While it is entered, the first signal is kept in ``received``; a second one acts as usual.

    One that nobody granted until the end acts then: see `leave`.

    Outside the main thread, where Python allows no handlers, signals act as usual.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._keep) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        if self.received is not None and error is None:
            leave(self.received)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def leave(number: int) -> None:
    """End as the signal would have: KeyboardInterrupt for Ctrl-C, else exit status 128 + signal.

    Source of the status: the shells' convention.

    Raises
    ------
    KeyboardInterrupt
        For SIGINT.
    SystemExit
        For SIGTERM, with status 143.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
