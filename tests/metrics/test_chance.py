"""Chance measured on pairs that do not belong together."""

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import NO_IMAGE, mismatched_images, shuffled_chance


def test_no_mismatch_is_an_image_of_the_trial():
    rng = np.random.default_rng(0)
    targets = rng.integers(-1, 20, size=(3, 200))
    mismatched = mismatched_images(targets, n_images=20, n_shifts=7)
    assert mismatched.shape == (7, 200)
    for target_image in targets:
        assert not np.any((mismatched == target_image) & (mismatched != NO_IMAGE))
    assert (mismatched == NO_IMAGE).mean() < 0.3


def test_as_many_shifts_as_images_are_all_other_images_once():
    mismatched = mismatched_images(np.array([[4, 0, 2]]), n_images=5, n_shifts=100)
    for trial, target in enumerate([4, 0, 2]):
        assert sorted(set(mismatched[:, trial]) - {NO_IMAGE}) == [k for k in range(5) if k != target]


def test_chance_of_all_shifts_is_the_mean_over_all_other_images():
    rng = np.random.default_rng(0)
    score = rng.random((30, 6)).astype(np.float32)  # trial x image
    target_image = rng.integers(6, size=30)
    chance = shuffled_chance(
        lambda image: np.where(image < 0, np.nan, score[np.arange(30), image]),
        target_image,
        n_images=6,
        n_shifts=6,
    )
    others = np.where(np.arange(6) == target_image[:, np.newaxis], np.nan, score)
    np.testing.assert_allclose(chance, np.nanmean(others, axis=1), atol=1e-6)


def test_a_few_shifts_estimate_the_same_chance():
    rng = np.random.default_rng(0)
    score = rng.normal(0.2, 0.1, size=(2000, 50)).astype(np.float32)
    score[np.arange(2000), np.arange(2000) % 50] = 1  # the right image
    chance = shuffled_chance(
        lambda image: np.where(image < 0, np.nan, score[np.arange(2000), image]),
        np.arange(2000) % 50,
        n_images=50,
    )
    assert np.nanmean(chance) == pytest.approx(0.2, abs=0.01)


def test_chance_of_a_trial_without_mismatch_is_nan():
    chance = shuffled_chance(lambda image: np.zeros(1, np.float32), np.array([[0], [1]]), n_images=2)
    assert np.isnan(chance).all()


def test_a_pool_of_one_image_has_no_chance_level():
    with pytest.raises(MetricError, match="at least 2 images"):
        mismatched_images(np.array([0]), n_images=1, n_shifts=4)
