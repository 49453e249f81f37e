"""Scores over train and test lags, and their summaries."""

from tempgen.generalization.evaluate import evaluate_predictions
from tempgen.generalization.summary import generalization_matrix, lag_curve

__all__ = ["evaluate_predictions", "generalization_matrix", "lag_curve"]
