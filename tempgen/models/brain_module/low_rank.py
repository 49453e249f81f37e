"""The best low-rank approximation of a linear decoder's coefficients, for a warm start.

Both forms work from Gram matrices of the smaller side, in float64, and end with a projection onto orthonormal
directions. So the result is exact to rounding wherever the rank suffices, whatever the condition of the coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tempgen.errors import DecoderError

MAX_DENSE_ENTRIES = 2**30
"""Largest dense matrix that is factored: 4 GiB in float32. Source: an ordinary machine's memory."""
BLOCK_ENTRIES = 2**24
"""Entries that are converted to float64 at once: 128 MiB. Source: small beside the matrix."""


class LowRankCoefficients(NamedTuple):
    """Coefficients as a product, for sizes at which the dense matrix does not fit.

    Ridge has this form by nature: ``left`` are the training windows as columns, ``right`` the dual coefficients.

    Parameters
    ----------
    left : array, shape (n_tr, n_voxels, m)
    right : array, shape (m, n_targets)
    """

    left: Tensor | ArrayLike
    right: Tensor | ArrayLike


class Factors(NamedTuple):
    """``down @ up`` approximates the coefficients; ``kept`` is the share of their squared norm in it."""

    down: Tensor  # (n_inputs, rank)
    up: Tensor  # (rank, n_targets)
    kept: float


def low_rank_factors(matrix: Tensor, rank: int) -> Factors:
    """Truncated singular value decomposition of a dense matrix.

    Parameters
    ----------
    matrix : Tensor, shape (n_inputs, n_targets)
    rank : int
        Number of directions kept, at most.

    Raises
    ------
    DecoderError
        If the matrix is too large to be factored, or not finite.
    """
    n_inputs, n_targets = matrix.shape
    if n_inputs * n_targets > MAX_DENSE_ENTRIES:
        raise DecoderError(
            f"coefficients of {n_inputs:,} x {n_targets:,} take {n_inputs * n_targets * 4 / 2**30:.1f} GiB in float32; "
            f"at most {MAX_DENSE_ENTRIES * 4 / 2**30:.0f} GiB are factored. "
            "Give them as LowRankCoefficients(left, right): of ridge, the training windows and the dual coefficients"
        )
    if n_inputs < n_targets:
        turned = low_rank_factors(matrix.T, rank)
        return Factors(turned.up.T, turned.down.T, turned.kept)
    gram = _gram(matrix)
    directions = _leading(gram, rank)  # (n_targets, rank)
    down = torch.cat([block @ directions for block in _blocks(matrix)])
    return _balanced(down, directions.T, kept=_share(down.square().sum(), gram.trace()))


def low_rank_product_factors(left: Tensor, right: Tensor, rank: int) -> Factors:
    """Truncated singular value decomposition of ``left @ right`` without forming it.

    Parameters
    ----------
    left : Tensor, shape (n_inputs, m)
    right : Tensor, shape (m, n_targets)
    rank : int
        Number of directions kept, at most.

    Raises
    ------
    DecoderError
        If a factor is not finite.
    """
    left_gram, right_gram = _gram(left), _gram(right.T)
    if left.shape[1] <= rank:
        return _balanced(left.double(), right.double(), kept=1.0)
    values, vectors = torch.linalg.eigh(left_gram)
    half = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    onto = half @ _leading(half @ right_gram @ half, rank)  # (m, rank)
    directions = torch.linalg.qr(torch.cat([block @ onto for block in _blocks(right.T)])).Q
    inner = torch.zeros(right.shape[0], directions.shape[1], dtype=torch.float64, device=right.device)
    start = 0
    for block in _blocks(right.T):
        inner += block.T @ directions[start : start + len(block)]
        start += len(block)
    down = torch.cat([block @ inner for block in _blocks(left)])
    return _balanced(down, directions.T, kept=_share(down.square().sum(), (left_gram * right_gram).sum()))


def _blocks(matrix: Tensor) -> Iterator[Tensor]:
    """Rows in float64, as many at once as ``BLOCK_ENTRIES`` allows."""
    for block in matrix.split(max(1, BLOCK_ENTRIES // max(1, matrix.shape[1]))):
        yield block.double()


def _gram(matrix: Tensor) -> Tensor:
    """``matrix.T @ matrix`` in float64."""
    gram = torch.zeros(matrix.shape[1], matrix.shape[1], dtype=torch.float64, device=matrix.device)
    for block in _blocks(matrix):
        gram += block.T @ block
    if not gram.isfinite().all():
        raise DecoderError(
            "the coefficients for the warm start hold NaN or infinity: fit the ridge decoder again"
        )
    return gram


def _leading(gram: Tensor, rank: int) -> Tensor:
    """Eigenvectors of the largest eigenvalues, largest first, as columns."""
    return torch.linalg.eigh(gram).eigenvectors[:, -rank:].flip(1)


def _share(kept: Tensor, total: Tensor) -> float:
    """Share of the squared norm; nothing is lost of zero coefficients."""
    return min(1.0, float(kept / total)) if total > 0 else 1.0


def _balanced(down: Tensor, up: Tensor, *, kept: float) -> Factors:
    """Rescale so that each direction is as large in both factors, for an optimizer that treats both alike.

    Directions below float32's rounding of the largest are left out: they would only block weights that can learn.
    """
    sizes, other_sizes = down.norm(dim=0), up.norm(dim=1)
    strengths = sizes * other_sizes
    used = strengths > torch.finfo(torch.float32).eps * strengths.max()
    scale = (other_sizes[used] / sizes[used]).sqrt()
    return Factors(down[:, used] * scale, up[used] / scale[:, None], kept)
