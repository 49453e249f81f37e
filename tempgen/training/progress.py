"""What a run shows while it goes: a bar on a terminal, a line now and then elsewhere, curves in a tracker."""

from __future__ import annotations

import time
from collections.abc import Callable

from tqdm.auto import tqdm

LINE_EVERY_S = 30.0
"""Seconds between lines where there is no terminal. Source: house choice."""
SMOOTHING = 0.98
"""Share of the old in the shown loss. Source: house choice, fifty steps."""
REFRESH_EVERY_S = 0.5

Say = Callable[[str], None]


class Progress:
    """Shows steps, smoothed loss, samples per second and the time left; nothing on processes other than the main one.

    Parameters
    ----------
    name : str
    first_step, n_steps : int
    batch_size : int
        Samples of a step.
    say : callable
        Takes a line of text.
    is_main : bool
    """

    def __init__(
        self, name: str, *, first_step: int, n_steps: int, batch_size: int, say: Say, is_main: bool = True
    ) -> None:
        self.name, self.batch_size, self.n_steps, self.first_step = name, batch_size, n_steps, first_step
        self.loss: float | None = None
        self.start = self._shown = self._said = time.monotonic()
        self._weight = 0.0
        self._sum = 0.0
        self._say = say if is_main else None
        self._bar = tqdm(
            total=n_steps, initial=first_step, desc=name, unit="step", disable=None if is_main else True
        )
        self._done = first_step

    @property
    def seconds(self) -> float:
        """Since the start of this call."""
        return time.monotonic() - self.start

    @property
    def samples_per_second(self) -> float:
        """Over this call."""
        return (self._done - self.first_step) * self.batch_size / max(self.seconds, 1e-9)

    def advance(self, losses: list[float]) -> None:
        """Steps were made, with these losses."""
        for loss in losses:
            self._weight = SMOOTHING * self._weight + 1 - SMOOTHING
            self._sum = SMOOTHING * self._sum + (1 - SMOOTHING) * loss
        self.loss = self._sum / self._weight if self._weight else None
        self._done += len(losses)
        now = time.monotonic()
        if not self._bar.disable and now - self._shown > REFRESH_EVERY_S:
            self._shown = now
            self._show()
        elif self._bar.disable and self._say is not None and now - self._said > LINE_EVERY_S:
            self._said = now
            left = self.seconds / max(1, self._done - self.first_step) * (self.n_steps - self._done)
            self._say(
                f"{self.name}: step {self._done}/{self.n_steps}, loss {self.loss:.4g}, "
                f"{self.samples_per_second:.0f} samples/s, {tqdm.format_interval(left)} left"
            )

    def _show(self) -> None:
        self._bar.set_postfix_str(
            f"loss {self.loss:.4g}, {self.samples_per_second:.0f} samples/s", refresh=False
        )
        self._bar.update(self._done - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is."""
        if not self._bar.disable and self.loss is not None:
            self._show()
        self._bar.close()
