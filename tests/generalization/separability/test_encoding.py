"""Encoding models from sums of products against explicit regressions, and the sums of surrogates of a separable code."""

import numpy as np
import pytest
import xarray as xr

from tempgen.data.store import open_store, trials_of
from tempgen.errors import ConfigError
from tempgen.generalization.separability import LaggedDesign, fit_encoding, run_statistics
from tempgen.generalization.separability.gain import CrossValidation
from tempgen.generalization.separability.penalty import choose_penalty, choose_penalty_by_fold, folds_of
from tempgen.generalization.separability.ranks import low_rank
from tempgen.generalization.separability.run_statistics import gather_statistics, read_run, units_of_runs
from tempgen.generalization.separability.solver import RidgeSolver
from tempgen.generalization.separability.surrogates import SeparableNull, draw_signs
from tests.generalization.separability.small_subjects import made_subject

RUNS = list(range(12))


@pytest.fixture(scope="module")
def subject():
    return made_subject("rotating")


@pytest.fixture(scope="module")
def design(subject):
    return LaggedDesign.of(*subject, runs=np.array(RUNS), lags=range(16))


@pytest.fixture(scope="module")
def statistics(subject, design):
    return gather_statistics(subject[0], design, runs=RUNS)


def series_of(store, design, runs):
    """Design and BOLD of some runs one below the other, float64."""
    columns = np.concatenate([design.of_run(run) for run in runs])
    return columns, np.concatenate([read_run(store, design, run) for run in runs]).astype(np.float64)


def explicit_ridge(columns, bold, design, alpha):
    """Ridge with penalties of features alone."""
    gram = columns.T @ columns
    penalized = design.is_penalized
    penalty = alpha * np.diag(gram)[penalized].mean() * penalized
    return np.linalg.solve(gram + np.diag(penalty), columns.T @ bold)


def by_lag_of(coefficients, design):
    return coefficients[design.is_penalized].reshape(len(design.lags), design.n_features, -1)


@pytest.mark.parametrize("shape", [(16, 20), (20, 7)])
def test_low_rank_is_the_truncated_singular_value_decomposition(shape):
    rng = np.random.default_rng(0)
    matrices = rng.standard_normal((5, *shape)).astype(np.float32)
    flat = matrices.transpose(1, 2, 0).reshape(-1, 5)
    for rank, found in zip((1, 2, 3), low_rank(flat, (1, 2, 3), n_lags=shape[0]), strict=True):
        left, values, right = np.linalg.svd(matrices, full_matrices=False)
        expected = (left[:, :, :rank] * values[:, None, :rank]) @ right[:, :rank]
        np.testing.assert_allclose(found.reshape(*shape, 5), expected.transpose(1, 2, 0), atol=1e-5)


def test_a_run_s_design_holds_the_features_of_the_image_shown_so_many_volumes_ago(subject, design):
    store, features = subject
    trials = trials_of(store).query("run == 3")
    expected = np.zeros((225, 16, 21))
    standardized = (features - features.loc[trials_of(store)["image_id"]].mean()) / features.loc[
        trials_of(store)["image_id"]
    ].std(ddof=0)
    for onset, image in zip(trials["onset_tr"], trials["image_id"], strict=True):
        for lag in range(16):
            if onset + lag < 225:
                expected[onset + lag, lag] += [*standardized.loc[image], 1.0]
    np.testing.assert_allclose(design.of_run(3), design.cleaned(expected.reshape(225, -1)), atol=1e-12)


def test_drift_in_the_bold_changes_no_coefficient(subject):
    store, features = subject
    time = np.arange(225)
    drift = 3 * np.cos(np.pi * (time + 0.5) / 225) + 5
    drifting = store.assign(bold=store["bold"] + xr.DataArray(drift.astype(np.float32), dims="volume"))
    one, other = (fit_encoding(each, features, runs=RUNS, alphas=[0.1]) for each in (store, drifting))
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-4)


def test_ridge_from_sums_equals_the_explicit_one(subject, design, statistics):
    columns, bold = series_of(subject[0], design, RUNS)
    expected = explicit_ridge(columns, bold, design, 0.1)
    sums = statistics.of(np.arange(12))
    solver = RidgeSolver(sums.gram, design.is_penalized)
    found = solver.with_mean(solver.shrunk(solver.rotated(sums.products), 0.1), sums.products)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_separable_model_has_the_size_of_the_signal_and_not_of_what_noise_adds():
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((900, 12 * 5))
    truth = np.outer(rng.standard_normal(12), rng.standard_normal(5)).ravel() / 10
    bold = (columns @ truth)[:, None] + 2 * rng.standard_normal((900, 400))
    gram, products = columns.T @ columns, (columns.T @ bold).astype(np.float32)
    solver = RidgeSolver(
        np.pad(gram, (0, 1), constant_values=0) + np.diag([0] * 60 + [1]), np.arange(61) < 60
    )
    rotated = solver.rotated(np.pad(products, ((0, 1), (0, 0))))
    model = solver.rescaled(
        low_rank(solver.shrunk(rotated, 1.0), [1], n_lags=12)[0],
        rotated,
        squares=(bold**2).sum(axis=0),
        n_volumes=900,
        n_free=16,
    )
    size = np.einsum("pv,pq,qv->v", model, gram, model).mean()
    assert size == pytest.approx(truth @ gram @ truth, rel=0.03)
    halved = (solver.shrunk(rotated, 1.0) ** 2).sum() / (truth**2).sum() / 400
    assert abs(halved - 1) > 0.1  # so that there was something to correct


def test_the_penalty_is_the_one_that_predicts_held_out_runs_best(subject, design, statistics):
    folds, alphas = folds_of(12, n_folds=3, seed=0), (0.03, 0.3, 3.0)
    error = np.zeros((3, 40))
    for fold in folds:
        columns, bold = series_of(subject[0], design, np.setdiff1d(RUNS, fold))
        tested, seen = series_of(subject[0], design, fold)
        for k, alpha in enumerate(alphas):
            error[k] += ((seen - tested @ explicit_ridge(columns, bold, design, alpha)) ** 2).sum(axis=0)
    chosen = choose_penalty(statistics, design.is_penalized, folds, alphas=alphas)
    np.testing.assert_array_equal(chosen.alpha, np.array(alphas)[error.argmin(axis=0)])
    assert 0.05 < np.median(chosen.r2) < 0.9


def test_no_fold_has_a_say_in_its_own_penalty(statistics, design):
    folds = folds_of(12, n_folds=3, seed=0)
    spoiled = run_statistics.RunStatistics(
        statistics.gram, statistics.products.copy(), statistics.squares, statistics.n_volumes
    )
    spoiled.products[folds[1]] *= -5
    before, after = (
        choose_penalty_by_fold(each, design.is_penalized, folds, alphas=(0.03, 0.3, 3.0))
        for each in (statistics, spoiled)
    )
    np.testing.assert_array_equal(before[1].alpha, after[1].alpha)
    np.testing.assert_allclose(before[1].r2, after[1].r2)
    assert (before[0].r2 != after[0].r2).all()


def test_errors_of_the_ranks_equal_those_of_explicit_predictions(subject, design, statistics):
    folds = folds_of(12, n_folds=3, seed=0)
    validation = CrossValidation(statistics.gram, design, folds, np.full((3, 40), 0.1))
    by_fold = [statistics.of(fold) for fold in folds]
    products, squares = (np.stack([getattr(one, key) for one in by_fold]) for key in ("products", "squares"))
    found = validation.errors(products, squares, voxels=slice(None), with_free=True)
    columns, bold = series_of(subject[0], design, np.setdiff1d(RUNS, folds[1]))
    tested, seen = series_of(subject[0], design, folds[1])
    whole = explicit_ridge(columns, bold, design, 0.1)
    mean = ~design.is_penalized
    for row, rank in enumerate((0, 1, 2, 16)):
        left, values, right = np.linalg.svd(by_lag_of(whole, design).transpose(2, 0, 1), full_matrices=False)
        kept = (left[:, :, :rank] * values[:, None, :rank]) @ right[:, :rank]
        coefficients = whole.copy()
        coefficients[~mean] = kept.transpose(1, 2, 0).reshape(-1, 40)
        rest = bold - columns[:, ~mean] @ coefficients[~mean]
        coefficients[mean] = np.linalg.lstsq(columns[:, mean], rest, rcond=None)[0]
        np.testing.assert_allclose(
            found[1, row], ((seen - tested @ coefficients) ** 2).sum(axis=0), rtol=1e-4
        )


def test_a_separable_response_without_noise_is_recovered():
    store, features = made_subject("static", snr=20.0, n_runs=12)
    model = fit_encoding(store, features, runs=RUNS[:10], alphas=[0.001])
    predicted, seen = model.design.of_run(11) @ model.columns, store["bold"][11].values
    assert 1 - ((seen - predicted) ** 2).sum() / (seen**2).sum() > 0.9
    values = np.linalg.svd(model.coefficients.transpose("voxel", "lag", "feature").values, compute_uv=False)
    assert (values[:, 1] < 1e-5 * values[:, 0]).all()
    assert model.mean_response.dims == ("lag", "voxel")
    assert 2 <= model.mean_response.mean("voxel").values.argmax() <= 6  # of 1.33 s


def test_runs_share_a_unit_when_their_products_would_fill_the_memory(monkeypatch, subject, design):
    assert list(units_of_runs(6, n_columns=10, n_voxels=10)) == [0, 1, 2, 3, 4, 5]
    monkeypatch.setattr(run_statistics, "LARGEST_BYTES", 4 * 336 * 40 * 5)
    units = units_of_runs(12, n_columns=336, n_voxels=40)
    assert units.max() + 1 <= 5
    assert (np.diff(units) >= 0).all()
    merged = gather_statistics(subject[0], design, runs=RUNS)
    assert len(merged.gram) == units.max() + 1
    assert merged.n_volumes.sum() == 12 * 225


def test_a_store_on_disk_gives_the_model_of_the_one_in_memory(subject, tmp_path):
    store, features = subject
    store.to_zarr(tmp_path / "store", consolidated=False)
    there = fit_encoding(open_store(tmp_path / "store"), features, runs=RUNS)
    np.testing.assert_allclose(there.coefficients, fit_encoding(store, features, runs=RUNS).coefficients)


def test_sums_of_a_surrogate_are_those_of_its_time_series(subject, design, statistics):
    store, features = subject
    model = fit_encoding(store, features, runs=RUNS)
    folds, signs = folds_of(12, n_folds=3, seed=0), draw_signs(1, 12, seed=4)[0]
    products, squares = SeparableNull(statistics, model.columns, folds).draw(signs)
    for k, fold in enumerate(folds):
        expected, length = 0, 0
        for run in fold:
            predicted = design.of_run(run) @ model.columns
            series = predicted + signs[run] * (read_run(store, design, run) - predicted)
            expected, length = expected + design.of_run(run).T @ series, length + (series**2).sum(axis=0)
        np.testing.assert_allclose(products[k], expected, atol=0.02)
        np.testing.assert_allclose(squares[k], length, rtol=1e-4)


def test_images_without_features_and_features_without_variance_are_refused(subject):
    store, features = subject
    with pytest.raises(ConfigError, match="have no features, the first is image"):
        fit_encoding(store, features.iloc[:500], runs=RUNS)
    with pytest.raises(ConfigError, match="No feature varies"):
        fit_encoding(store, features * 0, runs=RUNS)
    with pytest.raises(ConfigError, match="not finite"):
        fit_encoding(store, features.assign(category_0=np.nan), runs=RUNS)
    with pytest.raises(ConfigError, match="twice"):
        fit_encoding(store, features.iloc[[0, 0, 1]], runs=RUNS)
    with pytest.raises(ConfigError, match="dimensions"):
        fit_encoding(store, xr.DataArray(features.values, dims=("a", "b")), runs=RUNS)
    with pytest.raises(ConfigError, match="folds"):
        fit_encoding(store, features, runs=[0, 1, 2])
    with pytest.raises(ConfigError, match="lags"):
        fit_encoding(store, features, runs=RUNS, lags=[3])
    with pytest.raises(ConfigError, match="alphas"):
        fit_encoding(store, features, runs=RUNS, alphas=[-1.0])


def test_features_may_be_an_array(subject):
    store, features = subject
    array = xr.DataArray(
        features.values,
        dims=("image_id", "feature"),
        coords={"image_id": features.index.to_numpy(), "feature": list(features.columns)},
    )
    one, other = (fit_encoding(store, each, runs=RUNS, alphas=[0.1]) for each in (features, array))
    np.testing.assert_array_equal(one.coefficients, other.coefficients)
    assert list(other.coefficients["feature"].values) == list(features.columns)
