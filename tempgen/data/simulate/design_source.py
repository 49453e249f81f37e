"""Sources of which nothing but the design exists: what a recording would be, before it is simulated or fetched."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import N_DESIGN_ROWS, RUNS_PER_SESSION, TR_S
from tempgen.data.simulate.experiment import design_experiment
from tempgen.data.simulate.in_memory import trials_of_designs
from tempgen.data.source import RunFile, Source
from tempgen.errors import ConfigError

__all__ = ["designed_source", "nsd_like_source"]

_NSD_SESSIONS = {1: 40, 2: 40, 3: 32, 4: 30, 5: 40, 6: 32, 7: 40, 8: 30}
"""Sessions of each subject. Source: Allen et al. 2022."""
_NSD_VOXELS = {1: 15_724, 2: 14_278, 3: 15_226, 4: 13_153, 5: 13_039, 6: 17_907, 7: 12_682, 8: 14_386}
"""Voxels of nsdgeneral in func1pt8mm. Source: MindEye's published code; subject 1 also Dynadiff's."""


def designed_source(config: SimulationConfig, subject: int, *, n_voxels: int | None = None) -> Source:
    """The trials and sizes that a simulated subject will have; it has no files, and no image can be read.

    Parameters
    ----------
    n_voxels : int, optional
        Of the store; the simulation's unless given.
    """
    experiment = design_experiment(config)
    designs = experiment.designs(subject).reshape(-1, N_DESIGN_ROWS)
    trials = trials_of_designs(designs)
    trials["shared1000"] = np.isin(trials["image_id"], experiment.shared_images)
    runs = tuple(
        RunFile(f"run-{run}", 1 + run // RUNS_PER_SESSION, 1 + run % RUNS_PER_SESSION, Path(), N_DESIGN_ROWS)
        for run in range(len(designs))
    )
    return Source(
        kind="nsd",
        subject=str(subject),
        tr_s=TR_S,
        runs=runs,
        mask=np.ones((config.n_voxels if n_voxels is None else n_voxels, 1, 1), dtype=bool),
        affine=np.eye(4),
        trials=trials,
        read_images=lambda _ids, _size: np.empty(0, dtype=np.uint8),
    )


def nsd_like_source(subject: int, *, n_sessions: int | None = None) -> Source:
    """A design drawn by NSD's rules, with the published numbers of sessions and voxels of a subject.

    Raises
    ------
    ConfigError
        If NSD has no such subject.
    """
    if subject not in _NSD_SESSIONS:
        raise ConfigError(f"NSD has subjects 1 to {len(_NSD_SESSIONS)}, not {subject}.")
    config = SimulationConfig(n_sessions=_NSD_SESSIONS[subject] if n_sessions is None else n_sessions)
    return designed_source(config, subject, n_voxels=_NSD_VOXELS[subject])
