"""Results made of random numbers: no decoder, no BOLD, so that hundreds of them take seconds."""

import numpy as np
import xarray as xr

SCORE_DIMS = ("train_delta", "test_delta", "target", "trial")


def correlated_noise(rng, shape, *, rho=0.7, axis=0):
    """Standard normal numbers, correlated along an axis at rho ** distance, as the scores of overlapping windows are."""
    noise = np.moveaxis(rng.standard_normal(shape), axis, 0)
    for k in range(1, len(noise)):
        noise[k] = rho * noise[k - 1] + np.sqrt(1 - rho**2) * noise[k]
    return np.moveaxis(noise, 0, axis)


def result_of(scores, *, image_id=None, run=None, baseline=None, chance=None, null=None, **attrs):
    """A result with the metric ``m`` for the current image from scores (n_train, n_test, n_trials)."""
    n_train, n_test, n_trials = scores.shape
    cells = ("train_delta", "test_delta")
    variables = {
        "m": (SCORE_DIMS, scores[:, :, np.newaxis], {"long_name": "M", "direction": "higher is better"})
    }
    if baseline is not None:
        variables["m_baseline"] = ((*cells, "trial"), np.broadcast_to(baseline, scores.shape))
    if chance is not None:
        variables["m_chance"] = (cells, np.broadcast_to(chance, scores.shape[:2]))
    if null is not None:
        variables["m_null"] = (("permutation", *cells), null)
    return xr.Dataset(
        variables,
        coords={
            "train_delta": np.arange(n_train),
            "test_delta": np.arange(n_test),
            "lag_s": ("test_delta", (np.arange(n_test) + 8) * 4 / 3),
            "target": np.array(["current"], dtype=object),
            "image_id": ("trial", np.arange(n_trials) if image_id is None else image_id),
            "run": ("trial", np.arange(n_trials) // 12 if run is None else run),
        },
        attrs={"subject": "subj01", "data_kind": "simulated", "tr_s": 4 / 3} | attrs,
    )


def one_row(scores, **kwargs):
    """The General row alone, from scores (n_test, n_trials), with a baseline of 0 unless another is given."""
    return result_of(scores[np.newaxis], **{"baseline": 0.0} | kwargs)


def binomial_interval(n_rejected, n_sets):
    """Exact 95 % interval of a rate (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    interval = binomtest(n_rejected, n_sets).proportion_ci(0.95, method="exact")
    return interval.low, interval.high
