import numpy as np
import pytest

from tempgen.config.optimization import OptimizationConfig
from tempgen.training.schedule import epoch_order, learning_rate, rows_of_step


def test_every_epoch_sees_every_row_once():
    rows = np.concatenate([rows_of_step(step, n_samples=7, batch_size=3, seed=0) for step in range(14)])
    for epoch in rows.reshape(6, 7):
        assert sorted(epoch) == list(range(7))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(epoch_order(50, seed=seed, epoch=epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_batch_larger_than_the_training_set_is_full():
    rows = rows_of_step(2, n_samples=4, batch_size=10, seed=0)
    assert np.bincount(rows, minlength=4).sum() == 10
    assert set(rows) == {0, 1, 2, 3}


def test_rows_of_a_step_depend_on_nothing_drawn_before():
    first = rows_of_step(9, n_samples=20, batch_size=6, seed=1)
    for step in range(30):
        rows_of_step(step, n_samples=20, batch_size=6, seed=2)
    assert np.array_equal(rows_of_step(9, n_samples=20, batch_size=6, seed=1), first)


def test_learning_rate_rises_linearly_and_falls_as_a_cosine_to_zero():
    config = OptimizationConfig(n_steps=1000, warmup_steps=100, learning_rate=2.0)
    rates = np.array([learning_rate(step, config) for step in range(1000)])

    assert np.allclose(rates[:100], 2.0 * np.arange(1, 101) / 100)
    assert rates[550] == pytest.approx(1.0)
    assert np.all(np.diff(rates[100:]) < 0)
    assert 0 < rates[-1] < 1e-4


def test_constant_learning_rate_stays():
    config = OptimizationConfig(n_steps=50, warmup_steps=0, learning_rate=2.0, schedule="constant")
    assert {learning_rate(step, config) for step in range(50)} == {2.0}
