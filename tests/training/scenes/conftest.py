"""A few scenes, drawn once."""

from __future__ import annotations

import pytest

from tempgen.training.scenes.pictures import Pictures, _draw, _draw_masks
from tests.training.scenes.tiny import N_HELD_OUT, N_SCENES, SEED


@pytest.fixture(scope="session")
def pictures():
    return Pictures(*_draw((0, N_SCENES, SEED)))


@pytest.fixture(scope="session")
def held_out():
    return Pictures(*_draw((0, N_HELD_OUT, SEED + 1)))


@pytest.fixture(scope="session")
def masks():
    return _draw_masks((0, N_SCENES, SEED))[0]


@pytest.fixture(scope="session")
def held_out_masks():
    return _draw_masks((0, N_HELD_OUT, SEED + 1))[0]
