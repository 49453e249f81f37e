"""Scores of decoders: NumPy arrays in, one float32 score per trial out.

Images are floats in [0, 1] of shape (n, height, width, 3). An index of -1 stands for an image that a trial does not
have, and its score is NaN. A suite is a list of metrics under a name; `ImageSuite` computes it. Networks are imported
when a suite that needs them is asked for.
"""

from tempgen.metrics.base import IMAGE_METRICS, Comparison, Metric, label_metrics
from tempgen.metrics.chance import mismatched_images, shuffled_chance
from tempgen.metrics.checks import NO_IMAGE
from tempgen.metrics.correlation import correlation_matrix
from tempgen.metrics.engine import ImageScores, ImageSuite
from tempgen.metrics.identification import (
    IDENTIFICATION_DIRECTION,
    IDENTIFICATION_DIRECTIONS,
    identification_from_correlation,
    two_way_identification,
)
from tempgen.metrics.image_metric import FeatureMetric, ImageMetric, PairMetric, metric_of
from tempgen.metrics.labels import label_accuracy
from tempgen.metrics.pixel import SsimMoments, pixcorr, ssim, ssim_moments, ssim_of_moments
from tempgen.metrics.suites import Suite, get_suite, known_suites, register_metric, register_suite

__all__ = [
    "IDENTIFICATION_DIRECTION",
    "IDENTIFICATION_DIRECTIONS",
    "IMAGE_METRICS",
    "NO_IMAGE",
    "Comparison",
    "FeatureMetric",
    "ImageMetric",
    "ImageScores",
    "ImageSuite",
    "Metric",
    "PairMetric",
    "SsimMoments",
    "Suite",
    "correlation_matrix",
    "get_suite",
    "identification_from_correlation",
    "known_suites",
    "label_accuracy",
    "label_metrics",
    "metric_of",
    "mismatched_images",
    "pixcorr",
    "register_metric",
    "register_suite",
    "shuffled_chance",
    "ssim",
    "ssim_moments",
    "ssim_of_moments",
    "two_way_identification",
]
