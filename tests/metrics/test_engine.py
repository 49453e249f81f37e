"""All image metrics in one pass equal the single ones."""

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import (
    IMAGE_METRICS,
    NO_IMAGE,
    ImageSuite,
    engine,
    pixcorr,
    ssim,
    two_way_identification,
)


def _reconstructions(n_trials=40, n_images=10):
    rng = np.random.default_rng(0)
    seen = rng.random((n_images, 16, 16, 3)).astype(np.float32)
    current = np.arange(n_trials) % n_images
    previous = np.concatenate([[NO_IMAGE], current[:-1]])
    noise = rng.random((n_trials, 16, 16, 3)).astype(np.float32)
    return seen, 0.3 * seen[current] + 0.7 * noise, {"previous": previous, "current": current}


@pytest.mark.parametrize("block_values", [1, 2**22])
def test_one_pass_equals_the_single_metrics_for_each_target(monkeypatch, block_values):
    monkeypatch.setattr(engine, "_BLOCK_VALUES", block_values)
    seen, reconstructed, targets = _reconstructions()
    scores = ImageSuite(seen).score(reconstructed, target_images=targets)
    assert set(scores.score) == set(scores.chance) == set(IMAGE_METRICS)
    for row, target_image in enumerate(targets.values()):
        there = target_image != NO_IMAGE
        pair = {"seen": seen[target_image[there]], "reconstructed": reconstructed[there]}
        identification = two_way_identification(
            reconstructed_features=reconstructed[there].reshape(there.sum(), -1),
            target_image=target_image[there],
            pool_features=seen.reshape(len(seen), -1),
        )
        np.testing.assert_allclose(scores.score["pixcorr"][row, there], pixcorr(**pair), atol=1e-6)
        np.testing.assert_allclose(scores.score["ssim"][row, there], ssim(**pair), atol=1e-6)
        np.testing.assert_allclose(scores.score["identification"][row, there], identification, atol=1e-6)
        for name in IMAGE_METRICS:
            assert np.isnan(scores.score[name][row, ~there]).all()


def test_measured_chance_is_the_mean_over_all_images_but_the_trials_own():
    seen, reconstructed, targets = _reconstructions()
    n_images, n_trials = len(seen), len(reconstructed)
    chance = ImageSuite(seen).score(reconstructed, target_images=targets, n_shifts=n_images).chance
    others = np.array(
        [
            (trial, image)
            for trial in range(n_trials)
            for image in range(n_images)
            if image not in [target[trial] for target in targets.values()]
        ]
    )
    pairs = {"seen": seen[others[:, 1]], "reconstructed": reconstructed[others[:, 0]]}
    for name, metric in {"pixcorr": pixcorr, "ssim": ssim}.items():
        # the first trial has one target fewer
        assert chance[name] == pytest.approx(metric(**pairs).mean(), abs=1e-4)
    assert chance["identification"] == 0.5


def test_an_image_that_is_two_targets_of_a_trial_is_left_out_of_its_chance_once():
    seen, reconstructed, targets = _reconstructions()
    once = ImageSuite(seen).score(reconstructed, target_images=targets)
    twice = ImageSuite(seen).score(reconstructed, target_images={**targets, "next": targets["current"]})
    assert twice.chance == pytest.approx(once.chance, abs=1e-6)


def test_a_decoder_that_draws_the_mean_image_scores_at_the_measured_chance():
    seen, _, targets = _reconstructions(n_images=10)
    shared = 0.5 * seen + 0.5 * seen[0]  # images with structure in common
    mean = np.broadcast_to(shared.mean(axis=0), (40, 16, 16, 3))
    scores = ImageSuite(shared).score(mean, target_images={"current": targets["current"]}, n_shifts=10)
    for name in IMAGE_METRICS:
        assert scores.score[name].mean() == pytest.approx(scores.chance[name], abs=1e-3)
    assert scores.chance["pixcorr"] > 0.5  # far from 0


def test_chance_is_nan_when_every_image_is_a_target_of_the_trial():
    seen, _, _ = _reconstructions(n_images=2)
    scores = ImageSuite(seen).score(
        seen, target_images={"current": np.array([0, 1]), "next": np.array([1, 0])}
    )
    assert np.isnan([scores.chance["pixcorr"], scores.chance["ssim"]]).all()


def test_reconstructions_of_another_size_and_pools_of_one_are_refused():
    seen, reconstructed, targets = _reconstructions()
    with pytest.raises(MetricError, match="at least 2"):
        ImageSuite(seen[:1])
    with pytest.raises(MetricError, match="resize"):
        ImageSuite(seen).score(reconstructed[:, :12], target_images=targets)
    with pytest.raises(MetricError, match="No target"):
        ImageSuite(seen).score(reconstructed, target_images={})


@pytest.mark.parametrize("chosen", [["pixcorr"], ["ssim"], ["identification", "pixcorr"]])
def test_only_the_chosen_metrics_are_computed_and_they_are_the_same(chosen):
    seen, reconstructed, targets = _reconstructions()
    whole = ImageSuite(seen).score(reconstructed, target_images=targets)
    part = ImageSuite(seen, metrics=chosen).score(reconstructed, target_images=targets)
    assert list(part.score) == list(part.chance) == chosen
    for name in chosen:
        np.testing.assert_array_equal(part.score[name], whole.score[name])


def test_small_images_can_be_scored_without_ssim():
    small = np.random.default_rng(0).random((4, 8, 8, 3))
    scores = ImageSuite(small, metrics=["pixcorr"]).score(small, target_images={"current": np.arange(4)})
    np.testing.assert_allclose(scores.score["pixcorr"], 1, atol=1e-6)
    with pytest.raises(MetricError, match="SSIM"):
        ImageSuite(small)


def test_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(MetricError, match="pixcorr, ssim, identification"):
        ImageSuite(np.zeros((2, 16, 16, 3)), metrics=["clip"])
