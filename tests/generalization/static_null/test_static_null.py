"""The static null: its decoders are ridge, its surrogates are the model's, and it tells a turning code from overlap."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.linear_model import Ridge

from tempgen.config.dynamics import DynamicsConfig
from tempgen.config.simulation import SimulationConfig
from tempgen.config.split import SplitConfig
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.scene_pool import draw_scene_pool
from tempgen.data.store import trials_of
from tempgen.errors import DecoderError, ResultsError
from tempgen.generalization.static_null import (
    METRIC,
    LagDecoders,
    StaticSubject,
    judge_null,
    matrix_index,
    static_null,
    strong_lags,
)
from tempgen.generalization.static_null.index import separated_pairs
from tempgen.generalization.summaries import dynamics_index
from tempgen.windows import Window
from tempgen.workflow.dynamics_steps import DynamicsSubject
from tempgen.workflow.encoding_features import encoding_features

N_RUNS = 12


@pytest.fixture(scope="module")
def pool():
    return draw_scene_pool(np.arange(1, 261), seed=0, size=16)


@pytest.fixture(scope="module")
def subjects(pool):
    """A strong subject of each code, by code."""
    made = {}
    for code in ("static", "rotating"):
        rng = np.random.default_rng(0)
        designs = draw_designs(pool.features.image_ids, n_runs=N_RUNS, soa_slots=1, n_repetitions=3, rng=rng)
        config = SimulationConfig(
            code=code, snr=1.5, n_voxels=60, n_sessions=1, image_size=16, time_to_peak_s=(3, 6.5)
        )
        store = SimulatedSubject.of(config, designs, pool=pool).record(designs)
        rules = DynamicsConfig(n_features=8, n_surrogates=19, n_bootstrap=19)
        features = encoding_features(store, rules.encoding)
        made[code] = DynamicsSubject(store, features, rules, SplitConfig(n_test_runs=3))
    return made


def test_decoders_are_those_of_ridge(subjects):
    subject = subjects["static"]
    store, split = subject.store, subject.split
    targets = subject.features.loc[trials_of(store)["image_id"]].to_numpy()
    decoders = LagDecoders(
        store,
        targets,
        train=split.train,
        test=split.test,
        window=Window(1, 2, 4 / 3),
        deltas=[2, 5],
        alphas=[0.5],
    )
    bold = store["bold"].values
    score = decoders.matrix(bold, {2: 0.5, 5: 0.5})
    trials = trials_of(store)

    def windows(chosen, delta):
        table = trials[chosen]
        volumes = table["onset_tr"].to_numpy()[:, None] + 1 + delta + np.arange(2)
        return bold[table["run"].to_numpy()[:, None], volumes].reshape(len(table), -1).astype(np.float64)

    seen = windows(split.train, 2)
    scale = ((seen - seen.mean(axis=0)) ** 2).sum() / min(seen.shape)
    ridge = Ridge(alpha=0.5 * scale).fit(seen, targets[split.train])
    decoded, shown = ridge.predict(windows(split.test, 5)), targets[split.test]
    expected = [np.corrcoef(decoded[:, k], shown[:, k])[0, 1] for k in range(shown.shape[1])]
    assert score[0, 1] == pytest.approx(np.mean(expected), abs=2e-4)


def test_the_mean_over_trials_of_a_result_is_the_matrix(subjects):
    subject = subjects["static"]
    decoders = subject.decoders([2, 4])
    results, penalties = decoders.results(subject.store["bold"].values)
    mean = results[METRIC].isel(target=0).mean("trial")
    np.testing.assert_allclose(mean, decoders.matrix(subject.store["bold"].values, penalties), atol=1e-5)


def test_more_voxels_than_trials_give_the_same_decoders(subjects):
    """The dual form; copies of voxels change nothing but the penalty's unit."""
    subject = subjects["static"]
    bold = subject.store["bold"].values
    few = np.zeros_like(subject.split.train)
    few[np.flatnonzero(subject.split.train)[:50]] = True
    targets = subject.features.loc[trials_of(subject.store)["image_id"]].to_numpy()
    decoders = LagDecoders(
        subject.store,
        targets,
        train=few,
        test=subject.split.test,
        window=subject.window,
        deltas=[3],
        alphas=[1.0],
    )
    # the unit is the mean diagonal of the smaller Gram matrix: 50 trials in both
    assert decoders.matrix(np.tile(bold, 2), {3: 1.0})[0, 0] == pytest.approx(
        decoders.matrix(bold, {3: 1.0})[0, 0], abs=1e-4
    )


def test_the_index_of_equal_pairs_is_that_of_the_summaries(subjects):
    """One pair: the ratio of the sums is the mean of the ratio."""
    subject = subjects["rotating"]
    results, _ = subject.decoders([3, 7]).results(subject.store["bold"].values)
    mask = xr.DataArray([True, True], dims="test_delta", coords={"test_delta": [3, 7]})
    summary = dynamics_index(results, METRIC, min_separation=2, mask=mask)
    score = results[METRIC].isel(target=0).mean("trial").to_numpy()
    pairs = separated_pairs(np.array([3, 7]), np.array([True, True]), min_separation=2)
    assert matrix_index(score, pairs) == pytest.approx(float(summary["dynamics"]), abs=1e-6)


def test_no_pair_of_lags_has_no_index():
    assert np.isnan(matrix_index(np.eye(3), np.zeros((0, 2), dtype=np.int64)))


def test_a_refit_to_the_same_recording_gives_the_same_model(subjects):
    subject = subjects["static"]
    static = StaticSubject.of(subject.store, subject.features)
    again = static.refitted(static.bold)
    np.testing.assert_allclose(again.coefficients, static.coefficients, atol=2e-4)


def test_a_recording_differs_from_the_bold_by_signs_of_the_residuals(subjects):
    subject = subjects["static"]
    static = StaticSubject.of(subject.store, subject.features)
    recorded = static.record((1, 2))
    np.testing.assert_array_equal(static.record((1, 2)), recorded)
    assert recorded.dtype == np.float32
    np.testing.assert_allclose(recorded.std(axis=1, ddof=1), 1, rtol=1e-5)
    same = [np.allclose(recorded[run], static.bold[run], atol=0.02) for run in range(N_RUNS)]
    assert 0 < sum(same) < N_RUNS
    flipped = same.index(False)
    predicted = static.columns_of_run[flipped] @ static.coefficients
    mirrored = 2 * predicted - static.bold[flipped, : len(predicted)]
    np.testing.assert_allclose(
        recorded[flipped, : len(predicted)], mirrored / mirrored.std(axis=0, ddof=1), atol=1e-4
    )


def test_a_static_code_is_like_its_null_and_a_rotating_one_is_not(subjects):
    static, rotating = (subjects[code].static_null() for code in ("static", "rotating"))
    assert float(static["p"]) > 0.05
    assert float(rotating["p"]) == pytest.approx(1 / 20)
    assert float(rotating["observed"]) > float(rotating["null"].max())


def test_the_same_seed_gives_the_same_null(subjects):
    subject = subjects["static"]
    options = {"n_surrogates": 2, "seed": 3}
    first, second = (
        static_null(subject.decoders([2, 4, 6]), subject.store, subject.features, **options) for _ in range(2)
    )
    xr.testing.assert_identical(first, second)


def test_features_that_nobody_answers_to_leave_it_undecided(subjects):
    subject = subjects["static"]
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.standard_normal(subject.features.shape), index=subject.features.index)
    targets = noise.loc[trials_of(subject.store)["image_id"]].to_numpy()
    decoders = LagDecoders(
        subject.store,
        targets,
        train=subject.split.train,
        test=subject.split.test,
        window=subject.window,
        deltas=[2, 5],
    )
    found = static_null(decoders, subject.store, noise, n_surrogates=2)
    assert np.isnan(float(found["p"]))
    assert found.attrs["reason"]


def test_weak_lags_are_left_out(subjects):
    results, _ = subjects["static"].decoders(range(1, 13)).results(subjects["static"].store["bold"].values)
    strong, all_above = strong_lags(results), strong_lags(results, least_share=0.0)
    assert 0 < int(strong.sum()) < int(all_above.sum())


@pytest.mark.parametrize(
    ("changed", "message"), [({"alphas": [0.0]}, "positive"), ({"test": False}, "0 test trials")]
)
def test_decoders_refuse_what_they_cannot_use(subjects, changed, message):
    subject = subjects["static"]
    given = {
        "train": subject.split.train,
        "test": subject.split.test,
        "window": subject.window,
        "deltas": [2],
    }
    if "test" in changed:
        changed = {"test": np.zeros_like(subject.split.test)}
    targets = np.ones((subject.store.sizes["trial"], 2))
    with pytest.raises(DecoderError, match=message):
        LagDecoders(subject.store, targets, **(given | changed))


def test_a_null_needs_surrogates(subjects):
    subject = subjects["static"]
    with pytest.raises(ResultsError, match="n_surrogates=0"):
        static_null(subject.decoders([2]), subject.store, subject.features, n_surrogates=0)


def test_surrogates_that_nobody_decodes_leave_it_undecided(subjects, monkeypatch):
    subject = subjects["static"]
    decoders = subject.decoders([2, 4, 6])
    monkeypatch.setattr(LagDecoders, "matrix", lambda self, bold, penalties: np.full((3, 3), -0.01))
    found = static_null(decoders, subject.store, subject.features, n_surrogates=2)
    assert "in 2 of 2 surrogates no decoder is above chance" in found.attrs["reason"]
    assert np.isnan(float(found["p"]))
    assert judge_null(found, alpha=0.5, negligible=0.1).verdict == "undecided"
