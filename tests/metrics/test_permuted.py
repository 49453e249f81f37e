"""Means under permuted images against plain loops."""

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import (
    IDENTIFICATION_DIRECTIONS,
    NO_IMAGE,
    FeatureMetric,
    ImageSuite,
    Suite,
    get_suite,
    identification_from_correlation,
    permuted,
)
from tempgen.metrics.base import Metric
from tempgen.metrics.correlation import correlation_matrix
from tempgen.metrics.identification import identification_of_all_images
from tempgen.metrics.permuted import permuted_images, permuted_means


def trials(*, without=(), n_trials=30, n_images=8):
    """Seen images, reconstructions that resemble them, each trial's image, and permutations among those that have one."""
    rng = np.random.default_rng(0)
    seen = rng.random((n_images, 16, 16, 3)).astype(np.float32)
    current = rng.integers(n_images, size=n_trials)
    reconstructed = 0.3 * seen[current] + 0.7 * rng.random((n_trials, 16, 16, 3)).astype(np.float32)
    current[list(without)] = NO_IMAGE
    there = np.flatnonzero(current != NO_IMAGE)
    permutations = np.tile(np.arange(n_trials), (50, 1))
    for order in permutations:
        order[there] = there[rng.permutation(len(there))]
    return seen, reconstructed.astype(np.float32), current, permutations


@pytest.mark.parametrize("comparison", IDENTIFICATION_DIRECTIONS)
@pytest.mark.parametrize("without", [(), (2, 11)])
@pytest.mark.parametrize("block_pairs", [1, 2**20])
def test_mean_under_each_permutation_is_the_score_with_the_permuted_images(
    monkeypatch, comparison, without, block_pairs
):
    monkeypatch.setattr(permuted, "_BLOCK_PAIRS", block_pairs)
    seen, reconstructed, current, permutations = trials(without=without)
    suite = get_suite("pixels").directed(comparison)
    scores = ImageSuite(seen, suite).score(
        reconstructed, target_images={"current": current}, permutations=permutations
    )
    assert list(scores.null) == ["pixcorr", "identification"]
    assert scores.null["pixcorr"].shape == (50,)
    for name in scores.null:
        expected = [
            np.nanmean(
                ImageSuite(seen, suite.select([name]))
                .score(reconstructed, target_images={"current": current[order]})
                .score[name]
            )
            for order in permutations
        ]
        np.testing.assert_allclose(scores.null[name], expected, atol=2e-6)


@pytest.mark.parametrize("comparison", IDENTIFICATION_DIRECTIONS)
def test_shares_of_all_images_are_the_scores_with_each_as_target_and_ties_count_one_half(comparison):
    rng = np.random.default_rng(0)
    current = rng.integers(6, size=20)
    correlation = rng.integers(0, 3, size=(20, 6)).astype(np.float32)  # full of ties
    correlation[4] = 0  # a constant reconstruction
    shares = identification_of_all_images(correlation, current, comparison=comparison)
    if comparison == "reconstruction-to-seen":
        for image in range(6):
            expected = identification_from_correlation(correlation, np.full(20, image))
            np.testing.assert_allclose(shares[:, image], expected, atol=1e-6)
        np.testing.assert_allclose(shares[4], 0.5, atol=1e-6)
    for order in [np.arange(20), *(rng.permutation(20) for _ in range(20))]:
        expected = identification_from_correlation(correlation, current[order], comparison=comparison).mean()
        assert shares[np.arange(20), current[order]].mean() == pytest.approx(expected, abs=1e-6)


def test_permutations_of_a_distance_are_one_minus_those_of_the_correlation():
    seen, reconstructed, current, permutations = trials()
    plain = Metric("r", "r", None, True, "r", "here", 1)
    metrics = (
        FeatureMetric(plain, "correlation"),
        FeatureMetric(plain.__class__("d", "d", None, False, "d", "here", 1), "correlation_distance"),
    )
    suite = Suite("both", 1, metrics, None, "both", "here")
    scores = ImageSuite(seen, suite).score(
        reconstructed, target_images={"current": current}, permutations=permutations
    )
    np.testing.assert_allclose(scores.null["d"], 1 - scores.null["r"], atol=1e-6)
    np.testing.assert_allclose(scores.baseline["d"], 1 - scores.baseline["r"], atol=1e-6)


def test_observed_mean_is_that_of_the_permutation_that_changes_nothing():
    seen, reconstructed, current, _ = trials()
    scores = ImageSuite(seen).score(
        reconstructed, target_images={"current": current}, permutations=np.arange(30)[np.newaxis]
    )
    for name in scores.null:
        assert scores.null[name][0] == pytest.approx(scores.score[name].mean(), abs=1e-6)
    assert scores.score["pixcorr"].mean() > 0.2


def test_baseline_and_permutations_are_of_the_current_image_whatever_the_other_targets():
    seen, reconstructed, current, permutations = trials()
    previous = np.r_[NO_IMAGE, current[:-1]]
    alone = ImageSuite(seen).score(
        reconstructed, target_images={"current": current}, permutations=permutations
    )
    both = ImageSuite(seen).score(
        reconstructed, target_images={"previous": previous, "current": current}, permutations=permutations
    )
    assert set(both.baseline) == {"pixcorr", "ssim", "identification"}
    for name in both.null:
        np.testing.assert_array_equal(both.null[name], alone.null[name])
    none = ImageSuite(seen).score(reconstructed, target_images={"previous": previous})
    assert none.baseline == none.null == {}


def test_baseline_of_each_metric_is_below_the_score_where_images_are_seen():
    seen, reconstructed, current, _ = trials()
    scores = ImageSuite(seen).score(reconstructed, target_images={"current": current})
    for name in ("pixcorr", "ssim", "identification"):
        assert scores.score[name].mean() > scores.baseline[name].mean() + 0.05
    correlation = correlation_matrix(
        reconstructed_features=reconstructed.reshape(30, -1), pool_features=seen.reshape(8, -1)
    )
    others = np.array([np.delete(row, image).mean() for row, image in zip(correlation, current, strict=True)])
    assert scores.baseline["pixcorr"].mean() == pytest.approx(others.mean(), abs=0.02)


@pytest.mark.parametrize(
    ("permutations", "complaint"),
    [
        (np.zeros((5, 29), dtype=int), r"shape \(5, 29\)"),
        (np.zeros((5, 30)), "float64"),
        (np.full((5, 30), 30), "0 to 29"),
        (np.arange(30)[np.newaxis, ::-1], "no image"),
    ],
)
def test_permutations_that_do_not_fit_are_refused(permutations, complaint):
    seen, reconstructed, current, _ = trials(without=[2])
    with pytest.raises(MetricError, match=complaint):
        ImageSuite(seen).score(reconstructed, target_images={"current": current}, permutations=permutations)
    with pytest.raises(MetricError, match="no target 'current'"):
        ImageSuite(seen).score(
            reconstructed, target_images={"next": current}, permutations=np.arange(30)[np.newaxis]
        )


def test_no_trial_gives_no_mean():
    images = permuted_images(np.zeros((3, 0), dtype=int), np.zeros(0, dtype=np.intp))
    assert np.isnan(permuted_means(np.zeros((0, 4)), images)).all()
