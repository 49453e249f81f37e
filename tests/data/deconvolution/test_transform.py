"""Store in, store out: what stays, what changes, and that training and test stay apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from tempgen.data.deconvolution import (
    Deconvolution,
    HrfLibrary,
    choose_hrf,
    deconvolve_in_memory,
    deconvolve_store,
    fit_deconvolution,
    transform_store,
)
from tempgen.data.store import open_store, trials_of
from tempgen.errors import StoreError
from tempgen.files import write_zarr

LIBRARY = HrfLibrary.default()
TRAINING = range(8)


def fitted(store: xr.Dataset) -> Deconvolution:
    return fit_deconvolution(store, TRAINING, choose_hrf(store, TRAINING, LIBRARY))


@pytest.fixture(scope="module")
def deconvolved(static) -> xr.Dataset:
    return deconvolve_in_memory(static.store, fitted(static.store))


@pytest.fixture(scope="module")
def on_disk(static, tmp_path_factory) -> xr.Dataset:
    path = tmp_path_factory.mktemp("stores") / "store.zarr"
    write_zarr(static.store, path)
    return open_store(path)


def test_a_store_on_disk_becomes_what_it_becomes_in_memory(on_disk, deconvolved, tmp_path):
    made = deconvolve_store(on_disk, tmp_path / "out.zarr", fitted(on_disk), recipe={"any": 1})

    np.testing.assert_allclose(made["bold"].values, deconvolved["bold"].values, atol=1e-5)
    np.testing.assert_array_equal(made["image"].values, on_disk["image"].values)
    xr.testing.assert_equal(made["hrf_time_to_peak_s"], deconvolved["hrf_time_to_peak_s"])
    assert trials_of(made).equals(trials_of(on_disk))
    assert made["bold"].dtype == np.float32
    assert made.attrs["signal"] == "deconvolved"
    assert made.attrs["fingerprint"] != on_disk.attrs["fingerprint"]
    assert json.loads(made.attrs["signal_recipe"]) == {"any": 1}
    assert "standard error" in made.attrs["note_hrf"]


def test_every_run_and_voxel_is_z_scored(deconvolved):
    bold = deconvolved["bold"].values
    np.testing.assert_allclose(bold.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(bold.std(axis=1, ddof=1), 1, atol=1e-4)


def test_volumes_beyond_a_shorter_run_stay_nan(static):
    store = static.store.copy(deep=True)
    store["run_length"].values[2] = 200
    store["bold"].values[2, 200:] = np.nan
    made = deconvolve_in_memory(store, fitted(store))["bold"].values

    assert np.isnan(made[2, 200:]).all()
    assert np.isfinite(np.delete(made, 2, axis=0)).all()
    assert np.isfinite(made[2, :200]).all()


def test_test_runs_change_no_training_volume_and_no_hrf(static, deconvolved):
    other = static.store.copy(deep=True)
    rng = np.random.default_rng(0)
    other["bold"].values[8:] = rng.standard_normal(other["bold"].values[8:].shape)
    in_test = other["trial_run"].values >= 8
    other["trial_image_id"].values[in_test] = rng.permutation(other["trial_image_id"].values[in_test])
    made = deconvolve_in_memory(other, fitted(other))

    np.testing.assert_array_equal(made["bold"].values[:8], deconvolved["bold"].values[:8])
    np.testing.assert_array_equal(made["hrf_index"].values, deconvolved["hrf_index"].values)
    assert not np.array_equal(made["bold"].values[8:], deconvolved["bold"].values[8:])


def test_training_runs_change_test_volumes_through_hrfs_and_noise_alone(static, deconvolved):
    deconvolution = fitted(static.store)
    other = static.store.copy(deep=True)
    other["bold"].values[:8] = np.random.default_rng(0).standard_normal(other["bold"].values[:8].shape)
    other["trial_image_id"].values[:] = np.random.default_rng(0).permutation(other["trial_image_id"].values)
    made = deconvolve_in_memory(other, deconvolution)  # with the HRFs of the first

    np.testing.assert_array_equal(made["bold"].values[8:], deconvolved["bold"].values[8:])


def test_an_error_on_the_way_leaves_nothing_behind(on_disk, tmp_path):
    def fails_late(run, bold):
        if run == 5:
            raise RuntimeError("disk full")
        return bold

    attrs = {"signal": "deconvolved", "recipe": "{}", "fingerprint": "x"}
    with pytest.raises(RuntimeError, match="disk full"):
        transform_store(on_disk, tmp_path / "out.zarr", fails_late, attrs=attrs, voxel_variables={})
    assert list(tmp_path.iterdir()) == []


def test_a_deconvolved_store_is_not_deconvolved_again(deconvolved, tmp_path):
    with pytest.raises(StoreError, match="holds deconvolved"):
        deconvolve_store(deconvolved, tmp_path / "again.zarr", fitted(deconvolved), recipe={})
