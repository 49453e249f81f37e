"""Scores of decoders that name a category."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import MetricError
from tempgen.metrics.checks import NO_IMAGE

__all__ = ["label_accuracy"]


def label_accuracy(*, seen_labels: NDArray[Any], predicted_labels: NDArray[Any]) -> NDArray[np.float32]:
    """Whether the predicted label is that of the seen image, per trial.

    Parameters
    ----------
    seen_labels : array of int, shape (n_trials,)
        Label of the target; -1 where the trial has none.
    predicted_labels : array of int, shape (n_trials,)
        From 0.

    Returns
    -------
    array of float32, shape (n_trials,)
        1 where right, 0 where wrong, NaN without target. Chance is 1 / n_labels if all labels are equally frequent.

    Raises
    ------
    MetricError
        If shapes differ, there are other values than integers, or a predicted label is negative.

    Examples
    --------
    >>> label_accuracy(seen_labels=np.array([2, 0, -1]), predicted_labels=np.array([2, 1, 1]))
    array([ 1.,  0., nan], dtype=float32)
    """
    seen_labels, predicted_labels = np.asarray(seen_labels), np.asarray(predicted_labels)
    if seen_labels.ndim != 1 or seen_labels.shape != predicted_labels.shape:
        raise MetricError(
            f"Seen labels have shape {seen_labels.shape}, predicted ones {predicted_labels.shape}; "
            "needed is one of each per trial, (n_trials,). Take the argmax of scores per label first."
        )
    for name, labels in (("seen", seen_labels), ("predicted", predicted_labels)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise MetricError(f"The {name} labels have dtype {labels.dtype}; needed are integers from 0.")
    if predicted_labels.size and (predicted_labels.min() < 0 or seen_labels.min() < NO_IMAGE):
        raise MetricError(
            f"Labels start at {seen_labels.min()} (seen) and {predicted_labels.min()} (predicted); "
            f"needed are integers from 0, and {NO_IMAGE} for a trial without seen label."
        )
    correct: NDArray[np.float32] = (seen_labels == predicted_labels).astype(np.float32)
    correct[seen_labels == NO_IMAGE] = np.nan
    return correct
