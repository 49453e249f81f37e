"""Rows of the matrix that are predicted apart have the bits of the matrix that is predicted at once."""

import numpy as np
import pytest

from tempgen.decoders.ridge_fit import RidgeFit
from tempgen.decoders.ridge_prediction import predict_ridge_lags


@pytest.mark.parametrize(
    ("n_trials", "n_voxels", "n_targets"), [(94, 150, 1), (94, 150, 8), (7, 1000, 48), (300, 300, 48)]
)
def test_bits_of_a_row_do_not_depend_on_the_rows_beside_it(n_trials, n_voxels, n_targets):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    fits = {
        delta: RidgeFit(
            draw(2, n_voxels, n_targets), draw(n_targets), np.ones(n_targets), np.zeros((1, n_targets)), 1.0
        )
        for delta in range(6)
    }
    volumes = {offset: draw(n_trials, n_voxels) for offset in range(4)}
    options = {"test_deltas": [0, 1, 2], "start_tr": 0}
    at_once = {cell[:2]: cell[2] for cell in predict_ridge_lags(volumes.__getitem__, fits, **options)}
    for delta, fit in fits.items():
        for _, test, predicted in predict_ridge_lags(volumes.__getitem__, {delta: fit}, **options):
            np.testing.assert_array_equal(predicted, at_once[delta, test])
