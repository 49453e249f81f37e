"""Distances against SciPy."""

import numpy as np
import pytest
from scipy.spatial import distance

from tempgen.errors import MetricError
from tempgen.metrics.distance import correlation_distance, cosine_distance


@pytest.mark.parametrize(
    ("ours", "published"), [(correlation_distance, distance.correlation), (cosine_distance, distance.cosine)]
)
def test_distances_equal_scipys(ours, published):
    rng = np.random.default_rng(0)
    seen, reconstructed = rng.random((20, 50)), rng.random((20, 50))
    expected = [published(one, other) for one, other in zip(seen, reconstructed, strict=True)]
    distances = ours(seen_features=seen, reconstructed_features=reconstructed)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, expected, atol=1e-6)
    np.testing.assert_allclose(ours(seen_features=seen, reconstructed_features=seen), 0, atol=1e-6)


def test_what_has_no_direction_is_at_distance_one():
    rows = np.random.default_rng(0).random((2, 5))
    assert correlation_distance(
        seen_features=rows, reconstructed_features=np.full((2, 5), 0.2)
    ) == pytest.approx(1)
    assert cosine_distance(seen_features=rows, reconstructed_features=np.zeros((2, 5))) == pytest.approx(1)


@pytest.mark.parametrize("ours", [correlation_distance, cosine_distance])
def test_features_that_do_not_belong_together_are_refused(ours):
    rows = np.random.default_rng(0).random((3, 5))
    with pytest.raises(MetricError, match="one seen row for each"):
        ours(seen_features=rows, reconstructed_features=rows[:1])
    with pytest.raises(MetricError, match="not finite"):
        ours(seen_features=rows, reconstructed_features=np.full((3, 5), np.nan))
