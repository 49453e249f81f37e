"""Small simulated subjects in memory, with known HRFs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.scene_pool import ScenePool


@dataclass(frozen=True)
class Recorded:
    """A simulated subject's store and what was put into it."""

    store: xr.Dataset
    time_to_peak_s: NDArray[np.float64]
    subject: SimulatedSubject
    designs: NDArray[np.int64]


def recorded_from(scenes: ScenePool, *, n_runs: int, n_repetitions: int = 14, **options) -> Recorded:
    """A subject that sees some of the scenes."""
    config = SimulationConfig(**{"n_voxels": 60, "image_size": 16, "time_to_peak_s": (3.0, 6.0), **options})
    designs = draw_designs(
        scenes.features.image_ids,
        n_runs=n_runs,
        soa_slots=1,
        n_repetitions=n_repetitions,
        rng=np.random.default_rng(config.seed),
    )
    subject = SimulatedSubject.of(config, designs, pool=scenes)
    return Recorded(subject.record(designs), subject.evoked.responses.time_to_peak_s, subject, designs)
