"""Results with a known mean in each cell."""

import numpy as np
import xarray as xr

from tempgen.metrics import IMAGE_METRICS
from tempgen.results import SCORE_DIMS

TR_S = 4 / 3
N_TR = 6
START_TR = 2
DELTAS = np.arange(-2, 14)


def planted(above, *, chance=0.2, noise=0.02, n_images=40, n_repetitions=2, deltas=DELTAS, seed=0, **attrs):
    """A result whose mean score above chance is ``above`` (train, test), exactly; NaN cells were not computed.

    Noise belongs to images and repetitions, sums to 0 over the trials of each cell and is correlated over test lags.
    """
    above = np.asarray(above, dtype=float)
    rng = np.random.default_rng(seed)
    per_image = np.repeat(rng.normal(0, noise, (*above.shape, n_images)), n_repetitions, axis=2)
    own = rng.normal(0, noise / 2, per_image.shape)
    noises = per_image + own
    noises -= noises.mean(axis=2, keepdims=True)
    scores = (chance + above[:, :, None] + noises)[:, :, None]
    train, test = deltas[: len(above)], deltas[: above.shape[1]]
    return xr.Dataset(
        {
            "pixcorr": (SCORE_DIMS, scores, IMAGE_METRICS["pixcorr"].attrs()),
            "pixcorr_chance": (SCORE_DIMS[:2], np.full(above.shape, chance)),
        },
        coords={
            "train_delta": train,
            "test_delta": test,
            "lag_s": ("test_delta", (test + START_TR + N_TR) * TR_S),
            "target": ["current"],
            "image_id": ("trial", np.repeat(np.arange(n_images), n_repetitions)),
        },
        attrs={"tr_s": TR_S, "n_tr": N_TR, "start_tr": START_TR, "general_delta": 0} | attrs,
    )


def lag_of(delta):
    """Seconds from image onset to the window's end."""
    return (np.asarray(delta) + START_TR + N_TR) * TR_S


def bump(centre, sigma, *, height=0.3, deltas=DELTAS):
    """A Gaussian over lags, in TRs."""
    return height * np.exp(-((deltas - centre) ** 2) / (2 * sigma**2))


def with_general(curve, **options):
    """A result in which the General decoder alone was scored, with this mean above chance."""
    above = np.full((len(curve), len(curve)), np.nan)
    above[np.flatnonzero(DELTAS[: len(curve)] == 0)[0]] = curve
    return planted(above, **options)
