import tracemalloc

import numpy as np
import pytest

from tempgen.decoders import target_components
from tempgen.decoders.ridge_solver import fit_ridge_lags
from tempgen.decoders.target_components import fit_component_lags, principal_axes, token_blocks
from tempgen.errors import DecoderError

WHOLE = (slice(None),)
ALPHAS = tuple(10.0 ** np.arange(-2, 4))


@pytest.fixture
def trials():
    """Twelve runs of 30 trials: three components of 40 targets can be decoded, the rest cannot."""
    rng = np.random.default_rng(0)
    content = rng.normal(size=(360, 3))
    bold = (content @ rng.normal(size=(3, 50)) + rng.normal(size=(360, 50))).astype(np.float32)
    seen = 3 * content @ np.linalg.qr(rng.normal(size=(40, 3)))[0].T
    targets = (seen + rng.normal(size=(360, 40))).astype(np.float32)
    return bold, seen.astype(np.float32), targets, np.repeat(np.arange(12), 30)


def fitted(fit, bold, targets, runs, **options):
    some = {"deltas": [0], "start_tr": 0, "n_tr": 1, "alphas": ALPHAS, "groups": runs, "n_folds": 3}
    ((_, found),) = fit(lambda offset: bold, targets, **some, **options)
    return found


def test_axes_are_orthonormal_and_sorted_by_variance(trials):
    targets = trials[2]
    axes = principal_axes(targets)
    np.testing.assert_allclose(axes.T @ axes, np.eye(40), atol=1e-5)
    variances = ((targets - targets.mean(axis=0)) @ axes).var(axis=0)
    assert (np.diff(variances) < 1e-4).all()
    np.testing.assert_allclose(variances[0], np.linalg.svd(np.cov(targets.T, bias=True))[1][0], rtol=1e-4)


def test_what_cannot_be_decoded_is_silenced(trials):
    bold, seen, targets, runs = trials
    train, test = runs < 9, runs >= 9
    errors, noise = {}, {}
    unseen = np.linalg.svd(seen, full_matrices=True)[2][3:]  # directions without content
    for fit, options in (
        (fit_ridge_lags, {"alpha_per_target": True}),
        (fit_component_lags, {"blocks": WHOLE}),
    ):
        found = fitted(fit, bold[train], targets[train], runs[train], **options)
        predicted = bold[test] @ found.coef[0] + found.intercept
        errors[fit] = np.mean((predicted - targets[test]) ** 2)
        noise[fit] = np.mean((predicted @ unseen.T) ** 2)
    assert noise[fit_component_lags] < 0.75 * noise[fit_ridge_lags]
    assert errors[fit_component_lags] < errors[fit_ridge_lags]


def test_with_a_single_penalty_nothing_changes(trials):
    bold, _, targets, _ = trials
    some = {"deltas": [0], "start_tr": 0, "n_tr": 1, "alphas": (1.0,), "groups": None}
    found = [
        next(iter(fit(lambda offset: bold, targets, **some, **options)))[1]
        for fit, options in ((fit_ridge_lags, {}), (fit_component_lags, {"blocks": token_blocks(10)}))
    ]
    np.testing.assert_allclose(found[0].coef, found[1].coef, atol=1e-4)
    np.testing.assert_allclose(found[0].intercept, found[1].intercept, atol=1e-4)


def test_components_of_one_block_do_not_mix_with_those_of_another(trials):
    bold, _, targets, runs = trials
    both = fitted(fit_component_lags, bold, targets, runs, blocks=token_blocks(10))
    first = fitted(fit_component_lags, bold, targets[:, :10], runs, blocks=WHOLE)
    np.testing.assert_allclose(both.coef[..., :10], first.coef, atol=1e-4)
    np.testing.assert_allclose(both.alpha[:10], first.alpha)


def test_components_of_many_targets_are_those_of_all_axes(trials, monkeypatch):
    bold, _, targets, runs = (part[::12] for part in trials)  # 30 trials, 40 targets
    all_axes = fitted(fit_component_lags, bold, targets, runs, blocks=WHOLE)
    monkeypatch.setattr(target_components, "WIDE", 39)
    assert principal_axes(targets).shape == (40, 30)
    few_axes = fitted(fit_component_lags, bold, targets, runs, blocks=WHOLE)
    np.testing.assert_allclose(few_axes.coef, all_axes.coef, atol=1e-4)
    np.testing.assert_allclose(few_axes.intercept, all_axes.intercept, atol=1e-4)
    np.testing.assert_allclose(few_axes.alpha[:29], all_axes.alpha[:29])


def test_memory_of_the_axes_does_not_grow_with_the_square_of_the_targets():
    values = np.random.default_rng(0).normal(size=(20, 20_000)).astype(np.float32)
    tracemalloc.start()
    axes = principal_axes(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * values.nbytes
    np.testing.assert_allclose(axes.T @ axes, np.eye(20), atol=1e-5)


def test_bad_targets_are_refused_as_ever(trials):
    bold, _, targets, runs = trials
    targets[3, 4] = np.nan
    with pytest.raises(DecoderError, match="not finite"):
        fitted(fit_component_lags, bold, targets, runs, blocks=WHOLE)
