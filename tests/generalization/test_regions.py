"""Regions by lag: what was planted in one is found there, then, and on its voxels."""

import json

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ConfigError, ResultsError
from tempgen.generalization.regions import on_voxels, region_curves
from tests.plots.conftest import planted_results


def of_region(condition, *, strength=1.0, seed=0, **changes):
    """A result of decoders that saw some voxels, its effect scaled."""
    results = planted_results(range(-2, 8), matrix=False, seed=seed)
    scores = results["identification"]
    results["identification"] = (0.5 + strength * (scores - 0.5)).assign_attrs(scores.attrs)
    inputs = {"kind": "bold", "voxels_where": condition}
    onsets = np.arange(results.sizes["trial"]) % 60
    return results.assign_coords(onset_tr=("trial", onsets)).assign_attrs(
        analysis=json.dumps({"inputs": inputs}), **changes
    )


STORE = xr.Dataset(
    coords={
        "streams": ("voxel", np.array([1, 1, 2, 0])),
        **{axis: ("voxel", np.arange(4)) for axis in ("i", "j", "k")},
        **{axis: ("voxel", 2.0 * np.arange(4)) for axis in ("x_mm", "y_mm", "z_mm")},
    },
    attrs={"affine": np.eye(4).ravel().tolist(), "volume_shape": [4, 4, 4]},
)
QUICK = {"n_draws": 50}


def test_each_region_keeps_its_strength_and_all_peak_together():
    curves = region_curves(
        {"one": of_region("streams == 1"), "two": of_region("streams == 2", strength=0.4)},
        "identification",
        **QUICK,
    )
    peaks = curves["peak_score"].values
    assert peaks[1] / peaks[0] == pytest.approx(0.4, abs=0.03)
    assert curves["peak_s"].values[0] == curves["peak_s"].values[1]
    assert curves["condition"].values.tolist() == ["streams == 1", "streams == 2"]


def test_scores_lie_on_the_voxels_of_their_region():
    curves = region_curves(
        {"one": of_region("streams == 1"), "two": of_region("streams == 2", strength=0.4)},
        "identification",
        **QUICK,
    )
    maps = on_voxels(curves, STORE)
    assert maps.dims == ("test_delta", "voxel")
    np.testing.assert_allclose(maps[:, 0], curves["mean"].sel(region="one"))
    np.testing.assert_allclose(maps[:, 1], curves["mean"].sel(region="one"))
    np.testing.assert_allclose(maps[:, 2], curves["mean"].sel(region="two"))
    assert np.isnan(maps[:, 3]).all()


def test_all_voxels_are_no_region_beside_others():
    every, one = of_region(None), of_region("streams == 1", strength=0.4)
    maps = on_voxels(region_curves({"all": every, "one": one}, "identification", **QUICK), STORE)
    assert np.isfinite(maps[0]).values.tolist() == [True, True, False, False]
    alone = on_voxels(region_curves({"all": every}, "identification", **QUICK), STORE)
    assert np.isfinite(alone[0]).all()


def test_voxels_of_two_regions_get_the_mean():
    regions = {
        "one": of_region("streams == 1"),
        "low": of_region("i < 2", strength=0.4),
        "two": of_region("streams == 2"),
    }
    curves = region_curves(regions, "identification", **QUICK)
    maps = on_voxels(curves, STORE, variable="peak_score")
    assert float(maps[0]) == pytest.approx(float(curves["peak_score"][:2].mean()))


def test_regions_of_other_trials_are_refused():
    other = of_region("streams == 2")
    with pytest.raises(ResultsError, match="not tested on the same lags and trials.*run them as variants"):
        region_curves(
            {"one": of_region("streams == 1"), "two": other.isel(trial=slice(1, None))},
            "identification",
            **QUICK,
        )
    with pytest.raises(ResultsError, match="No region came"):
        region_curves({}, "identification")


def test_a_condition_that_the_store_cannot_tell_is_refused():
    curves = region_curves({"one": of_region("glasser == 1")}, "identification", **QUICK)
    with pytest.raises(ConfigError, match="glasser"):
        on_voxels(curves, STORE)
