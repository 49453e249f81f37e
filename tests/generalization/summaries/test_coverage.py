"""How often intervals hold the truth and how often chance is taken for something, in simulated experiments."""

import numpy as np
import pytest
from scipy.stats import t as student

from tempgen.generalization.statistics.bootstrap import bootstrap_means, percentile_interval
from tempgen.generalization.summaries.informative import simultaneous_band
from tempgen.generalization.summaries.latency import half_crossings, jackknife_error, order_interval, told_s
from tests.generalization.summaries.planted import DELTAS, bump

N_EXPERIMENTS, N_IMAGES = 300, 80
TRUE = bump(4, 2.0)
ONSET = float(half_crossings(TRUE[np.newaxis], DELTAS.astype(float))[0][0])


def experiments(curve, *, noise):
    """Scores (n_experiments, n_lags, n_images): neighbouring lags share volumes, so that their noise is alike."""
    rng = np.random.default_rng(0)
    white = rng.normal(size=(N_EXPERIMENTS, len(DELTAS) + 2, N_IMAGES))
    return curve[:, None] + noise * (white[:, :-2] + white[:, 1:-1] + white[:, 2:]) / np.sqrt(3)


def drawn_means(scores, *, n_draws=500):
    """Shape (n_experiments, n_draws, n_lags)."""
    means = bootstrap_means(scores.reshape(-1, N_IMAGES), np.arange(N_IMAGES), n_draws=n_draws, seed=1)
    return means.reshape(n_draws, N_EXPERIMENTS, -1).transpose(1, 0, 2)


@pytest.fixture(scope="module")
def with_signal():
    return experiments(TRUE, noise=0.3)


def share_in(low, high, truth):
    return np.mean((np.asarray(low) <= truth) & (truth <= np.asarray(high)))


def jackknifed_onsets(scores):
    """Onset and half the width of its 95 % interval, in TRs, of each experiment."""
    mean, at = scores.mean(axis=2), DELTAS.astype(float)
    left_out = (mean[:, :, None] * N_IMAGES - scores) / (N_IMAGES - 1)
    error = np.array([jackknife_error(half_crossings(of.T, at)[0]) for of in left_out])
    return half_crossings(mean, at)[0], student.ppf(0.975, N_IMAGES - 1) * error


def test_jackknife_interval_of_the_onset_covers_it_as_often_as_it_says():
    onset, reach = jackknifed_onsets(experiments(TRUE, noise=0.1))
    assert 0.92 <= share_in(onset - reach, onset + reach, ONSET) <= 0.98
    assert onset.mean() == pytest.approx(ONSET, abs=0.03)


def test_jackknife_interval_as_it_is_told_covers_where_noise_makes_the_jackknife_too_sure(with_signal):
    onset, reach = jackknifed_onsets(with_signal)
    assert 0.87 <= share_in(onset - reach, onset + reach, ONSET) <= 0.95
    low, high = (
        [told_s(bound, resolution_s=1.0, towards=towards) for bound in bounds]
        for bounds, towards in ((onset - reach, "below"), (onset + reach, "above"))
    )
    assert share_in(low, high, ONSET) >= 0.95


def test_bootstrap_intervals_of_onset_and_height_cover_as_often_as_they_say(with_signal):
    drawn = drawn_means(with_signal)
    onsets = half_crossings(drawn.reshape(-1, len(DELTAS)), DELTAS.astype(float))[0]
    intervals = np.array([order_interval(of, level=0.95) for of in onsets.reshape(N_EXPERIMENTS, -1)])
    assert 0.92 <= share_in(*intervals.T, ONSET) <= 0.99
    peak = with_signal.mean(axis=2).argmax(axis=1)
    at_peak = drawn[np.arange(N_EXPERIMENTS), :, peak]
    low, high = percentile_interval(at_peak.T, level=0.95)
    assert 0.90 <= share_in(low, high, TRUE[peak]) <= 0.98


def test_chance_is_taken_for_something_as_rarely_as_the_level_says():
    null = experiments(np.zeros(len(DELTAS)), noise=0.3)
    bounds = np.array(
        [
            simultaneous_band(mean, drawn, level=0.95)
            for mean, drawn in zip(null.mean(axis=2), drawn_means(null), strict=True)
        ]
    )
    false_alarms = (null.mean(axis=2) > bounds).any(axis=1).mean()
    assert 0.02 <= false_alarms <= 0.09
