"""A store of betas is a store: the same trials, decoded by windows that hold betas and nothing else."""

import json

import numpy as np
import pytest

from tempgen.config.simulation import SimulationConfig
from tempgen.data.betas import choose_ridge_fractions, make_betas_store, mean_response
from tempgen.data.betas.designs import trial_design
from tempgen.data.betas.least_squares import lss_operator
from tempgen.data.deconvolution import HrfLibrary, VoxelHrf
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.scene_pool import draw_scene_pool
from tempgen.data.store import open_store, trials_of
from tempgen.data.store_drift import StoreDrift
from tempgen.data.window_dataset import WindowDataset
from tempgen.errors import ConfigError, StoreError
from tempgen.windows import Window

TR_S = 4 / 3
N_RUNS = 4


def quiet(line):
    """Swallow what a step says."""


@pytest.fixture(scope="module")
def subject():
    """The store of a static code of 3 s, and the true HRF of each voxel."""
    config = SimulationConfig(code="static", n_voxels=40, snr=0.7, mean_response=4, image_size=16)
    pool = draw_scene_pool(np.arange(1, 151), seed=0, size=16)
    designs = draw_designs(
        pool.features.image_ids, n_runs=N_RUNS, soa_slots=1, n_repetitions=2, rng=np.random.default_rng(0)
    )
    made = SimulatedSubject.of(config, designs, pool=pool)
    peaks_s = made.evoked.responses.time_to_peak_s
    library = HrfLibrary.double_gammas(peaks_s)
    index = np.searchsorted(library.time_to_peak_s, peaks_s - 0.01)
    return made.record(designs), VoxelHrf.given(library, index), made


def betas_of(store, **window):
    trials = np.ones(store.sizes["trial"], dtype=bool)
    return WindowDataset(store, trials, Window(**{"start_tr": 0, "n_tr": 1, "tr_s": TR_S} | window))


def agreement(store):
    """Correlation over voxels and pairs of the first betas of both presentations of an image."""
    betas, image = betas_of(store).volume(0), trials_of(store)["image_id"].to_numpy()
    pairs = [np.flatnonzero(image == one) for one in np.unique(image)]
    first, second = (np.concatenate([betas[p[k]] for p in pairs if len(p) == 2]) for k in (0, 1))
    return np.corrcoef(first, second)[0, 1]


def test_betas_stand_at_the_onsets_zscored_per_run_and_are_those_of_the_kernel(subject, tmp_path):
    store, hrf, _ = subject
    made = open_store(make_betas_store(store, tmp_path / "betas", hrf=hrf, say=quiet))
    assert (made.attrs["signal"], made.attrs["n_components"]) == ("betas", 1)
    assert made.attrs["fingerprint"] != store.attrs["fingerprint"]
    trials = trials_of(made)
    assert trials.equals(trials_of(store))
    run, onset_tr = trials["run"].to_numpy(), trials["onset_tr"].to_numpy()
    bold = made["bold"].values
    filled = np.isfinite(bold).all(axis=2)
    assert filled.sum() == len(trials)
    assert filled[run, onset_tr].all()
    assert not np.isfinite(bold[~filled]).any()
    of_run = bold[1][filled[1]]
    np.testing.assert_allclose(of_run.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(of_run.std(axis=0, ddof=1), 1, rtol=1e-5)

    voxel = 7
    design = trial_design(
        hrf.library,
        onset_tr[run == 1] * TR_S,
        duration_s=np.full((run == 1).sum(), 3.0),
        n_volumes=225,
        tr_s=TR_S,
    )[hrf.index[voxel]]
    wanted = lss_operator(design, StoreDrift().basis(225, tr_s=TR_S)) @ store["bold"].values[1, :, [voxel]].T
    wanted = wanted[:, 0, 0]
    np.testing.assert_allclose(
        of_run[:, voxel], (wanted - wanted.mean()) / wanted.std(ddof=1), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_array_equal(made["image"].values, store["image"].values)


@pytest.mark.parametrize("in_memory", [True, False])
def test_windows_without_betas_are_refused_instead_of_decoding_nan(subject, tmp_path, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.setattr("tempgen.data.window_dataset.IN_MEMORY_BYTES", 0)
    store, hrf, _ = subject
    path = make_betas_store(store, tmp_path / "betas", hrf=hrf, basis="early-late", say=quiet)
    made = open_store(path)
    both = betas_of(made, n_tr=2)
    assert np.isfinite(both.windows(0)).all()
    np.testing.assert_array_equal(both.windows_of(np.array([3, 5])), both.windows(0)[[3, 5]])
    # one component at a time: early at delta 0, late at delta 1
    np.testing.assert_array_equal(betas_of(made).windows(1)[:, 0], both.windows(0)[:, 1])
    for ask in (
        lambda: both.windows(1),
        lambda: both.windows_of(np.array([3]), -1),
        lambda: betas_of(made, start_tr=2, n_tr=6).windows(0),
        lambda: betas_of(made).volume(2),
    ):
        with pytest.raises(ConfigError, match=r"early,late.*volume 0,1 after each onset.*window.n_tr: 2"):
            ask()


def test_a_run_does_not_depend_on_any_other_run_nor_on_which_images_were_seen(subject, tmp_path):
    store, hrf, _ = subject
    made = open_store(make_betas_store(store, tmp_path / "betas", hrf=hrf, say=quiet))
    other = store.copy(deep=True)
    other["bold"][1:] = np.random.default_rng(1).normal(size=other["bold"][1:].shape)
    other["trial_image_id"][:] = other["trial_image_id"].values[::-1]
    again = open_store(make_betas_store(other, tmp_path / "again", hrf=hrf, say=quiet))
    np.testing.assert_array_equal(made["bold"].values[0], again["bold"].values[0])
    assert not np.array_equal(made["bold"].values[1], again["bold"].values[1], equal_nan=True)


def test_ridge_makes_betas_of_the_same_image_agree_better_than_least_squares_all(subject, tmp_path):
    store, hrf, _ = subject
    fractions = choose_ridge_fractions(store, range(N_RUNS - 1), hrf)
    assert fractions.shape == hrf.index.shape
    assert 0.2 < np.median(fractions) < 0.9
    free = make_betas_store(store, tmp_path / "lsa", hrf=hrf, method="lsa", say=quiet)
    shrunk = make_betas_store(
        store, tmp_path / "ridge", hrf=hrf, method="ridge", ridge_fraction=fractions, say=quiet
    )
    assert agreement(open_store(shrunk)) > agreement(open_store(free)) + 0.05
    np.testing.assert_array_equal(open_store(shrunk)["ridge_fraction"], fractions)


def test_ridge_fractions_ignore_runs_that_do_not_train(subject):
    store, hrf, _ = subject
    other = store.copy(deep=True)
    other["bold"][3] = np.random.default_rng(1).normal(size=other["bold"][3].shape)
    one_for_all = choose_ridge_fractions(store, range(3), hrf, per_voxel=False)
    np.testing.assert_array_equal(one_for_all, choose_ridge_fractions(other, range(3), hrf, per_voxel=False))
    assert len(np.unique(one_for_all)) == 1


def test_ridge_fractions_need_an_image_in_two_training_runs(subject):
    store, hrf, _ = subject
    with pytest.raises(ConfigError, match="No image occurs in two of the 1 training runs"):
        choose_ridge_fractions(store, [2], hrf)


def test_mean_response_is_the_one_that_was_simulated(subject):
    store, _, made = subject
    measured = mean_response(store, range(N_RUNS), range(15))
    truth = made.evoked.responses.kernel[0, :, :15].T  # of the part that all images share
    fits = [np.corrcoef(truth[:, v], measured["response"].values[:, v])[0, 1] for v in range(40)]
    assert np.median(fits) > 0.95
    assert (measured["response_se"] > 0).all()
    np.testing.assert_allclose(measured["lag_s"], np.arange(15) * TR_S)
    assert np.isnan(mean_response(store, [0], range(15))["response_se"]).all()


def test_trials_whose_response_the_run_does_not_hold_are_left_out(subject, tmp_path):
    store, hrf, _ = subject
    short = store.copy(deep=True)
    last = int(trials_of(store).query("run == 2")["onset_tr"].max())
    short["run_length"][2] = last + 4
    said = []
    made = open_store(make_betas_store(short, tmp_path / "betas", hrf=hrf, say=said.append))
    assert made.attrs["n_trials_without_betas"] == 1
    assert said[0].startswith("1 trials are left out")
    assert np.isfinite(betas_of(made).volume(0)).all()


def test_what_does_not_fit_is_refused_and_nothing_is_left_behind(subject, tmp_path):
    store, hrf, _ = subject
    out = tmp_path / "betas"
    with pytest.raises(ConfigError, match="needs a ridge_fraction"):
        make_betas_store(store, out, hrf=hrf, method="ridge")
    with pytest.raises(ConfigError, match="no use for one"):
        make_betas_store(store, out, hrf=hrf, ridge_fraction=0.3)
    with pytest.raises(ConfigError, match="Method 'lsq'"):
        make_betas_store(store, out, hrf=hrf, method="lsq")
    with pytest.raises(ConfigError, match="HRFs of 3 voxels"):
        make_betas_store(store, out, hrf=VoxelHrf.given(hrf.library, np.zeros(3, dtype=int)))
    with pytest.raises(StoreError, match="holds deconvolved"):
        make_betas_store(store.assign_attrs(signal="deconvolved"), out, hrf=hrf)
    close = store.copy(deep=True)
    close["trial_onset_tr"][1] = close["trial_onset_tr"][0] + 1
    with pytest.raises(StoreError, match="Trials 0 and 1 begin 1 volumes apart; each needs 2"):
        make_betas_store(close, out, hrf=hrf, basis="early-late")
    assert not list(tmp_path.iterdir())


def test_recipe_says_how_the_betas_were_made(subject, tmp_path):
    store, hrf, _ = subject
    made = open_store(make_betas_store(store, tmp_path / "betas", hrf=hrf, say=quiet))
    recipe = json.loads(made.attrs["recipe"])
    assert recipe["betas"]["of"] == store.attrs["fingerprint"]
    assert (recipe["betas"]["method"], recipe["betas"]["duration_s"]) == ("lss", "trial")
    assert recipe["simulate"] == json.loads(store.attrs["recipe"])["simulate"]


def test_ridge_of_fraction_one_is_least_squares_all(subject, tmp_path):
    store, hrf, _ = subject
    free = make_betas_store(store, tmp_path / "lsa", hrf=hrf, method="lsa", say=quiet)
    ridge = make_betas_store(
        store, tmp_path / "ridge", hrf=hrf, method="ridge", ridge_fraction=1.0, say=quiet
    )
    np.testing.assert_allclose(
        betas_of(open_store(ridge)).volume(0), betas_of(open_store(free)).volume(0), atol=2e-3
    )


def test_a_run_without_trials_has_no_betas(subject, tmp_path):
    store, hrf, _ = subject
    fewer = store.isel(trial=store["trial_run"].values != 1)
    made = open_store(make_betas_store(fewer, tmp_path / "betas", hrf=hrf, say=quiet))
    np.testing.assert_array_equal(
        np.isfinite(made["bold"]).any(("volume", "voxel")), [True, False, True, True]
    )
