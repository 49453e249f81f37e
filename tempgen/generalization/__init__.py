"""Scores over train and test lags, and their summaries."""

from tempgen.generalization.evaluate import evaluate_predictions
from tempgen.generalization.images import lag_images
from tempgen.generalization.summary import generalization_matrix, lag_curve
from tempgen.generalization.table import score_table

__all__ = ["evaluate_predictions", "generalization_matrix", "lag_curve", "lag_images", "score_table"]
