"""Single-trial betas and mean responses equal nilearn's GLM, and what they claim by definition."""

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import make_first_level_design_matrix, run_glm

from tempgen.data.betas.designs import trial_design
from tempgen.data.betas.least_squares import apply_operator, lsa_operator, lss_operator
from tempgen.data.betas.mean_response import fir_design, fir_response
from tempgen.data.betas.ridge import RidgeRun, penalties_of
from tempgen.data.deconvolution.library import HrfLibrary
from tempgen.data.store_drift import StoreDrift
from tempgen.errors import ConfigError, StoreError

TR_S, N_VOLUMES = 4 / 3, 120
ONSET_TR = np.array([6, 9, 12, 18, 21, 24, 27, 33, 36, 42, 45, 48, 54, 57, 60, 66, 69, 72, 75, 81])
THREE_S = np.full(len(ONSET_TR), 3.0)
FRAME_TIMES_S = np.arange(N_VOLUMES) * TR_S
DRIFT = {"drift_model": "cosine", "high_pass": 1 / 128}


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(N_VOLUMES, 30))
    return 1000 + np.cumsum(noise, axis=0)  # slow, like BOLD


def nilearn_design(trial_types, hrf_model, **options):
    events = pd.DataFrame({"onset": ONSET_TR * TR_S, "duration": 3.0, "trial_type": trial_types})
    return make_first_level_design_matrix(FRAME_TIMES_S, events, hrf_model=hrf_model, **DRIFT, **options)


def nilearn_betas(design, series):
    """By name of regressor, each (n_voxels,)."""
    labels, models = run_glm(series, design.to_numpy(), noise_model="ols")
    theta = np.zeros((design.shape[1], series.shape[1]))
    for label, model in models.items():
        theta[:, labels == label] = model.theta
    return dict(zip(design.columns, theta, strict=True))


def single_trials(hrf_model):
    """nilearn's regressors of single trials, (n_volumes, n_trials, n_components), and its nuisance."""
    names = [f"trial{k:02d}" for k in range(len(ONSET_TR))]
    design = nilearn_design(names, hrf_model)
    suffixes = [""] if hrf_model == "spm" else ["", "_derivative"]
    trials = np.stack([design[[name + suffix for suffix in suffixes]] for name in names], axis=1)
    nuisance = [name for name in design.columns if not name.startswith("trial")]
    return design, trials, design[nuisance].to_numpy(), [[n + s for s in suffixes] for n in names]


@pytest.mark.parametrize("hrf_model", ["spm", "spm + derivative"])
def test_least_squares_all_equals_nilearns_glm(series, hrf_model):
    design, trials, nuisance, names = single_trials(hrf_model)
    theirs = nilearn_betas(design, series)
    ours = lsa_operator(trials, nuisance) @ series
    np.testing.assert_allclose(ours, [[theirs[n] for n in trial] for trial in names], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("hrf_model", ["spm", "spm + derivative"])
def test_least_squares_separate_equals_one_nilearn_glm_for_each_trial(series, hrf_model):
    _, trials, nuisance, _ = single_trials(hrf_model)
    ours = lss_operator(trials, nuisance) @ series
    for trial in range(len(ONSET_TR)):
        types = np.where(np.arange(len(ONSET_TR)) == trial, "this", "others")
        theirs = nilearn_betas(nilearn_design(types, hrf_model), series)
        wanted = [theirs[name] for name in theirs if name.startswith("this")]
        np.testing.assert_allclose(ours[trial], wanted, rtol=1e-6, atol=1e-6)


def test_mean_response_equals_nilearns_finite_impulse_response(series):
    events = pd.DataFrame({"onset": ONSET_TR * TR_S, "duration": 0.0, "trial_type": "trial"})
    with pytest.warns(UserWarning, match="null duration"):
        design = make_first_level_design_matrix(
            FRAME_TIMES_S, events, hrf_model="fir", fir_delays=range(12), oversampling=50, **DRIFT
        )
    theirs = nilearn_betas(design, series)
    nuisance = design[[n for n in design.columns if not n.startswith("trial")]].to_numpy()
    ours = fir_response(series, fir_design(ONSET_TR, lags=range(12), n_volumes=N_VOLUMES), nuisance)
    # an instant is one sample of nilearn's oversampled grid, and its regressors are 1/50 high
    wanted = np.array([theirs[f"trial_delay_{k}"] for k in range(12)]) / 50
    np.testing.assert_allclose(ours, wanted, rtol=1e-6, atol=1e-6)


def test_regressors_of_the_canonical_hrf_are_nilearns_up_to_its_sampling(series):
    ours = trial_design(
        HrfLibrary.canonical(), ONSET_TR * TR_S, duration_s=THREE_S, n_volumes=N_VOLUMES, tr_s=TR_S
    )[0]
    theirs = single_trials("spm")[1]
    for trial in range(len(ONSET_TR)):
        assert np.corrcoef(ours[:, trial, 0], theirs[:, trial, 0])[0, 1] > 0.995


def test_early_and_late_regressors_sum_to_that_of_the_whole():
    options = {"duration_s": THREE_S, "n_volumes": N_VOLUMES, "tr_s": TR_S}
    library = HrfLibrary.default()
    whole = trial_design(library, ONSET_TR * TR_S, **options)
    halves = trial_design(library, ONSET_TR * TR_S, basis="early-late", **options)
    assert halves.shape == (20, N_VOLUMES, len(ONSET_TR), 2)
    np.testing.assert_allclose(halves.sum(axis=3), whole[..., 0], atol=1e-12)
    peak = halves[:, :, 0].argmax(axis=1)
    assert (peak[:, 1] >= peak[:, 0]).all()


def test_betas_that_made_a_series_are_found_again_whatever_the_drift():
    rng = np.random.default_rng(1)
    design = trial_design(
        HrfLibrary.canonical(),
        ONSET_TR * TR_S + 0.4,  # onsets between volumes
        duration_s=THREE_S,
        basis="early-late",
        n_volumes=N_VOLUMES,
        tr_s=TR_S,
    )[0]
    nuisance = StoreDrift().basis(N_VOLUMES, tr_s=TR_S)
    betas = rng.normal(size=(len(ONSET_TR), 2, 5))
    made = np.einsum("tnc,ncv->tv", design, betas) + nuisance @ rng.normal(size=(nuisance.shape[1], 5)) * 9
    np.testing.assert_allclose(lsa_operator(design, nuisance) @ made, betas, atol=1e-8)


def test_the_only_trial_of_a_run_is_regressed_alone(series):
    _, trials, nuisance, _ = single_trials("spm")
    one = trials[:, :1]
    np.testing.assert_allclose(lss_operator(one, nuisance), lsa_operator(one, nuisance), atol=1e-12)


def test_betas_of_trials_that_cannot_be_told_apart_are_refused():
    _, trials, nuisance, _ = single_trials("spm")
    twice = np.concatenate([trials, trials[:, :1]], axis=1)
    with pytest.raises(StoreError, match="21 regressors of single trials, of which 20"):
        lsa_operator(twice, nuisance)


@pytest.mark.parametrize("fraction", [0.03, 0.5, 0.99])
def test_ridge_betas_have_the_asked_fraction_of_their_least_squares_length(series, fraction):
    _, trials, nuisance, _ = single_trials("spm")
    free = apply_operator(lsa_operator(trials, nuisance), series)
    run = RidgeRun.of(trials, nuisance)
    betas = run.betas(run.coordinates(series), fraction)
    ratio = np.linalg.norm(betas, axis=(0, 1)) / np.linalg.norm(free, axis=(0, 1))
    np.testing.assert_allclose(ratio, fraction, rtol=1e-4)


def test_ridge_betas_solve_the_penalized_normal_equations(series):
    _, trials, nuisance, _ = single_trials("spm")
    run = RidgeRun.of(trials, nuisance)
    fractions = np.linspace(0.1, 1, series.shape[1])
    coordinates = run.coordinates(series)
    penalty = penalties_of(coordinates, run.singular, fractions)
    betas = run.betas(coordinates, fractions)[:, 0]
    both = np.hstack([trials[..., 0], nuisance])
    for voxel in (0, 13, 29):
        penalties = np.diag([penalty[voxel]] * len(ONSET_TR) + [0.0] * nuisance.shape[1])
        wanted = np.linalg.solve(both.T @ both + penalties, both.T @ series[:, voxel])
        np.testing.assert_allclose(betas[:, voxel], wanted[: len(ONSET_TR)], rtol=2e-4, atol=1e-5)
    assert penalty[-1] == 0


def test_ridge_fraction_of_one_gives_least_squares_all_and_a_voxel_without_signal_gives_zero(series):
    _, trials, nuisance, _ = single_trials("spm")
    flat = np.column_stack([series, np.zeros(N_VOLUMES)])
    free = apply_operator(lsa_operator(trials, nuisance), flat)
    run = RidgeRun.of(trials, nuisance)
    coordinates = run.coordinates(flat)
    np.testing.assert_allclose(run.betas(coordinates, 1.0), free, rtol=1e-3, atol=1e-3)
    assert not run.betas(coordinates, 0.3)[..., -1].any()


@pytest.mark.parametrize("fraction", [0.0, 1.2, np.nan])
def test_ridge_fraction_beyond_0_to_1_is_refused(series, fraction):
    _, trials, nuisance, _ = single_trials("spm")
    run = RidgeRun.of(trials, nuisance)
    with pytest.raises(ConfigError, match="above 0 and at most 1"):
        run.betas(run.coordinates(series), fraction)
