"""Baselines against plain loops, and what they are for: a mean of 0 if reconstructions are independent of the images."""

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from tempgen.metrics import NO_IMAGE, mismatched_images
from tempgen.metrics.baseline import baseline_from_matrix, baseline_from_pairs
from tempgen.metrics.correlation import correlation_matrix
from tempgen.metrics.identification import identification_of_all_images

N_SETS = 300


def by_loops(scores, targets, current):
    """The definition, pair by pair, among the trials that have a current image."""
    there = [i for i in range(len(scores)) if current[i] != NO_IMAGE]
    mismatched = {(i, j) for i in there for j in range(scores.shape[1]) if j not in targets[:, i]}
    grand = np.mean([scores[pair] for pair in mismatched])
    expected = np.full(len(scores), np.nan)
    for i in there:
        row = [scores[i, j] for j in range(scores.shape[1]) if (i, j) in mismatched]
        column = [scores[k, current[i]] for k in there if (k, current[i]) in mismatched]
        expected[i] = np.mean(row) + np.mean(column) - grand
    return expected


def shown(rng, n_trials=60, n_images=12, n_runs=5):
    """Images of the trials and of their neighbours; some images are shown much more often than others."""
    current = rng.choice(n_images, n_trials, p=np.arange(1, n_images + 1) / np.arange(n_images + 1).sum())
    run = np.arange(n_trials) * n_runs // n_trials
    starts = np.r_[True, np.diff(run) > 0]
    previous = np.where(starts, NO_IMAGE, np.roll(current, 1))
    following = np.where(np.roll(starts, -1), NO_IMAGE, np.roll(current, -1))
    return np.stack([previous, current, following]), current, run


def independent(rng, n_features=30):
    """Correlations of reconstructions with images that they know nothing of: runs have a mean, images are popular."""
    targets, current, run = shown(rng)
    images = rng.normal(size=(12, n_features)) + rng.normal(size=n_features)
    common = rng.normal(size=n_features)
    reconstructed = rng.normal(size=(len(run), n_features)) + rng.normal(size=(5, n_features))[run]
    reconstructed += 0.5 * common + images.mean(axis=0)
    images += 0.3 * np.arange(12)[:, np.newaxis] * common / 12  # what is shown often is resembled by all
    return (
        correlation_matrix(reconstructed_features=reconstructed, pool_features=images),
        targets,
        current,
        run,
    )


def test_baseline_is_row_mean_plus_column_mean_minus_grand_mean():
    rng = np.random.default_rng(0)
    targets, current, _ = shown(rng)
    scores = rng.normal(size=(60, 12)) + np.arange(12) + np.arange(60)[:, np.newaxis]
    baseline = baseline_from_matrix(scores, targets=targets, current=current)
    np.testing.assert_allclose(baseline, by_loops(scores, targets, current), rtol=1e-6)


def test_trials_without_image_have_no_baseline_and_are_left_out_of_the_others():
    rng = np.random.default_rng(0)
    targets, current, _ = shown(rng)
    current[[3, 20]] = targets[1, [3, 20]] = NO_IMAGE
    scores = rng.normal(size=(60, 12))
    baseline = baseline_from_matrix(scores, targets=targets, current=current)
    assert np.flatnonzero(np.isnan(baseline)).tolist() == [3, 20]
    np.testing.assert_allclose(baseline, by_loops(scores, targets, current), atol=1e-6)


def test_baseline_of_a_trial_without_mismatched_image_is_not_known():
    two = np.array([[0, 1, 0], [1, 0, NO_IMAGE]])
    baseline = baseline_from_matrix(np.ones((3, 2)), targets=two, current=two[0])
    assert np.isnan(baseline).all()  # of trial 2, no other trial has its image as a mismatched one


def rejections(differences, units):
    """How many sets a t-test over units finds above or below 0 at 5 %."""
    p = [
        ttest_1samp([values[of == unit].mean() for unit in np.unique(of)], 0).pvalue
        for values, of in zip(differences, units, strict=True)
    ]
    return int((np.array(p) < 0.05).sum())


@pytest.mark.parametrize("kind", ["correlation", "reconstruction-to-seen", "seen-to-reconstruction"])
def test_scores_without_relation_to_the_images_have_a_mean_of_the_baseline(kind):
    """Over sets the mean is 0, and a t-test over images rejects at its nominal rate."""
    differences, images, raw = [], [], []
    for k in range(N_SETS):
        scores, targets, current, _ = independent(np.random.default_rng(k))
        if kind != "correlation":
            scores = identification_of_all_images(scores, current, comparison=kind)
        own = scores[np.arange(len(current)), current]
        differences.append(own - baseline_from_matrix(scores, targets=targets, current=current))
        images.append(current)
        raw.append(own - scores.mean())
    means = np.array([values.mean() for values in differences])
    assert abs(ttest_1samp(means, 0).statistic) < 3
    if kind != "seen-to-reconstruction":  # that compares within images: popular ones gain nothing
        assert ttest_1samp([values.mean() for values in raw], 0).statistic > 5
    rate = binomtest(rejections(differences, images), N_SETS).proportion_ci(0.99)
    assert rate.low < 0.05 < rate.high


def pairs_of(rng, *, rows, columns, noise=1.0, n_trials=60, n_images=12):
    """A few mismatched pairs of an additive model, and what is true of each trial."""
    targets, current, _ = shown(rng, n_trials, n_images)
    images = mismatched_images(targets, n_images=n_images, n_shifts=4)
    row, column = rng.normal(0, rows, n_trials), rng.normal(0, columns, n_images)
    scores = 5 + row + column[images] + rng.normal(0, noise, images.shape)
    scores[images == NO_IMAGE] = np.nan
    return scores, images, current, row + column[current] + 5


@pytest.mark.parametrize(("rows", "columns"), [(0.3, 0.3), (1, 0.3), (0.3, 1), (1, 1), (0, 0)])
def test_few_pairs_give_a_baseline_with_less_error_than_plain_means(rows, columns):
    errors = []
    for k in range(40):
        scores, images, current, true = pairs_of(np.random.default_rng(k), rows=rows, columns=columns)
        baseline = baseline_from_pairs(scores, images=images, current=current)
        grand, row = np.nanmean(scores), np.nanmean(scores, axis=0)
        column = np.array([scores[images == image].mean() for image in range(12)])[current]
        errors.append([((b - true) ** 2).mean() for b in (baseline, row, row + column - grand)])
    shrunk, row, both = np.mean(errors, axis=0)
    assert shrunk < 0.9 * row
    assert shrunk < 0.9 * both


def test_baseline_from_pairs_without_noise_is_nearly_the_additive_model():
    rng = np.random.default_rng(0)
    scores, images, current, true = pairs_of(rng, rows=0, columns=1, noise=1e-6)
    np.testing.assert_allclose(baseline_from_pairs(scores, images=images, current=current), true, atol=3e-2)
    current[0] = NO_IMAGE
    baseline = baseline_from_pairs(scores, images=images, current=current)
    assert np.isnan(baseline[0])
    assert np.isfinite(baseline[1:]).all()
    assert np.isnan(baseline_from_pairs(scores * np.nan, images=images, current=current)).all()
    constant = np.where(images == NO_IMAGE, np.nan, 2.0)
    np.testing.assert_array_equal(baseline_from_pairs(constant, images=images, current=current)[1:], 2.0)


def test_scores_without_relation_to_the_images_have_a_mean_of_the_baseline_from_pairs():
    differences, images = [], []
    for k in range(N_SETS):
        scores, targets, current, _ = independent(np.random.default_rng(k))
        paired = mismatched_images(targets, n_images=12, n_shifts=4)
        some = np.where(paired == NO_IMAGE, np.nan, scores[np.arange(len(current)), paired])
        own = scores[np.arange(len(current)), current]
        differences.append(own - baseline_from_pairs(some, images=paired, current=current))
        images.append(current)
    means = np.array([values.mean() for values in differences])
    assert abs(ttest_1samp(means, 0).statistic) < 3
    rate = binomtest(rejections(differences, images), N_SETS).proportion_ci(0.99)
    assert rate.low < 0.05 < rate.high
