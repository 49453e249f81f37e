"""Ridge with one penalty for each principal component of the targets instead of each target.

What a brain tells of an image is unevenly spread: a few components of its tokens can be decoded well, most not at all. Every
single token value mixes both kinds, so that a penalty for each of them lets noise through; one for each component
silences what cannot be decoded. With one penalty for all the rotation would change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.decoders.ridge_fit import RidgeFit, VolumeReader
from tempgen.decoders.ridge_solver import fit_ridge_lags

WIDE = 4096
"""Targets whose axes are all computed, however few trials there are. Source: their square takes 128 MiB; that of the 256 x 768
token values of Versatile Diffusion would take 288 GiB."""


def fit_component_lags(
    volume: VolumeReader, targets: ArrayLike, *, blocks: Sequence[slice], **options: Any
) -> Iterator[tuple[int, RidgeFit]]:
    """Fit one ridge per lag, penalties chosen for each principal component of the targets.

    Parameters
    ----------
    volume : VolumeReader
    targets : (n_trials, n_targets)
    blocks : sequence of slice
        Targets whose components are taken together; see `token_blocks`. Those in no block stay as they are.
    options
        The other parameters of :func:`~tempgen.decoders.ridge_solver.fit_ridge_lags`, but ``alpha_per_target``.

    Yields
    ------
    delta, RidgeFit
        ``coef`` and ``intercept`` give the targets; ``alpha`` and ``cv_error`` are those of the components, by descending
        variance within each block.

    Raises
    ------
    DecoderError
        As `fit_ridge_lags`.
    """
    values = np.asarray(targets, dtype=np.float32)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        yield from fit_ridge_lags(
            volume, values, alpha_per_target=True, **options
        )  # which says what is wrong
        return
    axes = [(block, principal_axes(values[:, block])) for block in blocks]
    rotated = values.copy()
    for block, turn in axes:
        rotated[:, block] = 0  # where there are fewer components than targets
        rotated[:, block][:, : turn.shape[1]] = values[:, block] @ turn
    for delta, fit in fit_ridge_lags(volume, rotated, alpha_per_target=True, **options):
        coef, intercept = fit.coef.copy(), fit.intercept.copy()
        for block, turn in axes:
            coef[..., block] = fit.coef[..., block][..., : turn.shape[1]] @ turn.T
            intercept[block] = fit.intercept[block][: turn.shape[1]] @ turn.T
            if turn.shape[1] < len(turn):  # of the targets' mean, what the components do not hold
                mean = values[:, block].mean(axis=0)
                intercept[block] += mean - (mean @ turn) @ turn.T
        yield delta, replace(fit, coef=coef, intercept=intercept)


def token_blocks(token_dim: int) -> tuple[slice, slice]:
    """Blocks of flattened tokens: the first, which is of the whole image, and all others, which are of its places."""
    return slice(0, token_dim), slice(token_dim, None)


def principal_axes(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Orthonormal principal axes of rows as columns, by descending variance: (n, n_values) -> (n_values, n_values).

    Of more than `WIDE` values and fewer rows, the axes in which the rows vary: (n_values, n).
    """
    centred = values - values.mean(axis=0, dtype=np.float64).astype(np.float32)
    if len(values) < values.shape[1] > WIDE:
        _, weights = np.linalg.eigh((centred @ centred.T).astype(np.float64))
        return np.linalg.qr(centred.T @ weights[:, ::-1].astype(np.float32)).Q
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1], dtype=np.float32)
