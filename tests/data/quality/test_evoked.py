"""The evoked response is found among overlapping neighbours."""

import numpy as np
import pytest

from tempgen.data.quality.evoked import EvokedResponse

RESPONSE = np.array([0.0, 0.2, 0.7, 1.0, 0.8, 0.4, 0.1, -0.2, -0.1])


def onsets(rng, *, n_trials=40, blanks=True):
    """Every 3 volumes; with blanks a fifth of the trials is missing."""
    slots = 3 * np.arange(n_trials)
    return slots[rng.random(n_trials) > 0.2] if blanks else slots


def run_of(rng, onset_tr, *, noise=0.0, n_volumes=140):
    series = noise * rng.normal(size=(n_volumes, 2))
    for onset in onset_tr:
        rows = np.arange(onset, min(onset + len(RESPONSE), n_volumes))
        series[rows] += np.outer(RESPONSE[: len(rows)], [1.0, 2.0])
    return (series - series.mean(axis=0)).astype(np.float32)


def test_overlapping_responses_are_told_apart():
    rng, evoked = np.random.default_rng(0), EvokedResponse(len(RESPONSE))
    for _ in range(6):
        onset_tr = onsets(rng)
        evoked.add_run(run_of(rng, onset_tr), onset_tr)
    response, _ = evoked.solve()
    np.testing.assert_allclose(response, np.outer(RESPONSE, [1.0, 2.0]), atol=1e-5)


def test_an_average_after_onset_would_not_tell_them_apart():
    rng = np.random.default_rng(0)
    onset_tr = onsets(rng)
    series = run_of(rng, onset_tr)
    inside = onset_tr[onset_tr + len(RESPONSE) <= len(series)]
    average = np.mean([series[onset : onset + len(RESPONSE), 0] for onset in inside], axis=0)
    assert np.abs(average - RESPONSE).max() > 0.5


def test_the_standard_error_is_that_of_repeated_recordings():
    found, errors = [], []
    for seed in range(60):
        rng, evoked = np.random.default_rng(seed), EvokedResponse(len(RESPONSE))
        for _ in range(8):
            onset_tr = onsets(rng)
            evoked.add_run(run_of(rng, onset_tr, noise=1.0), onset_tr)
        response, error = evoked.solve()
        found.append(response)
        errors.append(error)
    spread = np.std(found, axis=0, ddof=1)
    assert np.mean(errors) / spread.mean() == pytest.approx(1, abs=0.2)


def test_trials_at_one_distance_tell_nothing():
    rng, evoked = np.random.default_rng(0), EvokedResponse(18)
    for _ in range(6):
        onset_tr = onsets(rng, blanks=False)
        evoked.add_run(run_of(rng, onset_tr), onset_tr)
    assert evoked.solve() is None


def test_one_run_has_no_standard_error():
    rng, evoked = np.random.default_rng(0), EvokedResponse(len(RESPONSE))
    onset_tr = onsets(rng)
    evoked.add_run(run_of(rng, onset_tr), onset_tr)
    assert np.isnan(evoked.solve()[1]).all()
