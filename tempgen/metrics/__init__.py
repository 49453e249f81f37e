"""Scores of decoders: NumPy arrays in, one float32 score per trial out.

Images are floats in [0, 1] of shape (n, height, width, 3). An index of -1 stands for an image that a trial does not
have, and its score is NaN.
"""

from tempgen.metrics.base import IMAGE_METRICS, Metric, label_metrics
from tempgen.metrics.chance import mismatched_images, shuffled_chance
from tempgen.metrics.checks import NO_IMAGE
from tempgen.metrics.correlation import correlation_matrix
from tempgen.metrics.identification import (
    IDENTIFICATION_DIRECTION,
    identification_from_correlation,
    two_way_identification,
)
from tempgen.metrics.labels import label_accuracy
from tempgen.metrics.pixel import SsimMoments, pixcorr, ssim, ssim_from_moments, ssim_moments
from tempgen.metrics.suite import SCENE_METRICS, ImageScores, ImageSuite

__all__ = [
    "IDENTIFICATION_DIRECTION",
    "IMAGE_METRICS",
    "NO_IMAGE",
    "SCENE_METRICS",
    "ImageScores",
    "ImageSuite",
    "Metric",
    "SsimMoments",
    "correlation_matrix",
    "identification_from_correlation",
    "label_accuracy",
    "label_metrics",
    "mismatched_images",
    "pixcorr",
    "shuffled_chance",
    "ssim",
    "ssim_from_moments",
    "ssim_moments",
    "two_way_identification",
]
