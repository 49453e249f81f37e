"""Permutations exchange images within runs, the same for all cells, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from tempgen.errors import ResultsError
from tempgen.generalization.permutations import PERMUTED, Permutations

RUN = np.repeat([3, 1, 2], [6, 1, 5])


def table(**columns):
    return pd.DataFrame({"run": RUN, "image_id": np.arange(12), **columns})


def test_images_stay_in_their_run_and_each_is_shown_once():
    drawn = Permutations.within_runs(table(), n_permutations=200, seed=0)
    assert drawn.order.shape == (200, 12)
    np.testing.assert_array_equal(RUN[drawn.order], np.tile(RUN, (200, 1)))
    np.testing.assert_array_equal(np.sort(drawn.order, axis=1), np.tile(np.arange(12), (200, 1)))


def test_every_trial_of_a_run_is_met_equally_often():
    drawn = Permutations.within_runs(table(), n_permutations=6000, seed=0).order
    met = np.bincount(drawn[:, 0], minlength=12)
    assert (met[6:] == 0).all()
    np.testing.assert_allclose(met[:6], 1000, atol=4 * np.sqrt(1000 * 5 / 6))
    assert (drawn[:, 6] == 6).all()  # alone in its run


def test_a_seed_gives_the_same_permutations_and_another_one_others():
    first, again, other = (
        Permutations.within_runs(table(), n_permutations=20, seed=seed).order for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_trials_without_image_keep_their_place():
    image_id = np.where(np.isin(np.arange(12), [2, 8]), -1, 5)
    drawn = Permutations.within_runs(table(image_id=image_id), n_permutations=50, seed=0)
    np.testing.assert_array_equal(drawn.order[:, [2, 8]], np.tile([2, 8], (50, 1)))
    assert (drawn.order != np.arange(12)).any(axis=0).sum() == 9
    assert drawn.attrs() == {"seed": 0, "n_permutations": 50, "permuted": PERMUTED}


def test_no_permutations_and_no_runs_are_refused():
    with pytest.raises(ResultsError, match="at least 1"):
        Permutations.within_runs(table(), n_permutations=0, seed=0)
    with pytest.raises(ResultsError, match="run and image_id"):
        Permutations.within_runs(table().drop(columns="run"), n_permutations=5, seed=0)
