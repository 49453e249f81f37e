import numpy as np
import pandas as pd
import pytest

from tempgen.errors import ResultsError
from tempgen.generalization.evaluate import cells_to_score, evaluate_predictions
from tempgen.generalization.permutations import PERMUTED, Permutations
from tempgen.generalization.scorers import ImageScorer, LabelScorer
from tempgen.metrics import IMAGE_METRICS, ImageSuite, label_metrics
from tempgen.results import SCORE_DIMS, metrics_of
from tempgen.windows import Window

WINDOW = Window(2, 6, 4 / 3)


@pytest.fixture(scope="module")
def images():
    """Seven distinct images with ids 10, 20, ... 70."""
    return np.random.default_rng(0).random((7, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def trials():
    shown = np.array([20, 50, 10, 70, 20, 30])
    table = pd.DataFrame(
        {"image_id": shown, "run": [0, 0, 0, 1, 1, 1], "session": 1, "repetition": 0, "onset_tr": 9}
    )
    by_run = table.groupby("run")["image_id"]
    table["previous_image"] = by_run.shift(1, fill_value=-1)
    table["next_image"] = by_run.shift(-1, fill_value=-1)
    return table


def image_scorer(images):
    return ImageScorer(ImageSuite(images), np.arange(10, 80, 10))


def evaluated(predictions, images, trials, *, scorer=None, **changes):
    options = {
        "scorer": scorer or image_scorer(images),
        "trials": trials,
        "targets": ("previous", "current", "next"),
        "train_deltas": [0, 1],
        "test_deltas": [-1, 0, 1],
        "window": WINDOW,
    }
    return evaluate_predictions(predictions, **{**options, **changes})


def pixels_of(images, image_ids):
    """Reconstructions of a decoder that sees these images perfectly."""
    return images[np.asarray(image_ids) // 10 - 1]


def test_perfect_reconstruction_scores_one_on_its_own_target_only(images, trials):
    results = evaluated([(0, 0, pixels_of(images, trials["image_id"]))], images, trials)
    current = results.sel(train_delta=0, test_delta=0, target="current")
    for metric in IMAGE_METRICS:
        np.testing.assert_allclose(current[metric], 1, atol=1e-5)
    previous = results["pixcorr"].sel(train_delta=0, test_delta=0, target="previous")
    assert (previous.dropna("trial") < 0.3).all()


def test_reconstruction_of_the_next_image_is_found_on_the_next_target(images, trials):
    shown = np.where(trials["next_image"] < 0, trials["image_id"], trials["next_image"])
    results = evaluated([(0, 1, pixels_of(images, shown))], images, trials)
    of_next = results["identification"].sel(train_delta=0, test_delta=1, target="next")
    np.testing.assert_array_equal(of_next.isnull(), trials["next_image"] < 0)
    assert (of_next.dropna("trial") == 1).all()


def test_cells_that_do_not_come_are_nan(images, trials):
    results = evaluated([(1, 1, pixels_of(images, trials["image_id"]))], images, trials)
    computed = results["ssim"].notnull().any(["trial", "target"])
    assert computed.sum() == 1
    assert computed.sel(train_delta=1, test_delta=1)
    assert results["ssim_chance"].notnull().sum() == 1


def test_result_carries_its_schema(images, trials):
    results = evaluated([], images, trials)
    assert metrics_of(results) == ["pixcorr", "ssim", "identification"]
    assert results["pixcorr"].dims == SCORE_DIMS
    assert results["lag_s"].values == pytest.approx([WINDOW.lag_s(delta) for delta in (-1, 0, 1)])
    assert results["identification"].attrs["chance"] == 0.5
    assert results["ssim"].attrs["direction"] == "higher is better"
    np.testing.assert_array_equal(results["image_id"], trials["image_id"])


def test_result_keeps_baseline_and_permutations_of_its_cells(images, trials):
    permutations = Permutations.within_runs(trials, n_permutations=30, seed=4)
    noise = np.random.default_rng(0).random((6, 16, 16, 3)).astype(np.float32)
    blurred = 0.5 * pixels_of(images, trials["image_id"]) + 0.5 * noise
    results = evaluated([(0, 0, blurred), (1, 0, noise)], images, trials, permutations=permutations)
    positions = trials["image_id"].to_numpy() // 10 - 1
    neighbours = {
        name: (trials[f"{name}_image"].to_numpy() // 10 - 1).clip(-1) for name in ("previous", "next")
    }
    direct = ImageSuite(images).score(
        blurred, target_images={"current": positions, **neighbours}, permutations=permutations.order
    )
    assert metrics_of(results) == ["pixcorr", "ssim", "identification"]
    for name in ("pixcorr", "identification"):
        null = results[f"{name}_null"]
        assert null.dims == ("permutation", "train_delta", "test_delta")
        assert null.attrs["seed"] == 4
        assert null.attrs["n_permutations"] == 30
        assert null.attrs["permuted"] == PERMUTED
        np.testing.assert_array_equal(null.sel(train_delta=0, test_delta=0), direct.null[name])
        assert null.notnull().any("permutation").sum() == 2
    assert "ssim_null" not in results
    for name in IMAGE_METRICS:
        baseline = results[f"{name}_baseline"]
        assert baseline.dims == ("train_delta", "test_delta", "trial")
        np.testing.assert_array_equal(baseline.sel(train_delta=0, test_delta=0), direct.baseline[name])
        assert baseline.isel(test_delta=0).isnull().all()
    without = evaluated([(0, 0, blurred)], images, trials)
    assert "pixcorr_baseline" in without
    assert "pixcorr_null" not in without
    of_next = evaluated([(0, 0, blurred)], images, trials, targets=("next",), permutations=permutations)
    assert set(of_next.data_vars) == {f"{name}{part}" for name in IMAGE_METRICS for part in ("", "_chance")}


def test_prediction_for_an_unknown_lag_is_refused(images, trials):
    with pytest.raises(ResultsError, match=r"cell \(5, 0\)"):
        evaluated([(5, 0, pixels_of(images, trials["image_id"]))], images, trials)


def test_labels_are_scored_by_accuracy_against_each_neighbour(trials):
    labels = trials.assign(
        **{
            name: (trials[name] // 10 - 1).clip(lower=-1)
            for name in ("image_id", "previous_image", "next_image")
        }
    )
    scorer = LabelScorer(label_metrics(7)["accuracy"])
    results = evaluated(
        [(0, 0, np.eye(7, dtype=np.float32)[labels["image_id"]])], None, labels, scorer=scorer
    )
    cell = results["accuracy"].sel(train_delta=0, test_delta=0)
    assert (cell.sel(target="current") == 1).all()
    assert (cell.sel(target="previous").dropna("trial") == 0).all()
    assert results["accuracy"].attrs["chance"] == pytest.approx(1 / 7)
    shares = np.array([2, 1, 1, 1, 1]) / 6  # image 20 was shown twice
    assert results["accuracy_chance"].sel(train_delta=0, test_delta=0) == pytest.approx((shares**2).sum())


def test_decoder_that_knows_only_the_most_frequent_label_is_at_chance():
    seen = np.array([0] * 8 + [1, 2])
    trials = pd.DataFrame({"image_id": seen, "run": 0, "session": 1, "repetition": 0, "onset_tr": 9})
    guess = (0, 0, np.tile(np.float32([1, 0, 0]), (10, 1)))
    scorer = LabelScorer(label_metrics(3)["accuracy"])
    results = evaluated([guess], None, trials, scorer=scorer, targets=("current",))
    cell = results.sel(train_delta=0, test_delta=0, target="current")
    assert cell["accuracy"].mean() == pytest.approx(0.8) == float(cell["accuracy_chance"])


def test_accuracy_has_a_baseline_and_permutations_like_plain_loops():
    rng = np.random.default_rng(0)
    seen = rng.choice(4, 40, p=[0.5, 0.3, 0.1, 0.1])
    seen[7] = -1
    predicted = np.where(rng.random(40) < 0.3, seen.clip(0), rng.choice(4, 40, p=[0.6, 0.2, 0.1, 0.1]))
    trials = pd.DataFrame(
        {"image_id": seen, "run": np.arange(40) // 10, "session": 1, "repetition": 0, "onset_tr": 9}
    )
    permutations = Permutations.within_runs(trials, n_permutations=25, seed=0)
    results = evaluated(
        [(0, 0, np.eye(4, dtype=np.float32)[predicted])],
        None,
        trials,
        scorer=LabelScorer(label_metrics(4)["accuracy"]),
        targets=("current",),
        permutations=permutations,
    ).sel(train_delta=0, test_delta=0)
    there = np.flatnonzero(seen >= 0)
    expected = [(predicted == seen[order])[there].mean() for order in permutations.order]
    np.testing.assert_allclose(results["accuracy_null"], expected, atol=1e-6)
    wrong = {
        (i, label): float(predicted[i] == label) for i in there for label in range(4) if label != seen[i]
    }
    for i in there:
        row = np.mean([score for (k, _), score in wrong.items() if k == i])
        column = np.mean([score for (_, label), score in wrong.items() if label == seen[i]])
        baseline = row + column - np.mean(list(wrong.values()))
        assert results["accuracy_baseline"][i] == pytest.approx(baseline, abs=1e-6)
    assert np.isnan(results["accuracy_baseline"][7])


def test_guessing_the_frequent_label_is_no_better_than_the_baseline():
    """Popular labels are predicted and seen often: accuracy is high, and accuracy - baseline has mean 0."""
    scorer = LabelScorer(label_metrics(4)["accuracy"])
    above, accuracy = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        seen, predicted = (rng.choice(4, 60, p=[0.6, 0.2, 0.1, 0.1]) for _ in range(2))
        scores = scorer.score(np.eye(4, dtype=np.float32)[predicted], {"current": seen})
        accuracy.append(scores.score["accuracy"][0].mean())
        above.append((scores.score["accuracy"][0] - scores.baseline["accuracy"]).mean())
    assert np.mean(accuracy) > 0.4
    assert abs(np.mean(above)) < 3 * np.std(above) / np.sqrt(200) < 0.03


def test_without_the_matrix_only_the_general_row_and_the_diagonal_are_scored():
    deltas = range(-2, 14)
    cells = cells_to_score(deltas, deltas, general_delta=0, matrix=False)
    assert len(cells) == 16 + 15
    assert all(train == 0 or train == test for train, test in cells)
    assert len(cells_to_score(deltas, deltas, general_delta=0, matrix=True)) == 256
