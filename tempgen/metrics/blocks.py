"""Rows worked on a few at a time, so that they stay in the cache, on as many threads as linear algebra may use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["blocks_of", "for_each_block"]

_BLOCK_VALUES = 2**17  # values worked on at once: 0.5 MB for each array of float32
_N_WORTH_THREADS = 8  # blocks, below which starting threads costs more than it saves
_KEPT_BYTES = 2**24  # freed memory that stays with the process; the arrays of a block are far smaller


def blocks_of(n_rows: int, *, values_each: int) -> list[slice]:
    """Slices of at least one row whose values stay in the cache.

    Examples
    --------
    >>> blocks_of(3, values_each=2**16)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    size = max(1, _BLOCK_VALUES // max(1, values_each))
    return [slice(first, first + size) for first in range(0, n_rows, size)]


def for_each_block(work: Callable[[slice], None], blocks: list[slice]) -> None:
    """Do the same with each block, which writes into rows of its own; NumPy releases the interpreter lock meanwhile.

    There are as many threads as BLAS may use: ``OMP_NUM_THREADS`` and ``threadpool_limits`` hold here, too. Blocks do not
    depend on it, and so neither do results.

    Parameters
    ----------
    work : callable
        Takes a block; what it raises is raised here.
    blocks : list of slice
    """
    _keep_freed_memory()
    n_threads = _n_threads() if len(blocks) >= _N_WORTH_THREADS else 1
    if n_threads == 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(work, blocks):
            pass


def _n_threads() -> int:
    libraries = _libraries().select(user_api="blas").info()
    return max((library["num_threads"] for library in libraries), default=1)


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Have the arrays of a block in the memory of those of the last one.

    glibc gives freed memory back to the system, and gets it anew page by page for the next block, which took 40 % of SSIM's
    time, unless a larger array was freed before: that raises its thresholds. No page of it is touched; elsewhere this does
    nothing.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)  # freed at once
