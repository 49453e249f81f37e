"""Windows of some trials are slices of the same volumes that all trials' windows are made of."""

import numpy as np
import pytest
import xarray as xr

from tempgen.data import window_dataset
from tempgen.data.decoder_inputs import DecoderInputs
from tempgen.data.source import TRIAL_COLUMNS
from tempgen.data.window_dataset import WindowDataset
from tempgen.errors import WindowOutsideRunError
from tempgen.windows import Window

WINDOW = Window(2, 3, 1.0)


@pytest.fixture
def store():
    onset, run = np.array([2, 5, 9, 3, 8]), np.array([0, 0, 0, 2, 2])
    trials = {f"trial_{name}": ("trial", np.zeros(5)) for name in TRIAL_COLUMNS}
    trials |= {
        "trial_run": ("trial", run),
        "trial_onset_tr": ("trial", onset),
        "trial_image_id": ("trial", np.arange(5)),
    }
    bold = np.random.default_rng(0).normal(size=(3, 20, 4)).astype(np.float32)
    return xr.Dataset(
        {"bold": (("run", "volume", "voxel"), bold), **trials},
        coords={"session": ("run", [1, 1, 1]), "run_length": ("run", [20, 20, 20])},
    )


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("delta", [-2, 0, 3])
def test_windows_of_some_trials_are_those_of_all_in_that_order(store, monkeypatch, in_memory, delta):
    if not in_memory:
        monkeypatch.setattr(window_dataset, "IN_MEMORY_BYTES", 0)
    windows = WindowDataset(store, np.array([True, True, False, True, True]), WINDOW)
    rows = np.array([3, 0, 0, 2])
    np.testing.assert_array_equal(windows.windows_of(rows, delta), windows.windows(delta)[rows])


def test_window_that_leaves_its_run_is_refused(store):
    windows = WindowDataset(store, np.ones(5, dtype=bool), WINDOW)
    assert windows.windows_of(np.array([0]), 13).shape == (1, 3, 4)
    with pytest.raises(WindowOutsideRunError, match="1 of 2 windows at delta 13"):
        windows.windows_of(np.array([0, 2]), 13)
    with pytest.raises(WindowOutsideRunError):
        windows.windows_of(np.array([0]), -5)


@pytest.mark.parametrize("in_memory", [True, False])
def test_windows_of_some_voxels_are_columns_of_the_windows_of_all(store, monkeypatch, in_memory):
    trials, columns = np.array([True, True, False, True, True]), np.array([True, False, True, True])
    whole = WindowDataset(store, trials, WINDOW)
    if not in_memory:
        monkeypatch.setattr(window_dataset, "IN_MEMORY_BYTES", 0)
    some = WindowDataset(store, trials, WINDOW, DecoderInputs("bold", columns))
    assert (whole.n_voxels, some.n_voxels) == (4, 3)
    np.testing.assert_array_equal(some.volume(4), whole.volume(4)[:, columns])
    np.testing.assert_array_equal(some.windows(1), whole.windows(1)[..., columns])
    rows = np.array([3, 0, 2])
    np.testing.assert_array_equal(some.windows_of(rows, 2), whole.windows_of(rows, 2)[..., columns])


def test_windows_of_motion_are_slices_of_the_motion_parameters(store):
    motion = np.random.default_rng(1).normal(size=(3, 20, 6)).astype(np.float32)
    store = store.assign(motion=(("run", "volume", "parameter"), motion))
    windows = WindowDataset(store, np.ones(5, dtype=bool), WINDOW, DecoderInputs("motion"))
    assert windows.windows(0).shape == (5, 3, 6)
    np.testing.assert_array_equal(windows.windows(1)[4], motion[2, 8 + 3 : 8 + 6])
