"""Presentations of a test image: all, one, or their mean."""

import numpy as np
import pytest
import xarray as xr

from tempgen.config.evaluation import EvaluationConfig
from tempgen.data import window_dataset
from tempgen.data.repetitions import AveragedWindows, evaluated_trials
from tempgen.data.source import TRIAL_COLUMNS
from tempgen.data.window_dataset import WindowDataset
from tempgen.errors import WindowOutsideRunError
from tempgen.windows import Window

WINDOW = Window(2, 3, 1.0)
IMAGES = np.array([7, 3, 7, 5, 7, 3])
ONSETS, RUNS = np.array([2, 5, 9, 3, 8, 12]), np.array([0, 0, 0, 2, 2, 2])
FIRST = np.array([True, True, False, True, False, False])


@pytest.fixture
def store():
    trials = {f"trial_{name}": ("trial", np.zeros(6)) for name in TRIAL_COLUMNS}
    trials |= {
        "trial_run": ("trial", RUNS),
        "trial_onset_tr": ("trial", ONSETS),
        "trial_image_id": ("trial", IMAGES),
    }
    bold = np.random.default_rng(0).normal(size=(3, 20, 4)).astype(np.float32)
    return xr.Dataset(
        {"bold": (("run", "volume", "voxel"), bold), **trials},
        coords={"session": ("run", [1, 1, 1]), "run_length": ("run", [20, 20, 20])},
    )


def averaged(store, first=FIRST):
    presentations = np.isin(IMAGES, IMAGES[first])
    return AveragedWindows(WindowDataset(store, presentations, WINDOW), first)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("delta", [-2, 0, 3])
def test_the_window_of_an_image_is_the_mean_of_its_presentations_windows_at_that_lag(
    store, monkeypatch, in_memory, delta
):
    if not in_memory:
        monkeypatch.setattr(window_dataset, "IN_MEMORY_BYTES", 0)
    bold = store["bold"].values
    first = ONSETS + 2 + delta
    each = np.stack([bold[run, start : start + 3] for run, start in zip(RUNS, first, strict=True)])
    windows = averaged(store)
    assert windows.table["image_id"].tolist() == [7, 3, 5]
    by_hand = np.stack([each[image == IMAGES].mean(axis=0) for image in (7, 3, 5)])
    np.testing.assert_allclose(windows.windows(delta), by_hand, rtol=1e-6, atol=1e-7)
    assert windows.windows(delta).dtype == np.float32
    np.testing.assert_array_equal(windows.windows(delta)[2], each[3])  # shown once


def test_images_left_out_do_not_change_the_others(store):
    fewer = averaged(store, np.array([True, False, False, True, False, False]))
    np.testing.assert_array_equal(fewer.windows(1), averaged(store).windows(1)[[0, 2]])


def test_a_presentation_whose_window_leaves_its_run_is_refused(store):
    with pytest.raises(WindowOutsideRunError, match="volume 8 TRs"):
        averaged(store).windows(4)


def many(rng):
    """300 trials of 100 images, of which two thirds test."""
    shown = rng.permutation(np.repeat(np.arange(100), 3))
    return shown, rng.permutation(np.arange(300) % 3 > 0)


def test_one_presentation_of_each_image_is_drawn_with_the_seed():
    shown, test = many(np.random.default_rng(0))
    one, again, other = (
        evaluated_trials(shown, test, EvaluationConfig(repetitions="one", seed=seed)) for seed in (0, 0, 1)
    )
    assert sorted(shown[one]) == sorted(set(shown[test]))
    assert not (one & ~test).any()
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_each_presentation_is_drawn_as_often_as_another():
    shown, test = np.zeros(3, dtype=np.int64), np.ones(3, dtype=bool)
    drawn = sum(
        evaluated_trials(shown, test, EvaluationConfig(repetitions="one", seed=seed)).astype(int)
        for seed in range(300)
    )
    assert drawn.min() > 70


def test_of_an_average_the_first_test_presentation_stands_for_the_image():
    shown, test = many(np.random.default_rng(1))
    chosen = evaluated_trials(shown, test, EvaluationConfig(repetitions="average"))
    for image in set(shown[test]):
        assert np.flatnonzero(chosen & (shown == image)).tolist() == [
            np.flatnonzero(test & (shown == image))[0]
        ]


@pytest.mark.parametrize("repetitions", ["all", "one", "average"])
def test_a_limit_counts_what_is_decoded_and_more_trials_contain_fewer(repetitions):
    shown, test = many(np.random.default_rng(2))
    config = EvaluationConfig(repetitions=repetitions, max_trials=40)
    limited = evaluated_trials(shown, test, config)
    fewer = evaluated_trials(shown, test, config, n_trials=10)
    assert (limited.sum(), fewer.sum()) == (40, 10)
    assert not (fewer & ~limited).any()
    unlimited = evaluated_trials(shown, test, EvaluationConfig(repetitions=repetitions))
    assert not (limited & ~unlimited).any()


def test_all_trials_are_drawn_as_before_there_was_a_choice():
    shown, test = many(np.random.default_rng(3))
    order = np.random.default_rng(5).permutation(np.flatnonzero(test))
    found = evaluated_trials(shown, test, EvaluationConfig(max_trials=20, seed=5))
    assert np.flatnonzero(found).tolist() == sorted(order[:20])
