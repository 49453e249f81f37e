"""The lag algebra, in whole TRs; seconds are labels.

A trial's image appears at volume ``onset_tr`` of its run. A decoder sees the volumes

    onset_tr + start_tr + delta + k,    k = 0 .. n_tr - 1

and ``delta`` is what shifts. ``start_tr + delta + k`` is called the *offset* of a volume: neighbouring deltas share
offsets, so nothing is extracted twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.errors import ConfigError, WindowOutsideRunError

DEFAULT_DELTAS = tuple(range(-2, 14))
"""Sixteen offsets. Source: Dynadiff (arXiv 2505.14556), Figure 5."""
DEFAULT_T0_S = 3.0
"""Seconds from image onset to the window's start. Source: Dynadiff, section 3."""
DEFAULT_N_TR = 6
"""Volumes in a window. Source: Dynadiff, section 3."""


@dataclass(frozen=True)
class Window:
    """The unshifted window of a trial, on the volume grid.

    Attributes
    ----------
    start_tr : int
        First volume after the onset (volumes).
    n_tr : int
        Width (volumes).
    tr_s : float
        Seconds between volumes; used for labels only.
    """

    start_tr: int
    n_tr: int
    tr_s: float

    def __post_init__(self) -> None:
        if self.n_tr < 1:
            raise ConfigError(f"A window needs at least 1 TR, got n_tr={self.n_tr}.")
        if not self.tr_s > 0:
            raise ConfigError(f"The TR must be positive seconds, got tr_s={self.tr_s}.")

    @classmethod
    def from_seconds(
        cls, t0_s: float, *, tr_s: float, n_tr: int | None = None, duration_s: float | None = None
    ) -> Window:
        """Quantize a window given in seconds: the only place where seconds become volumes.

        Parameters
        ----------
        t0_s : float
            Seconds from image onset to the window's start; goes to the nearest volume (halves up).
        tr_s : float
            Seconds between volumes.
        n_tr, duration_s : int or float
            Width in volumes, or in seconds (then to the nearest volume). Exactly one.

        Raises
        ------
        ConfigError
            If both or neither width is given, or the width is less than half a TR.

        Examples
        --------
        >>> window = Window.from_seconds(3.0, n_tr=6, tr_s=4 / 3)
        >>> window.start_tr, round(window.start_s, 2), round(window.lag_s(0), 2)
        (2, 2.67, 10.67)
        """
        if (n_tr is None) == (duration_s is None):
            raise ConfigError(
                f"Give a window's width either in TRs or in seconds, got n_tr={n_tr} and duration_s={duration_s}."
            )
        width = n_tr if n_tr is not None else _nearest(float(duration_s or 0.0) / tr_s)
        return cls(start_tr=_nearest(t0_s / tr_s), n_tr=width, tr_s=tr_s)

    @property
    def start_s(self) -> float:
        """Effective seconds from onset to the start of the unshifted window."""
        return self.start_tr * self.tr_s

    def lag_s(self, delta: int) -> float:
        """Seconds from onset to the end of the window shifted by ``delta`` TRs (a label, never a key)."""
        return (self.start_tr + delta + self.n_tr) * self.tr_s

    def offsets(self, deltas: Iterable[int]) -> tuple[int, ...]:
        """Distinct volumes, counted from the onset, that the windows at ``deltas`` see, ascending.

        Examples
        --------
        >>> len(Window(2, 6, 4 / 3).offsets(range(-2, 14)))
        21
        """
        return tuple(sorted({self.start_tr + delta + k for delta in deltas for k in range(self.n_tr)}))

    def describe(self) -> str:
        """One line with the effective seconds."""
        return (
            f"window: volumes onset + [{self.start_tr}, {self.start_tr + self.n_tr}) = "
            f"{self.start_s:.2f} s to {self.lag_s(0):.2f} s after onset (TR {self.tr_s:.4g} s)"
        )


def _nearest(value: float) -> int:
    return int(np.floor(value + 0.5))


def window_slice(onset_tr: int, *, delta: int, start_tr: int, n_tr: int, run_length: int) -> slice:
    """Volumes that a decoder sees when its window is shifted by ``delta`` TRs.

    Parameters
    ----------
    onset_tr : int
        Volume at which the image appears, from 0 within its run.
    delta : int
        Shift of the window in TRs.
    start_tr, n_tr : int
        The unshifted window: first volume after onset, and width in volumes.
    run_length : int
        Volumes in the run.

    Raises
    ------
    WindowOutsideRunError
        If any volume lies outside the run; windows are never clipped, padded or wrapped.

    Examples
    --------
    >>> window_slice(10, delta=-2, start_tr=3, n_tr=6, run_length=225)
    slice(11, 17, None)
    """
    first = onset_tr + start_tr + delta
    if first < 0 or first + n_tr > run_length:
        raise WindowOutsideRunError(
            f"The window at delta {delta} of the trial at volume {onset_tr} covers volumes [{first}, {first + n_tr}), "
            f"its run has [0, {run_length}). Leave the trial out (usable_trials) or ask for smaller shifts."
        )
    return slice(first, first + n_tr)


def usable_trials(
    onset_tr: ArrayLike, *, run_length: ArrayLike, window: Window, deltas: Sequence[int]
) -> NDArray[np.bool_]:
    """Trials whose windows at all ``deltas`` lie inside their run, so that every delta scores the same trials.

    Parameters
    ----------
    onset_tr : array of int, shape (n_trials,)
    run_length : int or array of int, shape (n_trials,)
        Volumes in each trial's run.

    Returns
    -------
    array of bool, shape (n_trials,)

    Examples
    --------
    >>> usable_trials([0, 9, 210], run_length=225, window=Window(2, 6, 4 / 3), deltas=range(-3, 14)).tolist()
    [False, True, False]
    """
    onset = np.asarray(onset_tr)
    first = onset + window.start_tr + min(deltas)
    end = onset + window.start_tr + max(deltas) + window.n_tr
    return (first >= 0) & (end <= np.asarray(run_length))


def shares_volumes(train_delta: ArrayLike, test_delta: ArrayLike, *, n_tr: int) -> NDArray[np.bool_]:
    """Whether the windows of two deltas overlap: ``|train - test| < n_tr`` (broadcasts)."""
    return np.abs(np.asarray(train_delta) - np.asarray(test_delta)) < n_tr


_RANGE = re.compile(r"^\s*([+-]?\d+)\s*\.\.\s*([+-]?\d+)\s*$")


def parse_deltas(text: str | int | Iterable[int]) -> tuple[int, ...]:
    """Deltas from ``"-2..13"`` (both ends included), ``"-3,0,3"``, ``"5"``, an int or a sequence of ints; ascending.

    Raises
    ------
    ConfigError
        If the text is none of these, a range is empty or a delta is given twice.

    Examples
    --------
    >>> parse_deltas("-2..2")
    (-2, -1, 0, 1, 2)
    >>> parse_deltas("-3,0,3"), parse_deltas("5")
    ((-3, 0, 3), (5,))
    """
    if isinstance(text, int):
        return (text,)
    if not isinstance(text, str):
        return _checked(list(text), text)
    deltas: list[int] = []
    for part in text.split(","):
        match = _RANGE.match(part)
        if match:
            first, last = int(match[1]), int(match[2])
            if last < first:
                raise ConfigError(f"The range {part.strip()!r} is empty: write it upwards, {last}..{first}.")
            deltas += range(first, last + 1)
        else:
            try:
                deltas.append(int(part))
            except ValueError:
                raise ConfigError(
                    f"Cannot read the deltas {text!r}: write a range (-2..13), a list (-3,0,3) or one number (5)."
                ) from None
    return _checked(deltas, text)


def _checked(deltas: list[int], given: object) -> tuple[int, ...]:
    if not deltas:
        raise ConfigError(f"No delta in {given!r}: write for example -2..13.")
    if len(set(deltas)) != len(deltas):
        raise ConfigError(f"A delta occurs twice in {given!r}.")
    return tuple(sorted(deltas))


def format_deltas(deltas: Iterable[int]) -> str:
    """The shortest text that :func:`parse_deltas` reads back.

    Examples
    --------
    >>> format_deltas([-2, -1, 0, 3])
    '-2..0,3'
    """
    ordered = sorted(deltas)
    runs: list[list[int]] = []
    for delta in ordered:
        if runs and delta == runs[-1][-1] + 1:
            runs[-1].append(delta)
        else:
            runs.append([delta])
    return ",".join(f"{run[0]}..{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
