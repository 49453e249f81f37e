"""Ridge at many lags against scikit-learn in float64, looped over lags, folds and alphas."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tempgen.decoders import linear_algebra
from tempgen.decoders.linear_algebra import NumpyAlgebra, inverse_cholesky_in_place
from tempgen.decoders.ridge_fit import ridge_memory_bytes
from tempgen.decoders.ridge_folds import assign_folds
from tempgen.decoders.ridge_prediction import predict_ridge_lags
from tempgen.decoders.ridge_solver import fit_ridge_lags
from tempgen.errors import DecoderError

START_TR, N_TR, N_TRIALS, N_VOXELS, N_TARGETS, N_RUNS = 2, 3, 160, 40, 5, 8
ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0)
DELTAS = (-2, -1, 0, 1, 2)


class Recording:
    """Volumes of made-up trials, in which the targets are decodable, better or worse, at every lag; counts its reads."""

    def __init__(self, n_trials=N_TRIALS, n_voxels=N_VOXELS, seed=0):
        rng = np.random.default_rng(seed)
        self.targets = (3 + rng.standard_normal((n_trials, N_TARGETS))).astype(np.float32)
        tuning = np.random.default_rng(100).standard_normal((N_TARGETS, n_voxels))
        self.volumes = {}
        for offset in range(-3, 12):
            strength = 0.3 * np.exp(-(((offset - 4) / 3) ** 2))
            bold = 0.5 + strength * self.targets @ tuning + rng.standard_normal((n_trials, n_voxels))
            self.volumes[offset] = bold.astype(np.float32)
        self.groups = np.arange(n_trials) * N_RUNS // n_trials
        self.reads = []

    def __call__(self, offset):
        self.reads.append(offset)
        return self.volumes[offset]

    def window(self, delta):
        volumes = [self.volumes[START_TR + delta + k] for k in range(N_TR)]
        return np.concatenate(volumes, axis=1).astype(np.float64)

    def fit(self, **changes):
        settings = {
            "deltas": DELTAS,
            "start_tr": START_TR,
            "n_tr": N_TR,
            "alphas": ALPHAS,
            "groups": self.groups,
            "n_folds": 4,
        }
        settings |= changes
        return dict(fit_ridge_lags(self, settings.pop("targets", self.targets), **settings))


def _sklearn_error(recording, delta, *, scale, fold):
    """Mean squared error on held-out runs by refitting, (n_alphas, n_targets)."""
    features, targets = recording.window(delta), recording.targets
    error = np.zeros((len(ALPHAS), N_TARGETS))
    for index, alpha in enumerate(ALPHAS):
        for held_out in (fold == k for k in range(fold.max() + 1)):
            model = Ridge(alpha=alpha * scale).fit(features[~held_out], targets[~held_out])
            error[index] += ((model.predict(features[held_out]) - targets[held_out]) ** 2).sum(axis=0)
    return error / (fold >= 0).sum()


@pytest.fixture(scope="module")
def train():
    return Recording()


@pytest.fixture(scope="module")
def new_trials():
    return Recording(n_trials=30, seed=1)


@pytest.fixture(scope="module")
def fits(train):
    return train.fit()


@pytest.fixture(params=[None, "cpu"], ids=["numpy", "torch"])
def device(request):
    if request.param is not None:
        pytest.importorskip("torch")
    return request.param


@pytest.mark.parametrize("n_folds", [1, 2, 4, 8])
def test_held_out_errors_equal_those_of_refitting_without_the_held_out_runs(train, n_folds, device):
    fold = assign_folds(train.groups, n_folds=n_folds)
    for delta, fit in train.fit(deltas=(-2, 1), n_folds=n_folds, device=device).items():
        expected = _sklearn_error(train, delta, scale=fit.alpha_scale, fold=fold)
        np.testing.assert_allclose(fit.cv_error, expected, rtol=1e-4)


def test_the_alpha_with_the_least_error_summed_over_targets_is_chosen(fits):
    for fit in fits.values():
        assert set(fit.alpha) == {ALPHAS[fit.cv_error.sum(axis=1).argmin()]}


def test_alphas_per_target_are_each_targets_best_and_its_coefficients_are_theirs(train):
    targets = train.targets.copy()
    targets[:, 0] = np.random.default_rng(5).standard_normal(len(targets))  # noise wants the largest alpha
    fit = train.fit(targets=targets, alpha_per_target=True, deltas=(0,))[0]
    np.testing.assert_array_equal(fit.alpha, np.array(ALPHAS)[fit.cv_error.argmin(axis=0)])
    assert len(set(fit.alpha)) > 1
    for target, alpha in enumerate(fit.alpha):
        alone = train.fit(targets=targets, alphas=(alpha,), deltas=(0,))[0]
        np.testing.assert_allclose(fit.coef[:, :, target], alone.coef[:, :, target], rtol=1e-4, atol=1e-6)


def test_every_cell_of_the_matrix_equals_scikit_learn_fitted_and_predicting_by_hand(
    train, new_trials, fits, device
):
    cells = predict_ridge_lags(new_trials, fits, test_deltas=DELTAS, start_tr=START_TR, device=device)
    found = {(row, column): predicted for row, column, predicted in cells}
    assert list(found) == sorted(found, key=lambda cell: (cell[1], cell[0]))
    assert len(found) == len(DELTAS) ** 2
    for row in DELTAS:
        model = Ridge(alpha=fits[row].alpha[0] * fits[row].alpha_scale).fit(train.window(row), train.targets)
        for column in DELTAS:
            expected = model.predict(new_trials.window(column))
            np.testing.assert_allclose(found[row, column], expected, atol=1e-4 * expected.std())


def test_the_same_trials_on_torch_give_the_same_decoder(train, fits):
    pytest.importorskip("torch")
    for delta, fit in train.fit(device="cpu").items():
        np.testing.assert_array_equal(fit.alpha, fits[delta].alpha)
        np.testing.assert_allclose(fit.coef, fits[delta].coef, atol=1e-5 * np.abs(fit.coef).max())


def test_a_lag_gets_the_same_fit_whatever_other_lags_are_asked_for_and_in_which_order(train, fits):
    for fit in (train.fit(deltas=(1,))[1], train.fit(deltas=(2, 1, -2, 1))[1]):
        np.testing.assert_array_equal(fit.coef, fits[1].coef)
        np.testing.assert_array_equal(fit.cv_error, fits[1].cv_error)


def test_a_cell_is_the_same_alone_as_in_the_matrix(new_trials, fits):
    settings = {"test_deltas": DELTAS, "start_tr": START_TR}
    matrix = {(row, column): cell for row, column, cell in predict_ridge_lags(new_trials, fits, **settings)}
    wanted = {(0, delta) for delta in DELTAS} | {(delta, delta) for delta in DELTAS}
    some = {
        (row, column): cell
        for row, column, cell in predict_ridge_lags(new_trials, fits, cells=wanted, **settings)
    }
    assert set(some) == wanted
    for cell, predicted in some.items():
        np.testing.assert_allclose(predicted, matrix[cell], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 7, 10_000])
def test_predictions_do_not_depend_on_how_many_lags_are_predicted_together(
    new_trials, fits, monkeypatch, columns
):
    expected = [
        cell for *_, cell in predict_ridge_lags(new_trials, fits, test_deltas=DELTAS, start_tr=START_TR)
    ]
    monkeypatch.setattr("tempgen.decoders.ridge_prediction.COLUMNS_AT_ONCE", columns)
    found = [cell for *_, cell in predict_ridge_lags(new_trials, fits, test_deltas=DELTAS, start_tr=START_TR)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_each_distinct_volume_is_read_once_in_ascending_order(train, new_trials):
    train.reads.clear(), new_trials.reads.clear()
    fits = train.fit(deltas=(-2, 2, 1))
    list(predict_ridge_lags(new_trials, fits, test_deltas=(-2, 2), start_tr=START_TR))
    assert train.reads == [0, 1, 2, 3, 4, 5, 6]
    assert new_trials.reads == [0, 1, 2, 4, 5, 6]


def test_volumes_and_targets_are_not_changed(train):
    before = {offset: bold.copy() for offset, bold in train.volumes.items()}, train.targets.copy()
    train.fit()
    np.testing.assert_array_equal(train.targets, before[1])
    assert all(np.array_equal(bold, before[0][offset]) for offset, bold in train.volumes.items())


def test_fits_arrive_one_by_one_in_ascending_order(train):
    fits = fit_ridge_lags(train, train.targets, deltas=(1, 0), start_tr=2, n_tr=3, alphas=(1.0,), groups=None)
    assert next(fits)[0] == 0
    read_for_the_first = len(train.reads)
    assert next(fits)[0] == 1
    assert len(train.reads) == read_for_the_first + 1  # one volume more: the others were kept


def test_the_alpha_grid_means_the_same_whatever_the_scale_of_bold_and_the_number_of_voxels(train, fits):
    scaled = Recording()
    scaled.volumes = {offset: np.tile(1000 * bold, 2) for offset, bold in train.volumes.items()}
    for delta, fit in scaled.fit().items():
        np.testing.assert_array_equal(fit.alpha, fits[delta].alpha)
        np.testing.assert_allclose(fit.cv_error, fits[delta].cv_error, rtol=1e-4)


def test_a_single_alpha_needs_neither_groups_nor_folds(train, fits):
    fit = train.fit(alphas=(float(fits[0].alpha[0]),), groups=None)[0]
    np.testing.assert_allclose(fit.coef, fits[0].coef, atol=1e-5 * np.abs(fit.coef).max())
    assert np.isnan(fit.cv_error).all()


def test_fewer_features_than_trials_and_constant_voxels_and_targets_are_no_obstacle():
    narrow = Recording(n_voxels=4)
    for bold in narrow.volumes.values():
        bold[:, 1] = 7
    narrow.targets[:, 2] = 0.5
    fit = narrow.fit(deltas=(0,))[0]
    model = Ridge(alpha=fit.alpha[0] * fit.alpha_scale).fit(narrow.window(0), narrow.targets)
    np.testing.assert_allclose(fit.coef.reshape(-1, N_TARGETS), model.coef_.T, atol=1e-4)
    np.testing.assert_allclose(fit.intercept, model.intercept_, atol=1e-3)


def _with_nearly_equal_voxels(n_trials):
    """A recording whose Gram matrices are far from well-conditioned: one strong component, little else."""
    recording, rng = Recording(n_trials=n_trials, n_voxels=200), np.random.default_rng(3)
    for offset, bold in recording.volumes.items():
        common = 5 * rng.standard_normal((n_trials, 1)) @ rng.standard_normal((1, 200))
        recording.volumes[offset] = (common + 0.1 * bold).astype(np.float32)
    return recording


def test_an_alpha_too_small_for_float32_is_solved_in_float64(device, monkeypatch):
    recording, new = _with_nearly_equal_voxels(150), _with_nearly_equal_voxels(150)
    doubled = []
    original = NumpyAlgebra.double
    monkeypatch.setattr(
        NumpyAlgebra, "double", lambda self, array: doubled.append(1) or original(self, array)
    )
    fits = recording.fit(deltas=(0,), alphas=(1e-4,), device=device)
    assert doubled or device is not None
    model = Ridge(alpha=1e-4 * fits[0].alpha_scale).fit(recording.window(0), recording.targets)
    ((_, _, predicted),) = predict_ridge_lags(new, fits, test_deltas=(0,), start_tr=START_TR)
    expected = model.predict(new.window(0))
    np.testing.assert_allclose(predicted, expected, atol=1e-2 * expected.std())


def test_an_alpha_below_the_precision_of_float32_volumes_is_refused_and_named():
    recording = _with_nearly_equal_voxels(400)
    for offset, bold in recording.volumes.items():
        recording.volumes[offset] = bold[:, :20]  # fewer features than trials: the Gram matrix is singular
    with pytest.raises(DecoderError, match=r"alpha=1e-12 .* raise the smallest alpha"):
        recording.fit(deltas=(0,), alphas=(1e-12,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alphas": (1.0, 0.0)}, "finite positive"),
        ({"alphas": (1.0, -1.0)}, "finite positive"),
        ({"alphas": (1.0, np.inf)}, "finite positive"),
        ({"alphas": ()}, "finite positive"),
        ({"deltas": ()}, "at least one lag"),
        ({"n_tr": 0}, "at least one lag"),
        ({"groups": None}, "no groups"),
        ({"groups": np.zeros(3)}, "3 groups for 160 trials"),
        ({"groups": np.zeros(N_TRIALS)}, r"1 run\(s\)"),
        ({"n_folds": 9}, r"8 run\(s\), and n_folds=9"),
        ({"n_folds": 0}, "n_folds=0"),
        ({"targets": np.zeros(N_TRIALS)}, "targets have shape"),
        ({"targets": np.full((N_TRIALS, 2), np.nan)}, "320 values that are not finite"),
    ],
)
def test_unusable_settings_are_refused_before_any_volume_is_read(train, changes, message):
    train.reads.clear()
    settings = {
        "deltas": (0,),
        "start_tr": 2,
        "n_tr": 3,
        "alphas": ALPHAS,
        "groups": train.groups,
        "n_folds": 4,
    }
    settings |= changes
    with pytest.raises(DecoderError, match=message):
        fit_ridge_lags(train, settings.pop("targets", train.targets), **settings)
    assert train.reads == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_offset_trial_and_voxel(fits, value):
    broken = Recording()
    broken.volumes[5] = broken.volumes[5].copy()
    broken.volumes[5][7, 11] = value
    with pytest.raises(
        DecoderError, match=r"offset 5 TRs .* 1 values that are not finite, the first in trial 7, voxel 11"
    ):
        broken.fit()
    with pytest.raises(DecoderError, match="offset 5 TRs"):
        list(predict_ridge_lags(broken, fits, test_deltas=(1,), start_tr=START_TR))


def test_volumes_that_do_not_match_are_refused(train, fits):
    with pytest.raises(
        DecoderError, match=r"offset 2 TRs after onset has shape \(30, 40\); \(160, n_voxels\)"
    ):
        next(
            fit_ridge_lags(
                Recording(n_trials=30),
                train.targets,
                deltas=(0,),
                start_tr=2,
                n_tr=3,
                alphas=(1,),
                groups=None,
            )
        )
    with pytest.raises(DecoderError, match=r"has shape \(160, 30\); \(n_trials, 40\)"):
        list(predict_ridge_lags(Recording(n_voxels=30), fits, test_deltas=(0,), start_tr=START_TR))


def test_voxels_that_never_vary_are_refused():
    flat = Recording()
    for value in (0, 0.1, 1234.5):
        flat.volumes = {offset: np.full_like(bold, value) for offset, bold in flat.volumes.items()}
        with pytest.raises(DecoderError, match="no voxel varies"):
            flat.fit()


def test_cells_and_fits_that_do_not_belong_together_are_refused(train, new_trials, fits):
    settings = {"test_deltas": (0,), "start_tr": START_TR}
    with pytest.raises(DecoderError, match=r"cell \(0, 9\)"):
        predict_ridge_lags(new_trials, fits, cells=[(0, 9)], **settings)
    with pytest.raises(DecoderError, match="different shapes"):
        predict_ridge_lags(new_trials, fits | train.fit(n_tr=2, deltas=(0,)), **settings)
    with pytest.raises(DecoderError, match="at least one of each"):
        predict_ridge_lags(new_trials, {}, **settings)


def test_a_device_that_is_not_there_is_refused(train):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DecoderError, match="torch cannot use device='cuda'"):
        train.fit(device="cuda")


def test_whole_runs_are_held_out_together_and_folds_sample_the_whole_recording():
    groups = np.repeat(np.arange(20), 7)
    fold = assign_folds(groups, n_folds=4)
    assert all(len(set(fold[groups == run])) == 1 for run in range(20))
    assert [set(np.diff(np.unique(groups[fold == k]))) for k in range(4)] == [{4}] * 4
    single = assign_folds(groups, n_folds=1)
    assert set(single) == {-1, 0}
    assert len(np.unique(groups[single == 0])) == 4


@pytest.mark.parametrize("n_rows", [1, 2, 127, 128, 129, 300, 513])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_cholesky_factor_equals_numpys(n_rows, dtype):
    half = np.random.default_rng(0).standard_normal((n_rows, 2 * n_rows))
    matrix = (half @ half.T / n_rows + np.eye(n_rows)).astype(dtype)
    expected = np.linalg.inv(np.linalg.cholesky(matrix.astype(np.float64)))
    inverse_cholesky_in_place(matrix)
    np.testing.assert_allclose(matrix, expected, atol=1e-5 if dtype == np.float32 else 1e-12)
    right = np.random.default_rng(1).standard_normal((n_rows, 3)).astype(dtype)
    np.testing.assert_allclose(
        NumpyAlgebra().solve(matrix, right), expected.T @ (expected @ right), atol=1e-4
    )


def test_an_indefinite_matrix_has_no_cholesky_factor():
    with pytest.raises(np.linalg.LinAlgError):
        inverse_cholesky_in_place(np.diag(np.r_[np.ones(200), -1, np.ones(100)]))


def test_systems_solved_in_turn_give_the_same_decoder_as_side_by_side(train, fits, monkeypatch):
    monkeypatch.setattr(linear_algebra, "SIDE_BY_SIDE_ROWS", 0)
    for delta, fit in train.fit().items():
        np.testing.assert_allclose(fit.coef, fits[delta].coef, rtol=1e-4, atol=1e-6)


def test_memory_is_as_estimated_and_does_not_grow_with_trials_times_features_times_lags():
    recording = Recording(n_trials=600, n_voxels=300)
    peaks = []
    for deltas in ((0,), DELTAS):
        tracemalloc.start()
        recording.fit(deltas=deltas)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        estimate = ridge_memory_bytes(
            n_trials=600,
            n_voxels=300,
            n_tr=N_TR,
            n_targets=N_TARGETS,
            n_deltas=len(deltas),
            n_threads=len(ALPHAS),
        )
        assert 0.4 * estimate < peaks[-1] < 1.1 * estimate
    grown = pairwise(peaks)
    assert all(after - before < 4 * 600 * 300 * N_TR for before, after in grown)
