"""What is regressed on a store's BOLD loses the drift that the BOLD lost, and no other."""

import json

import numpy as np
import pytest
import xarray as xr

from tempgen.data.deconvolution import HrfLibrary, wiener_filter
from tempgen.data.preprocess import clean_run
from tempgen.data.store_drift import StoreDrift


def store_of(**preprocess):
    return xr.Dataset(attrs={"recipe": json.dumps({"preprocess": preprocess})})


@pytest.mark.parametrize(
    "how", [{}, {"drift": "cosine", "drift_cutoff_s": 60.0}, {"drift": "linear"}, {"drift": "none"}]
)
def test_the_basis_is_what_preparation_took_out(how):
    series = np.random.default_rng(0).standard_normal((225, 3)).astype(np.float32).cumsum(axis=0)
    basis = StoreDrift.of(store_of(**how)).basis(225, tr_s=4 / 3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    left = series - basis @ (basis.T @ series)
    np.testing.assert_allclose(
        clean_run(series, tr_s=4 / 3, **how).zscored, left / left.std(axis=0, ddof=1), atol=1e-4
    )


def test_activity_keeps_what_the_bold_kept():
    slow = np.cos(np.pi / 225 * (np.arange(225) + 0.5) * 3)[:, None]
    kernel = HrfLibrary.canonical().kernel(4 / 3)[0]
    power = {
        kind: np.square(
            wiener_filter(kernel, noise_ratio=1.0, n_volumes=225, tr_s=4 / 3, drift=StoreDrift(kind)) @ slow
        ).sum()
        for kind in ("cosine", "none")
    }
    assert power["cosine"] < 1e-6 < 1 < power["none"]
