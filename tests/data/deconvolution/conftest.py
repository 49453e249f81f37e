"""Subjects that several tests of this folder look at."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tempgen.data.simulate.scene_pool import ScenePool, draw_scene_pool
from tests.data.deconvolution.subjects import Recorded, recorded_from


@pytest.fixture(scope="session")
def scenes() -> ScenePool:
    return draw_scene_pool(np.arange(1, 121), seed=0, size=16)


@pytest.fixture(scope="session")
def record(scenes):
    return partial(recorded_from, scenes)


@pytest.fixture(scope="session")
def static(record) -> Recorded:
    return record(n_runs=10, code="static", snr=0.7)


@pytest.fixture(scope="session")
def sustained(record) -> Recorded:
    return record(n_runs=10, code="sustained", snr=0.7)
