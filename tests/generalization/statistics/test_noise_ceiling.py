"""The noise ceiling of made-up reconstructions whose ceiling is known."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.generalization.statistics import compare_repeats, noise_ceiling


def _repeated(rng, *, n_images=30, n_times=3, n_features=3000, noise=1.0):
    """Noiseless reconstructions (n_images, n_features) and those of the trials, with the image of each trial."""
    signal = rng.standard_normal((n_images, n_features))
    image = np.tile(np.arange(n_images), n_times)
    return signal, signal[image] + noise * rng.standard_normal((len(image), n_features)), image


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_the_ceiling_is_the_correlation_with_the_noiseless_reconstruction(noise):
    signal, trials, image = _repeated(np.random.default_rng(0), noise=noise)
    reached = np.mean([np.corrcoef(x, signal[i])[0, 1] for x, i in zip(trials, image, strict=True)])
    known = 1 / np.sqrt(1 + noise**2)
    agreement = compare_repeats(trials, image)
    ceiling = np.sqrt(agreement.correlation.mean())
    assert ceiling == pytest.approx(known, abs=0.01)
    assert ceiling == pytest.approx(reached, abs=0.01)
    assert agreement.correlation.mean() < agreement.predicted.mean() < ceiling
    assert agreement.identification.mean() > 0.99
    assert abs(agreement.chance.mean()) < 0.01


def test_agreement_equals_plain_loops_over_trials():
    rng = np.random.default_rng(0)
    image = np.array([4, 9, 4, 1, 9, 1, 1, 4])
    trials = rng.standard_normal((8, 6)) + 0.5 * image[:, np.newaxis] * rng.standard_normal(6)
    agreement = compare_repeats(trials, image)
    r = np.corrcoef(trials)
    z = (trials - trials.mean(1, keepdims=True)) / trials.std(1, keepdims=True)
    for t in range(8):
        own = [k for k in range(8) if image[k] == image[t] and k != t]
        other = [k for k in range(8) if image[k] != image[t]]
        wins = [(r[t, k] > r[t, q]) + 0.5 * (r[t, k] == r[t, q]) for k in own for q in other]
        expected = [
            np.mean([r[t, k] for k in own]),
            np.corrcoef(z[t], z[own].mean(axis=0))[0, 1],
            np.mean(wins),
            np.mean([r[t, q] for q in other]),
        ]
        found = [agreement.correlation, agreement.predicted, agreement.identification, agreement.chance]
        np.testing.assert_allclose([values[t] for values in found], expected, atol=1e-5)


def _reconstructions(rng):
    """A store whose lag 0 holds nothing of the image, lag 1 some, lag 2 was not computed."""
    image = np.tile(np.arange(20), 3)
    common = rng.uniform(60, 180, (8, 8, 3))
    signal = rng.normal(0, 20, (20, 8, 8, 3))
    pictures = np.zeros((1, 3, 61, 8, 8, 3))
    for lag, share in enumerate([0, 1]):
        pictures[0, lag, :60] = common + share * signal[image] + rng.normal(0, 10, (60, 8, 8, 3))
    return xr.Dataset(
        {
            "reconstruction": (
                ("train_delta", "test_delta", "trial", "row", "column", "rgb"),
                pictures.clip(0, 255).astype(np.uint8),
            ),
            "computed": (("train_delta", "test_delta"), np.array([[True, True, False]])),
        },
        coords={
            "train_delta": [0],
            "test_delta": [0, 1, 2],
            "lag_s": ("test_delta", [10.0, 11.0, 12.0]),
            "image_id": ("trial", np.append(image, 99)),  # the last was presented once
        },
        attrs={"subject": "subj01"},
    )


def test_by_lag_it_tells_agreement_on_the_image_from_agreement_on_the_mean(tmp_path):
    ceiling = noise_ceiling(_reconstructions(np.random.default_rng(0)), decoder="general", n_draws=200)
    assert ceiling.ceiling[0] > 0.8  # the mean image is the same in every trial
    assert ceiling.reliability[0] == pytest.approx(0, abs=0.05)
    assert ceiling.identification[0] == pytest.approx(0.5, abs=0.1)
    assert ceiling.reliability[1] > 0.5
    assert ceiling.identification[1] > 0.95
    assert np.isnan(ceiling.ceiling[2])
    for name in ("correlation", "ceiling", "predicted", "identification"):
        assert (ceiling[f"{name}_low"][:2] <= ceiling[name][:2]).all()
        assert (ceiling[f"{name}_high"][:2] >= ceiling[name][:2]).all()
    wanted = {
        "n_units": 20,
        "n_trials": 60,
        "n_draws": 200,
        "seed": 0,
        "unit": "image_id",
        "subject": "subj01",
    }
    assert wanted.items() <= ceiling.attrs.items()
    ceiling.to_netcdf(tmp_path / "ceiling.nc", engine="h5netcdf")


def test_the_specialized_decoders_and_the_matrix_read_their_own_cells():
    store = _reconstructions(np.random.default_rng(0))
    matrix = noise_ceiling(store, decoder="matrix", n_draws=20)
    assert matrix.ceiling.dims == ("train_delta", "test_delta")
    general = noise_ceiling(store, decoder="general", n_draws=20)
    np.testing.assert_array_equal(matrix.ceiling[0], general.ceiling)
    specialized = noise_ceiling(store, n_draws=20)
    np.testing.assert_array_equal(specialized.test_delta, [0])
    assert specialized.ceiling[0] == general.ceiling[0]


def test_without_repeated_images_it_says_how_many_there_are():
    store = _reconstructions(np.random.default_rng(0))
    with pytest.raises(ResultsError, match="at least 2 images .*; 0 of the 20"):
        noise_ceiling(store.isel(trial=slice(20)))
    with pytest.raises(ResultsError, match="1 of 2"):
        compare_repeats(np.ones((3, 4)), np.array([0, 0, 1]))
    store["computed"][:] = False
    with pytest.raises(ResultsError, match="no reconstructions of the general decoder"):
        noise_ceiling(store, decoder="general")
