"""Tests of tempgen.metrics.segmentation."""

from __future__ import annotations

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import segmentation
from tempgen.metrics.segmentation import mean_iou


def slow_mean_iou(seen: np.ndarray, reconstructed: np.ndarray) -> list[float]:
    """The definition, one map and one class at a time."""
    scores = []
    for seen_map, other_map in zip(seen, reconstructed, strict=True):
        ratios = []
        for label in np.unique(seen_map):
            both = np.logical_and(seen_map == label, other_map == label).sum()
            either = np.logical_or(seen_map == label, other_map == label).sum()
            ratios.append(both / either)
        scores.append(float(np.mean(ratios)))
    return scores


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("block", [1, 100, 2**19])
def test_it_equals_the_definition_whatever_the_block(dtype, block, monkeypatch) -> None:
    monkeypatch.setattr(segmentation, "_BLOCK_PIXELS", block)
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 150, (7, 9, 11)).astype(dtype)
    reconstructed = np.where(rng.random(seen.shape) < 0.5, seen, rng.integers(0, 150, seen.shape)).astype(
        dtype
    )

    scores = mean_iou(seen_labels=seen, reconstructed_labels=reconstructed)

    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, slow_mean_iou(seen, reconstructed), rtol=1e-6)
    assert 0.1 < scores.min() < scores.max() < 0.9


def test_equal_maps_score_one_and_maps_without_a_common_class_zero() -> None:
    seen = np.random.default_rng(0).integers(0, 5, (3, 8, 8))

    assert mean_iou(seen_labels=seen, reconstructed_labels=seen).tolist() == [1, 1, 1]
    assert mean_iou(seen_labels=seen, reconstructed_labels=seen + 5).tolist() == [0, 0, 0]


def test_one_class_throughout_scores_its_share_of_the_reconstruction() -> None:
    seen = np.full((1, 2, 4), 3, dtype=np.uint8)
    reconstructed = seen.copy()
    reconstructed[0, 0, 0] = 0

    assert mean_iou(seen_labels=seen, reconstructed_labels=reconstructed).tolist() == [0.875]


def test_a_class_that_only_the_reconstruction_shows_has_no_term_of_its_own() -> None:
    seen = np.zeros((1, 2, 2), dtype=int)
    reconstructed = np.array([[[0, 0], [0, 9]]])

    assert mean_iou(seen_labels=seen, reconstructed_labels=reconstructed).tolist() == [0.75]
    # the other way round, class 9 is one of two seen, and is missed
    assert mean_iou(seen_labels=reconstructed, reconstructed_labels=seen).tolist() == [0.375]


def test_labels_at_the_end_of_uint8_do_not_wrap() -> None:
    seen = np.full((300, 1, 1), 255, dtype=np.uint8)

    assert mean_iou(seen_labels=seen, reconstructed_labels=seen).tolist() == [1] * 300


@pytest.mark.parametrize(
    ("seen", "reconstructed", "message"),
    [
        (np.zeros((2, 3, 3), int), np.zeros((2, 3, 4), int), r"\(2, 3, 3\) \(seen\) and \(2, 3, 4\)"),
        (np.zeros((3, 3), int), np.zeros((3, 3), int), "Segment both at one size"),
        (np.zeros((1, 0, 3), int), np.zeros((1, 0, 3), int), "needed are two"),
        (np.zeros((1, 3, 3)), np.zeros((1, 3, 3), int), "seen images are float64"),
        (
            np.zeros((1, 3, 3), int),
            np.full((1, 3, 3), -1),
            "reconstructed images are int64 and go down to -1",
        ),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(seen, reconstructed, message) -> None:
    with pytest.raises(MetricError, match=message):
        mean_iou(seen_labels=seen, reconstructed_labels=reconstructed)
