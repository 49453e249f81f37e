"""Scores over train and test lags, and their summaries."""

from tempgen.generalization.curve import lag_curve
from tempgen.generalization.evaluate import evaluate_predictions
from tempgen.generalization.images import lag_images
from tempgen.generalization.matrix import generalization_matrix
from tempgen.generalization.statistics import (
    cluster_bootstrap,
    cluster_test,
    fdr,
    max_statistic_test,
    noise_ceiling,
    score_intervals,
    sign_flip_test,
)
from tempgen.generalization.summaries import (
    Resampling,
    curve_peak,
    dynamics_index,
    generalization_width,
    half_amplitude_fall,
    half_amplitude_onset,
    significant_onset,
    specialized_minus_general,
    summary_table,
    symmetry_index,
)
from tempgen.generalization.table import score_table

__all__ = [
    "Resampling",
    "cluster_bootstrap",
    "cluster_test",
    "curve_peak",
    "dynamics_index",
    "evaluate_predictions",
    "fdr",
    "generalization_matrix",
    "generalization_width",
    "half_amplitude_fall",
    "half_amplitude_onset",
    "lag_curve",
    "lag_images",
    "max_statistic_test",
    "noise_ceiling",
    "score_intervals",
    "score_table",
    "sign_flip_test",
    "significant_onset",
    "specialized_minus_general",
    "summary_table",
    "symmetry_index",
]
