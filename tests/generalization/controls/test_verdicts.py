"""Verdicts on results with known effects: right where a fault was planted, where there is none, and where nobody can tell."""

import numpy as np
import pytest

from tempgen.config import validate
from tempgen.config.controls import ControlsConfig
from tempgen.errors import ConfigError, ResultsError
from tempgen.generalization.controls import (
    Estimate,
    judge_after_blank,
    judge_before_onset,
    judge_motion,
    judge_neighbours,
    judge_no_overlap,
    judge_part,
    judge_permuted_images,
    judge_previous_image,
    judge_repetition,
    judge_retrained,
    judge_roi,
    mean_effect,
    metric_of_verdicts,
    undecided,
    verdict_dataset,
    verdict_table,
    verdicts_of,
)
from tempgen.generalization.controls.effects import effect_by_trial, effect_difference, home_effect
from tempgen.generalization.controls.verdict import judge_absence, judge_presence
from tests.generalization.controls.planted_effects import RULES, planted_effects

HOME = planted_effects({(0, 0): 0.3})
BEFORE = {(0, 0): 0.3, (0, -9): 0, (0, -8): 0, (-9, -9): 0, (-8, -8): 0}


def interval(mean, low, high):
    return Estimate(mean, low, high, n_trials=100, n_units=50, level=0.95)


@pytest.mark.parametrize(
    ("low", "high", "absence", "presence"),
    [
        (0.02, 0.08, "failed", "passed"),
        (0.01, 0.02, "passed", "failed"),
        (-0.03, 0.08, "passed", "failed"),
        (-0.20, 0.20, "not decided", "not decided"),
        (-0.20, -0.10, "passed", "failed"),
        (np.nan, np.nan, "not decided", "not decided"),
    ],
)
def test_wide_intervals_decide_nothing_and_narrow_ones_do(low, high, absence, presence):
    effect, reference = interval((low + high) / 2, low, high), interval(0.3, 0.25, 0.35)
    assert judge_absence(effect, reference, RULES) == absence
    assert judge_presence(effect, reference, RULES) == presence


def test_nothing_is_absent_beside_a_decoder_that_decodes_nothing():
    assert judge_absence(interval(0, -0.01, 0.01), interval(0.01, -0.01, 0.03), RULES) == "not decided"


def test_test_decides_where_there_is_one():
    effect, reference = interval(0.03, -0.01, 0.07), interval(0.3, 0.25, 0.35)
    assert judge_absence(effect, reference, RULES, p=0.01) == "failed"
    assert judge_absence(effect, reference, RULES, p=0.2) == "passed"


def test_mean_effect_is_the_planted_one_within_its_interval():
    estimate = mean_effect(home_effect(HOME, RULES), RULES)
    assert estimate.low < 0.3 < estimate.high
    assert estimate.high - estimate.low < 0.06
    assert (estimate.n_trials, estimate.n_units) == (200, 100)


def test_difference_is_paired_by_image():
    """What images have in common drops out: the interval is far narrower than that of either mean."""
    popularity = np.random.default_rng(1).normal(0, 0.5, 100)[np.arange(200) % 100]
    first, second = (
        home_effect(planted_effects({(0, 0): popularity + effect}, noise=0.02, seed=seed), RULES)
        for effect, seed in ((0.3, 2), (0.2, 3))
    )
    difference = effect_difference(first, second, RULES)
    assert difference.low < 0.1 < difference.high
    alone = mean_effect(first, RULES)
    assert difference.high - difference.low < (alone.high - alone.low) / 5


def test_baseline_of_each_trial_is_subtracted_where_it_was_measured():
    level = np.linspace(-0.2, 0.2, 200)
    results = planted_effects({(0, 0): 0.3 + level}, noise=0)
    dims = ("train_delta", "test_delta", "trial")
    results["identification_baseline"] = (dims, (0.5 + level)[None, None])
    np.testing.assert_allclose(home_effect(results, RULES), 0.3, atol=1e-6)


def test_distances_are_signed_so_that_better_is_larger():
    results = planted_effects({(0, 0): -0.3}, noise=0)
    results["identification"].attrs["direction"] = "lower is better"
    np.testing.assert_allclose(home_effect(results, RULES), 0.3, atol=1e-6)


@pytest.mark.parametrize("leaking", [(0, -8), (-8, -8)], ids=["general", "specialized"])
def test_image_before_its_onset_fails_whichever_decoder_shows_it(leaking):
    verdict = judge_before_onset(planted_effects(BEFORE | {leaking: 0.15}), RULES)
    assert verdict.verdict == "failed"
    assert verdict.p <= 0.05


def test_nothing_before_onset_passes():
    verdict = judge_before_onset(planted_effects(BEFORE), RULES)
    assert verdict.verdict == "passed"
    assert "lags -9,-8" in verdict.statement
    assert verdict.high < 0.1


def test_few_trials_before_onset_decide_nothing():
    assert (
        judge_before_onset(planted_effects(BEFORE, n_trials=12, noise=0.4, seed=2), RULES).verdict
        == "not decided"
    )


def test_lags_that_reach_onset_are_not_before_it():
    results = planted_effects({(0, 0): 0.3, (0, -7): 0.3})
    assert judge_before_onset(results, RULES).statement == "No window of these lags ends before onset."


@pytest.mark.parametrize(
    ("previous", "current", "verdict"),
    [(0.25, 0.05, "passed"), (0.05, 0.25, "failed"), (0.1, 0.1, "not decided")],
)
def test_window_one_trial_back_shows_the_previous_image(previous, current, verdict):
    cells = {(0, -3, "previous"): previous, (0, -3, "current"): current}
    results = planted_effects(cells, targets=("previous", "current"), noise=0.2)
    assert judge_previous_image(results, RULES, shift=3).verdict == verdict


@pytest.mark.parametrize(("effect", "verdict"), [(0.0, "passed"), (0.15, "failed")])
def test_decoders_trained_on_permuted_images_must_show_nothing(effect, verdict):
    retrained = [planted_effects({(0, 0): effect}, seed=seed) for seed in range(1, 6)]
    assert judge_retrained(retrained, HOME, RULES).verdict == verdict
    assert judge_retrained(retrained[:1], HOME, RULES).verdict == verdict
    assert judge_retrained(retrained[:2], HOME, RULES).verdict == "not decided"


@pytest.mark.parametrize(("null", "verdict"), [(0.5, "passed"), (0.8, "failed")])
def test_score_must_exceed_that_of_permuted_images(null, verdict):
    values = np.random.default_rng(0).normal(null, 0.02, (200, 1, 1))
    dims = ("permutation", "train_delta", "test_delta")
    assert judge_permuted_images(HOME.assign(identification_null=(dims, values)), RULES).verdict == verdict
    assert judge_permuted_images(HOME, RULES).verdict == "not decided"


@pytest.mark.parametrize(("inside", "verdict"), [(0.3, "passed"), (0.0, "failed")])
def test_image_must_be_decoded_in_each_part_of_the_trials(inside, verdict):
    part = np.arange(200) % 4 == 0
    results = planted_effects({(0, 0): np.where(part, inside, 0.3)}, n_images=200)
    assert judge_part(results, part, RULES, name="part", of_trials="every fourth trial").verdict == verdict
    assert judge_after_blank(results, part, RULES).verdict == verdict
    assert (
        judge_part(results, part & False, RULES, name="part", of_trials="no trial").verdict == "not decided"
    )


@pytest.mark.parametrize(("far", "verdict"), [(0.2, "passed"), (0.0, "failed")])
def test_generalization_counts_between_windows_without_common_volumes_only(far, verdict):
    lags = range(-2, 9)
    effects = {
        (train, test): (0.3 if abs(train - test) < 6 else far) if max(train, test) < 6 else 0.0
        for train in lags
        for test in lags
    }
    judged = judge_no_overlap(planted_effects(effects), RULES)
    assert judged.verdict == verdict
    # lags -2..5 are informative: pairs (-2, 4), (-2, 5), (-1, 5) in both orders
    assert "(6 cells)" in judged.statement


def test_matrix_whose_windows_all_overlap_decides_nothing():
    effects = {(train, test): 0.3 for train in range(4) for test in range(4)}
    assert judge_no_overlap(planted_effects(effects), RULES).verdict == "not decided"


def repetition_results(gain):
    halves = np.arange(0, 100, 2), np.arange(1, 100, 2)
    image = np.arange(200) % 100
    without = tuple(
        planted_effects({(0, 0): np.where(np.isin(image, half), 0.3, 0.3 + gain)}, seed=seed)
        for half, seed in zip(halves, (4, 5), strict=True)
    )
    return without, halves


@pytest.mark.parametrize(
    ("gain", "options", "verdict"),
    [
        (0.0, {"disjoint": False}, "passed"),
        (0.2, {"disjoint": False}, "failed"),
        (0.2, {"disjoint": True}, "passed"),
        (0.0, {"disjoint": True, "n_copies": 3}, "failed"),
    ],
)
def test_repeated_images_fail_where_they_raise_the_score_and_the_split_lets_them(gain, options, verdict):
    without, halves = repetition_results(gain)
    judged = judge_repetition(without, halves, HOME, RULES, **options)
    assert judged.verdict == verdict
    assert judged.low < gain < judged.high


@pytest.mark.parametrize(
    ("gain", "own", "n_shared", "verdict"),
    [
        (0.0, "by trial", 40, "passed"),
        (0.2, "by trial", 40, "failed"),
        (0.2, "by run", 0, "passed"),
    ],
)
def test_shared_volumes_fail_where_they_raise_the_score_of_the_own_split(gain, own, n_shared, verdict):
    by_trial = planted_effects({(0, 0): 0.3 + gain}, seed=6)
    judged = judge_neighbours(HOME, by_trial, RULES, own=own, n_shared=n_shared)
    assert judged.verdict == verdict
    assert judged.statistic == pytest.approx(gain, abs=0.05)


@pytest.mark.parametrize(("effect", "verdict"), [(0.0, "passed"), (0.1, "failed")])
def test_motion_must_tell_nothing(effect, verdict):
    assert judge_motion(planted_effects({(0, 0): effect}, seed=7), HOME, RULES).verdict == verdict


def test_region_without_the_image_refutes_nothing():
    silent, speaking = (planted_effects({(0, 0): effect}, seed=8) for effect in (0.0, 0.2))
    assert judge_roi(silent, HOME, RULES, roi="V1", n_voxels=5).verdict == "not decided"
    assert judge_roi(speaking, HOME, RULES, roi="V1", n_voxels=5).verdict == "passed"


def test_cells_that_were_not_scored_are_refused():
    with pytest.raises(ResultsError, match=r"no cell \(0, 5\)"):
        effect_by_trial(HOME, RULES, [(0, 5)])
    with pytest.raises(ResultsError, match="was not scored"):
        effect_by_trial(planted_effects({(0, 0): 0.0, (1, 1): 0.0}), RULES, [(0, 1)])
    with pytest.raises(ResultsError, match="'nothing', the results have identification"):
        metric_of_verdicts(HOME, ControlsConfig(metric="nothing"))


def test_one_unit_decides_nothing():
    rules = ControlsConfig(unit="run", n_draws=500)
    verdict = judge_motion(planted_effects({(0, 0): 0.3}, n_trials=20), HOME, rules)
    assert verdict.verdict == "not decided"
    assert "no interval over 1 unit" in verdict.statement


def test_verdicts_survive_the_dataset_and_show_as_a_table():
    verdicts = [judge_before_onset(planted_effects(BEFORE), RULES), undecided("motion", "Why?", "none.")]
    dataset = verdict_dataset(verdicts, {"subject": "1"})
    again = verdicts_of(dataset)
    assert again[0] == verdicts[0]
    assert (again[1].verdict, again[1].statement) == ("not decided", "none.")
    assert verdict_table(dataset).loc["motion", "question"] == "Why?"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"only": ["motoin"]}, "no control 'motoin'"),
        ({"rois": {"a/b": "streams == 1"}}, "'a/b' names a folder"),
        ({"rois": {"a": "streams ="}}, "controls.rois.a is 'streams ='"),
        ({"tolerance": 2}, "tolerance"),
    ],
)
def test_rules_that_cannot_be_are_refused(given, complaint):
    with pytest.raises(ConfigError, match=complaint):
        validate(ControlsConfig, given, origin="the test")
