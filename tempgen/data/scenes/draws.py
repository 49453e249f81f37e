"""Random numbers of one scene, the same on every machine and with every version of NumPy."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """Uniform numbers from PCG64's raw stream, seeded by a sequence of integers.

    NumPy keeps the streams of ``SeedSequence`` and ``PCG64`` fixed for good, but not those of ``Generator``'s methods (NEP 19), so the raw
    64-bit integers are turned into numbers here: the upper 53 bits times 2 ** -53.

    Parameters
    ----------
    entropy : int
        Non-negative integers; the same integers give the same numbers.

    Examples
    --------
    >>> Draws(0, 7).uniform() == Draws(0, 7).uniform()
    True
    """

    def __init__(self, *entropy: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number in [low, high)."""
        return low + (high - low) * ((self._bits.random_raw() >> 11) * 2.0**-53)

    def integer(self, n: int) -> int:
        """One integer in 0 .. n - 1."""
        return int(self.uniform() * n)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[self.integer(len(options))]

    def distinct(self, n_options: int, n: int) -> tuple[int, ...]:
        """``n`` different integers in 0 .. n_options - 1, in random order."""
        left = list(range(n_options))
        return tuple(left.pop(self.integer(len(left))) for _ in range(n))
