"""Accuracy of labels, and what the registry says of each metric."""

import math

import numpy as np
import pytest

from tempgen.errors import MetricError
from tempgen.metrics import IMAGE_METRICS, label_accuracy, label_metrics


def test_accuracy_is_one_where_the_label_is_right():
    scores = label_accuracy(seen_labels=np.array([0, 1, 2, -1]), predicted_labels=np.array([0, 2, 2, 0]))
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, [1, 0, 1, np.nan])


@pytest.mark.parametrize(
    ("seen", "predicted", "complaint"),
    [
        ([0, 1], [0], "one of each per trial"),
        ([0, 1], [[1, 0], [0, 1]], "argmax"),
        ([0, 1], [0.2, 0.8], "float64"),
        ([0, 1], [0, -1], "from 0"),
    ],
)
def test_labels_that_cannot_be_compared_are_refused(seen, predicted, complaint):
    with pytest.raises(MetricError, match=complaint):
        label_accuracy(seen_labels=np.array(seen), predicted_labels=np.array(predicted))


def test_chance_is_fixed_only_where_a_number_holds_for_all_images():
    chance = {name: metric.chance for name, metric in IMAGE_METRICS.items()}
    assert chance == {"pixcorr": None, "ssim": None, "identification": 0.5}
    assert label_metrics(8)["accuracy"].chance == 0.125
    with pytest.raises(MetricError, match="at least 2"):
        label_metrics(1)


@pytest.mark.parametrize(
    "metric", [*IMAGE_METRICS.values(), *label_metrics(4).values()], ids=lambda m: m.name
)
def test_attributes_survive_netcdf_and_name_direction_and_source(metric):
    attrs = metric.attrs()
    assert all(isinstance(value, (str, int, float)) for value in attrs.values())
    assert attrs["direction"] == "higher is better"
    assert all(attrs[name] for name in ("source", "description", "long_name"))
    assert attrs["units"] == "1"
    assert math.isnan(attrs["chance"]) == (metric.chance is None)


def test_identification_states_its_direction():
    assert "reconstruction-to-seen" in IMAGE_METRICS["identification"].description
