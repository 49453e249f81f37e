"""Two simulated subjects in NSD's layout, made once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import loadmat

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import NsdLayout
from tests.data.simulate.small_subjects import TINY, simulate


@pytest.fixture(scope="session")
def rotating(tmp_path_factory: pytest.TempPathFactory) -> NsdLayout:
    return simulate(tmp_path_factory.mktemp("rotating"))


@pytest.fixture(scope="session")
def null(tmp_path_factory: pytest.TempPathFactory) -> NsdLayout:
    """No image-specific signal, static code, resting runs, a subject whose numbering differs from the session's."""
    config = SimulationConfig(code="static", snr=0, mean_response=3, resting_runs=True, seed=4, **TINY)
    return simulate(tmp_path_factory.mktemp("null"), config, subjects=(5,))


@pytest.fixture(scope="session")
def experiment(rotating: NsdLayout) -> dict[str, NDArray[np.int64]]:
    content = loadmat(rotating.experiment_design)
    return {key: value.astype(np.int64) for key, value in content.items() if not key.startswith("__")}
