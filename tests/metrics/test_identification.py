"""Two-way identification against the obvious loop and Brain-Diffuser's published recipe."""

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import (
    IDENTIFICATION_DIRECTION,
    IDENTIFICATION_DIRECTIONS,
    NO_IMAGE,
    correlation_matrix,
    identification_from_correlation,
    two_way_identification,
)


def _identification_by_loops(reconstructed, target_image, pool):
    """One comparison at a time, in double precision."""
    scores = []
    for features, target in zip(reconstructed, target_image, strict=True):
        correlations = [np.corrcoef(features.astype(float), image.astype(float))[0, 1] for image in pool]
        others = [value for image, value in enumerate(correlations) if image != target]
        scores.append(
            np.mean([float(v < correlations[target]) + 0.5 * (v == correlations[target]) for v in others])
        )
    return np.array(scores)


def test_identification_equals_the_loop_over_single_comparisons():
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((15, 40)).astype(np.float32)
    target_image = rng.integers(15, size=60)
    reconstructed = pool[target_image] + 3 * rng.standard_normal((60, 40)).astype(np.float32)
    scores = two_way_identification(
        reconstructed_features=reconstructed, target_image=target_image, pool_features=pool
    )
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, _identification_by_loops(reconstructed, target_image, pool), atol=1e-6)
    assert 0.55 < scores.mean() < 0.95


def test_direction_is_reconstruction_to_seen_as_in_brain_diffuser():
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((30, 20)) + 2 * rng.standard_normal(20)
    reconstructed = seen + 4 * rng.standard_normal((30, 20))
    between = np.corrcoef(seen, reconstructed)[:30, 30:]  # rows: seen, columns: reconstructed
    one_reconstruction_all_seen = (between < np.diag(between)).sum(axis=0) / 29
    one_seen_all_reconstructions = (between < np.diag(between)[:, np.newaxis]).sum(axis=1) / 29
    scores = two_way_identification(
        reconstructed_features=reconstructed, target_image=np.arange(30), pool_features=seen
    )
    assert IDENTIFICATION_DIRECTION == "reconstruction-to-seen"
    np.testing.assert_allclose(scores, one_reconstruction_all_seen, atol=1e-6)
    assert np.abs(scores - one_seen_all_reconstructions).max() > 0.1  # the other direction is another number


def test_the_other_direction_compares_one_seen_image_with_all_reconstructions():
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((30, 20)) + 2 * rng.standard_normal(20)
    reconstructed = seen + 4 * rng.standard_normal((30, 20))
    between = np.corrcoef(seen, reconstructed)[:30, 30:]  # rows: seen, columns: reconstructed
    scores = two_way_identification(
        reconstructed_features=reconstructed,
        target_image=np.arange(30),
        pool_features=seen,
        comparison="seen-to-reconstruction",
    )
    expected = (between < np.diag(between)[:, np.newaxis]).sum(axis=1) / 29
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def _by_pairs(correlation, target_image, comparison):
    """The definition, one comparison at a time, from correlations (n_trials, n_images)."""
    n_trials, n_images = correlation.shape
    correlation, target_image = correlation.tolist(), target_image.tolist()  # fast to loop over
    scores = []
    for trial, target in enumerate(target_image):
        own = correlation[trial][target]
        if comparison == "reconstruction-to-seen":
            others = [correlation[trial][image] for image in range(n_images) if image != target]
        else:
            rivals = [k for k in range(n_trials) if target_image[k] not in (target, NO_IMAGE)]
            others = [correlation[rival][target] for rival in rivals]
        wins = [float(value < own) + 0.5 * (value == own) for value in others]
        scores.append(np.mean(wins) if target != NO_IMAGE else np.nan)
    return np.array(scores)


@pytest.mark.parametrize("comparison", IDENTIFICATION_DIRECTIONS)
def test_both_directions_equal_the_definition_with_ties_repeated_and_missing_images(comparison):
    rng = np.random.default_rng(0)
    correlation = (rng.integers(-3, 4, size=(700, 12)) / 4).astype(
        np.float32
    )  # more than one block of trials
    target_image = rng.integers(-1, 12, size=700)
    assert len(np.unique(correlation)) == 7
    scores = identification_from_correlation(correlation, target_image, comparison=comparison)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, _by_pairs(correlation, target_image, comparison), atol=1e-6)


@pytest.mark.parametrize("comparison", IDENTIFICATION_DIRECTIONS)
def test_both_directions_equal_the_definition_on_features_some_of_which_are_constant(comparison):
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((10, 30))
    pool[3] = 0.25  # a mean without rounding, so that NumPy sees a constant too
    target_image = rng.integers(10, size=40)
    reconstructed = pool[target_image] + 2 * rng.standard_normal((40, 30))
    reconstructed[[5, 17]] = 0.5
    with np.errstate(invalid="ignore"):
        correlation = np.nan_to_num(
            np.corrcoef(reconstructed, pool)[:40, 40:]
        )  # a constant row has no relation
    scores = two_way_identification(
        reconstructed_features=reconstructed,
        target_image=target_image,
        pool_features=pool,
        comparison=comparison,
    )
    np.testing.assert_allclose(scores, _by_pairs(correlation, target_image, comparison), atol=1e-6)


def test_reconstructions_of_one_image_do_not_compete_and_alone_have_no_score():
    correlation = np.array([[0.9, 0.0], [0.1, 0.0], [0.5, 0.2]], dtype=np.float32)
    options = {"comparison": "seen-to-reconstruction"}
    scores = identification_from_correlation(correlation, np.array([0, 0, 1]), **options)
    np.testing.assert_array_equal(scores, [1, 0, 1])
    alone = identification_from_correlation(correlation, np.array([0, 0, NO_IMAGE]), **options)
    np.testing.assert_array_equal(alone, [np.nan] * 3)


def test_an_unknown_direction_is_refused_with_the_known_ones():
    with pytest.raises(MetricError, match="both.*reconstruction-to-seen and seen-to-reconstruction"):
        identification_from_correlation(np.eye(2, dtype=np.float32), np.array([0, 1]), comparison="both")


def test_one_correlation_matrix_serves_previous_current_and_next_targets():
    rng = np.random.default_rng(0)
    pool, reconstructed = rng.standard_normal((12, 25)), rng.standard_normal((40, 25))
    correlation = correlation_matrix(reconstructed_features=reconstructed, pool_features=pool)
    for shift in (-1, 0, 1):
        target_image = (np.arange(40) + shift) % 12
        np.testing.assert_array_equal(
            identification_from_correlation(correlation, target_image),
            two_way_identification(
                reconstructed_features=reconstructed, target_image=target_image, pool_features=pool
            ),
        )


def test_mean_over_all_images_as_target_is_one_half_whatever_the_reconstruction():
    rng = np.random.default_rng(0)
    correlation = correlation_matrix(
        reconstructed_features=rng.standard_normal((5, 9)), pool_features=rng.standard_normal((21, 9))
    )
    every_target = [identification_from_correlation(correlation, np.full(5, image)) for image in range(21)]
    np.testing.assert_allclose(np.mean(every_target, axis=0), 0.5, atol=1e-6)


def test_a_tie_counts_one_half_and_the_target_is_not_compared_with_itself():
    correlation = np.array([[0.5, 0.5, 0.5, 0.1, 0.9]], dtype=np.float32)
    assert identification_from_correlation(correlation, np.array([0]))[0] == pytest.approx((1 + 0.5 * 2) / 4)
    assert identification_from_correlation(correlation, np.array([4]))[0] == 1
    assert identification_from_correlation(correlation, np.array([3]))[0] == 0


def test_a_constant_reconstruction_is_at_chance():
    pool = np.random.default_rng(0).random((8, 30))
    scores = two_way_identification(
        reconstructed_features=np.full((8, 30), 0.1), target_image=np.arange(8), pool_features=pool
    )
    np.testing.assert_array_equal(scores, 0.5)


def test_a_trial_without_target_scores_nan():
    pool = np.random.default_rng(0).random((4, 30))
    scores = two_way_identification(
        reconstructed_features=pool[:3], target_image=np.array([0, NO_IMAGE, 2]), pool_features=pool
    )
    np.testing.assert_array_equal(scores, [1, np.nan, 1])


def test_three_thousand_trials_are_exact():
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((3000, 48)).astype(np.float32)
    reconstructed = pool + 4 * rng.standard_normal(pool.shape).astype(np.float32)
    scores = two_way_identification(
        reconstructed_features=reconstructed, target_image=np.arange(3000), pool_features=pool
    )
    chosen = rng.choice(3000, size=5, replace=False)
    # float32 cannot order correlations closer than its rounding: a few of 2,999 comparisons may differ
    np.testing.assert_allclose(
        scores[chosen], _identification_by_loops(reconstructed[chosen], chosen, pool), atol=2e-3
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pool_features": np.ones((1, 6))}, "at least 2 images"),
        ({"pool_features": np.ones((4, 5))}, "6 features.*5"),
        ({"pool_features": np.ones((4, 2, 3))}, "flatten"),
        ({"reconstructed_features": np.full((3, 6), np.nan)}, "not finite"),
        ({"reconstructed_features": np.ones((3, 6), dtype=np.uint8)}, "uint8"),
        ({"target_image": np.array([0, 1, 4])}, "pool has 4 images"),
        ({"target_image": np.array([0, 1, -2])}, "-1 where a trial has no such image"),
        ({"target_image": np.array([0, 1])}, "one integer for each of 3 trials"),
        ({"target_image": np.array([0.0, 1.0, 2.0])}, "float64"),
    ],
)
def test_features_that_cannot_be_compared_are_refused_with_what_to_do(change, complaint):
    rng = np.random.default_rng(0)
    arguments = {
        "reconstructed_features": rng.random((3, 6)),
        "pool_features": rng.random((4, 6)),
        "target_image": np.array([0, 0, 0]),
    }
    with pytest.raises(MetricError, match=complaint):
        two_way_identification(**(arguments | change))


def test_correlations_with_nan_are_refused():
    with pytest.raises(MetricError, match="NaN"):
        identification_from_correlation(np.full((2, 3), np.nan, dtype=np.float32), np.array([0, 1]))


@pytest.mark.parametrize("n_trials", [1, 2, 55, 56, 65, 111, 166])
@pytest.mark.parametrize("comparison", ["reconstruction-to-seen", "seen-to-reconstruction"])
def test_equal_reconstructions_tie_however_many_there_are(n_trials, comparison):
    rng = np.random.default_rng(0)
    pool = rng.random((7, 3072)).astype(np.float32)
    same = np.repeat(rng.random((1, 3072)).astype(np.float32), n_trials, axis=0)
    target = np.arange(n_trials) % 7
    scores = two_way_identification(
        reconstructed_features=same, target_image=target, pool_features=pool, comparison=comparison
    )
    if comparison == "seen-to-reconstruction":
        there = ~np.isnan(scores)
        assert (scores[there] == 0.5).all()
    else:
        for image in np.unique(target):
            assert len(np.unique(scores[target == image])) == 1
