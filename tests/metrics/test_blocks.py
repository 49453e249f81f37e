"""Blocks of rows on several threads."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tempgen.errors import MetricError
from tempgen.metrics import blocks, pixcorr, ssim
from tempgen.metrics.blocks import blocks_of, for_each_block


@pytest.mark.parametrize(("n_rows", "values_each"), [(1, 1), (7, 2**15), (5, 2**20), (0, 3)])
def test_blocks_hold_each_row_once_and_at_least_one(n_rows, values_each):
    rows = [np.arange(n_rows)[block] for block in blocks_of(n_rows, values_each=values_each)]
    assert all(len(some) >= 1 for some in rows)
    np.testing.assert_array_equal(np.concatenate([*rows, np.arange(0)]), np.arange(n_rows))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_there_are_as_many_threads_as_linear_algebra_may_use(monkeypatch, n_threads):
    monkeypatch.setattr(blocks, "_n_threads", lambda: n_threads)
    together = threading.Barrier(n_threads, timeout=10)  # broken if fewer work at once
    seats = []
    for_each_block(lambda block: seats.append(together.wait()), blocks_of(20, values_each=2**17))
    assert set(seats) == set(range(n_threads))


def test_the_limit_on_blas_is_that_on_threads():
    with threadpool_limits(1, "blas"):
        assert blocks._n_threads() == 1


def test_what_a_thread_raises_is_raised(monkeypatch):
    monkeypatch.setattr(blocks, "_n_threads", lambda: 2)
    images = np.full((40, 128, 128, 3), 0.5, dtype=np.float32)
    images[-1, 0, 0, 0] = 7
    for metric in (pixcorr, ssim):
        with pytest.raises(MetricError, match="ranges from 0.5 to 7"):
            metric(seen=images, reconstructed=images)


def test_scores_do_not_depend_on_the_number_of_threads(monkeypatch):
    rng = np.random.default_rng(0)
    seen, reconstructed = rng.random((2, 30, 96, 96, 3), dtype=np.float32)
    scores = []
    for n_threads in (1, 3):
        monkeypatch.setattr(blocks, "_n_threads", lambda n_threads=n_threads: n_threads)
        scores.append([metric(seen=seen, reconstructed=reconstructed) for metric in (pixcorr, ssim)])
    np.testing.assert_array_equal(*scores)
