"""Noise ceiling from repeated presentations: how well a trial's reconstruction follows from those of its repetitions.

For a lag and a decoder, let the reconstruction of trial t, a vector of pixels, be the same image for every presentation of
the seen image i plus noise of the trial: x_t = s_i + e_t, with noises independent and of equal size. Two presentations
then correlate at rho = var(s) / (var(s) + var(e)), and a trial with its own noiseless image s_i at sqrt(rho): no decoder
with this noise can reach a higher PixCorr, even if s_i were the seen image itself. That is the ceiling. It says nothing
of how like the seen image s_i is, so a decoder that always draws the mean image has ceiling 1; therefore the agreement of
presentations of *different* images stands beside it, and the reliability (rho - that) / (1 - that).

Sources: Spearman 1904, doi:10.2307/1412159 (correction for attenuation); Lage-Castellanos et al. 2019,
doi:10.1371/journal.pcbi.1006397 (noise ceilings of models of fMRI); Nili et al. 2014, doi:10.1371/journal.pcbi.1003553
(leave-one-out prediction as a lower bound).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.generalization.statistics.bootstrap import IntervalMethod, cluster_bootstrap
from tempgen.generalization.statistics.tested import TestedDecoder, decoder_cells
from tempgen.metrics.correlation import standardize_rows

__all__ = ["RepeatAgreement", "compare_repeats", "noise_ceiling"]

_BLOCK_TRIALS = 256  # rows of correlations ranked at once


@dataclass(frozen=True)
class RepeatAgreement:
    """How the reconstructions of repeated presentations agree in one cell; arrays of shape (n_trials,).

    Attributes
    ----------
    correlation : array of float64
        Mean correlation of the trial with each other presentation of its image: rho.
    predicted : array of float64
        Correlation with the mean of the other presentations' standardized reconstructions: a lower bound of the ceiling.
    identification : array of float64
        Share of pairs of another presentation of the image and a presentation of another image in which the former
        correlates more with the trial; a tie counts one half. Chance is 0.5.
    chance : array of float64
        Mean correlation with the presentations of other images.
    """

    correlation: NDArray[np.float64]
    predicted: NDArray[np.float64]
    identification: NDArray[np.float64]
    chance: NDArray[np.float64]


def compare_repeats(features: NDArray[Any], images: NDArray[Any]) -> RepeatAgreement:
    """Agreement of trials with repetitions of their image; works for pixels as for any predicted features.

    Parameters
    ----------
    features : array of float, shape (n_trials, n_features)
        What was reconstructed or predicted. A constant row correlates 0 with everything.
    images : array, shape (n_trials,)
        What was seen; each value at least twice.

    Returns
    -------
    RepeatAgreement

    Raises
    ------
    ResultsError
        If fewer than two images were seen, or one was seen only once.
    """
    distinct, image, n_presented = np.unique(images, return_inverse=True, return_counts=True)
    if len(distinct) < 2 or n_presented.min() < 2:
        raise ResultsError(
            f"A noise ceiling needs at least 2 images that were presented twice or more; {np.count_nonzero(n_presented > 1)} of "
            f"{len(distinct)} were. Keep more trials, or leave out the images that were not repeated."
        )
    standard = standardize_rows(features)
    correlation = (standard @ standard.T).astype(np.float64)
    itself = correlation.diagonal().copy()
    same = image[:, np.newaxis] == image
    with_own = np.where(same, correlation, 0).sum(axis=1)  # z_t . S with S the sum over its image, t included
    n_others = n_presented[image] - 1
    length = np.array([correlation[np.ix_(image == k, image == k)].sum() for k in range(len(distinct))])[
        image
    ]
    rest = np.sqrt(np.maximum(length - 2 * with_own + itself, 0))  # of S - z_t
    agreement = with_own - itself
    n_different = len(image) - n_others - 1
    return RepeatAgreement(
        correlation=agreement / n_others,
        predicted=np.divide(agreement, rest, out=np.zeros_like(rest), where=rest > 1e-6),
        identification=_identification(correlation, same),
        chance=(correlation.sum(axis=1) - with_own) / n_different,
    )


def _identification(correlation: NDArray[np.float64], same: NDArray[np.bool_]) -> NDArray[np.float64]:
    share = np.empty(len(correlation))
    for first in range(0, len(correlation), _BLOCK_TRIALS):
        for trial in range(first, min(first + _BLOCK_TRIALS, len(correlation))):
            others = np.sort(correlation[trial, ~same[trial]])
            partners = same[trial].copy()
            partners[trial] = False
            right = correlation[trial, partners]
            n_lower = np.searchsorted(others, right, side="left")
            n_not_higher = np.searchsorted(others, right, side="right")
            share[trial] = ((n_lower + n_not_higher) / 2).mean() / len(others)
    return share


def noise_ceiling(
    reconstructions: xr.Dataset,
    *,
    decoder: TestedDecoder = "specialized",
    method: IntervalMethod = "percentile",
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """Noise ceiling of PixCorr by lag, from the kept reconstructions of images that were presented repeatedly.

    Needs reconstructions, not only scores: scores say how like the seen image each reconstruction is, not how like they
    are to one another. Formula and sources stand at the top of this module.

    Parameters
    ----------
    reconstructions : Dataset
        From `tempgen.reconstructions.open_reconstructions`. Trials whose image was presented once among those that were
        kept do not count. One cell at a time is held in memory, as float32.
    decoder : {"general", "specialized", "matrix"}
        Row of the decoder trained at ``general_delta``, diagonal, or all cells.
    method, n_draws, level, seed
        Bootstrap interval over images, see `cluster_bootstrap`.

    Returns
    -------
    Dataset
        Along the cells, means over trials: ``correlation`` between two presentations (rho), ``ceiling`` = sqrt(rho) (0 where
        rho is negative), ``predicted`` (correlation with the mean of the other presentations), ``identification`` (of a
        presentation by another one, chance 0.5), each with ``_low`` and ``_high``; ``chance`` (rho of different images) and
        ``reliability`` = (rho - chance) / (1 - chance). NaN where nothing was reconstructed.

    Raises
    ------
    ResultsError
        If the decoder was not reconstructed, fewer than two images were repeated, or an argument is out of range.
    """
    computed = decoder_cells(reconstructions["computed"], reconstructions, decoder)
    if not bool(computed.any()):
        raise ResultsError(
            f"There are no reconstructions of the {decoder} decoder. Make them with 'tempgen reconstruct'."
        )
    images = reconstructions["image_id"].to_numpy()
    distinct, image, n_presented = np.unique(images, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(n_presented[image] > 1)
    n_repeated = int((n_presented > 1).sum())
    if n_repeated < 2:
        raise ResultsError(
            f"A noise ceiling needs at least 2 images that were presented twice or more; {n_repeated} of the {len(distinct)} "
            "images of the kept trials were. Keep more trials."
        )
    names = ("correlation", "predicted", "identification", "chance")
    shape = computed.shape
    by_trial = np.full((len(names), *shape, len(repeated)), np.nan)
    general_delta = int(reconstructions.attrs.get("general_delta", 0))
    for position in np.argwhere(computed.to_numpy()):
        cell = computed.isel(dict(zip(computed.dims, position.tolist(), strict=True)))
        test = int(cell["test_delta"])
        train = {"general": general_delta, "specialized": test}.get(decoder)
        train = int(cell["train_delta"]) if train is None else train
        pixels = (
            reconstructions["reconstruction"].sel(train_delta=train, test_delta=test).isel(trial=repeated)
        )
        features = pixels.to_numpy().reshape(len(repeated), -1).astype(np.float32)
        agreement = compare_repeats(features, images[repeated])
        by_trial[:, *position] = [getattr(agreement, name) for name in names]
    mean = dict(zip(names, by_trial.mean(axis=-1), strict=True))
    low, high = (
        dict(zip(names, bound.reshape(len(names), *shape), strict=True))
        for bound in cluster_bootstrap(
            by_trial.reshape(-1, len(repeated)),
            images[repeated],
            n_draws=n_draws,
            level=level,
            seed=seed,
            method=method,
        )
    )
    columns = {"chance": mean["chance"]}
    for name in names[:3]:
        columns |= {name: mean[name], f"{name}_low": low[name], f"{name}_high": high[name]}
    for name in ("", "_low", "_high"):
        columns[f"ceiling{name}"] = np.sqrt(np.maximum(columns[f"correlation{name}"], 0))
    columns["reliability"] = (mean["correlation"] - mean["chance"]) / (1 - mean["chance"])
    kept = ("subject", "data_kind", "tr_s", "start_tr", "n_tr", "soa_s", "general_delta")
    return xr.Dataset(
        {name: (computed.dims, values) for name, values in columns.items()},
        coords=dict(computed.coords),
        attrs={name: reconstructions.attrs[name] for name in kept if name in reconstructions.attrs}
        | {
            "decoder": decoder,
            "metric": "pixcorr",
            "test": "noise ceiling sqrt(rho), rho the mean correlation of two presentations of an image",
            "interval": f"{100 * level:g} % bootstrap interval over images, {method}",
            "interval_level": level,
            "alpha": 1 - level,
            "tail": "two-sided",
            "unit": "image_id",
            "n_units": n_repeated,
            "n_trials": len(repeated),
            "n_draws": n_draws,
            "seed": seed,
        },
    )
