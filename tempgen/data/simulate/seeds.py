"""Independent streams of random numbers: one for each thing that is drawn, so that no file depends on which others were written."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from tempgen.config.simulation import SimulationConfig


class Draw(IntEnum):
    """What is drawn; the numbers are part of every simulated file."""

    EXPERIMENT = 1
    TUNING = 2
    RESPONSE = 3
    RUN = 4
    MOTION = 5
    BASELINE = 6


def generator(config: SimulationConfig, draw: Draw, *place: int) -> np.random.Generator:
    """Random numbers for one thing to draw.

    Parameters
    ----------
    place : int
        Subject, session, run, as far as they matter.
    """
    return np.random.default_rng([config.seed, int(draw), *place])
