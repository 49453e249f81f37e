"""Random numbers that depend on a seed and a key alone: not on the batch, the process or what was drawn before.

A key is a tuple of integers, such as (stream, step, trial) or (image, repetition). Two draws with one key are the same
numbers, so a key's first entry should name what is drawn (noise, offset, timestep).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_NORMAL, _UNIFORM = b"normal", b"uniform"


def keyed_seed(seed: int, *key: int, kind: bytes = b"") -> int:
    """A number of 63 bits that any change of ``seed``, ``key`` or ``kind`` changes altogether.

    Source of the mixing: BLAKE2b, so that neighbouring keys share nothing. (torch's CPU generator takes the lowest 32 bits.)

    Examples
    --------
    >>> keyed_seed(0, 1, 2) == keyed_seed(0, 1, 2), keyed_seed(0, 1, 2) == keyed_seed(0, 2, 1)
    (True, False)
    """
    packed = struct.pack(f"<{len(key) + 1}q", seed, *key)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8, person=kind).digest(), "little") >> 1


def keyed_normal(shape: Sequence[int], *, seed: int, keys: Sequence[tuple[int, ...]]) -> Tensor:
    """Standard normal numbers, one row for each key.

    Parameters
    ----------
    shape : sequence of int
        Shape of one row.
    seed : int
    keys : sequence of tuple of int
        Row ``k`` depends on ``(seed, keys[k])`` and ``shape`` alone.

    Returns
    -------
    Tensor of float32, shape (len(keys), *shape), on the CPU
    """
    return _rows(shape, seed, keys, kind=_NORMAL, fill=Tensor.normal_)


def keyed_uniform(shape: Sequence[int], *, seed: int, keys: Sequence[tuple[int, ...]]) -> Tensor:
    """Numbers from the uniform distribution on [0, 1), one row for each key: as :func:`keyed_normal`.

    Returns
    -------
    Tensor of float32, shape (len(keys), *shape), on the CPU
    """
    return _rows(shape, seed, keys, kind=_UNIFORM, fill=Tensor.uniform_)


def _rows(
    shape: Sequence[int],
    seed: int,
    keys: Sequence[tuple[int, ...]],
    *,
    kind: bytes,
    fill: Callable[..., Tensor],
) -> Tensor:
    """Rows that ``fill`` fills in place, each from its key's own generator."""
    rows = torch.empty((len(keys), *shape))
    generator = torch.Generator()
    for row, key in zip(rows, keys, strict=True):
        fill(row, generator=generator.manual_seed(keyed_seed(seed, *key, kind=kind)))
    return rows
