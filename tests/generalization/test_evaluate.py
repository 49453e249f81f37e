import numpy as np
import pandas as pd
import pytest

from tempgen.errors import ResultsError
from tempgen.generalization.evaluate import (
    ImageScorer,
    LabelScorer,
    cells_to_score,
    evaluate_predictions,
)
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
    return ImageScorer(ImageSuite(images), np.arange(10, 80, 10), list(IMAGE_METRICS.values()))


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


def test_without_the_matrix_only_the_general_row_and_the_diagonal_are_scored():
    deltas = range(-2, 14)
    cells = cells_to_score(deltas, deltas, general_delta=0, matrix=False)
    assert len(cells) == 16 + 15
    assert all(train == 0 or train == test for train, test in cells)
    assert len(cells_to_score(deltas, deltas, general_delta=0, matrix=True)) == 256
