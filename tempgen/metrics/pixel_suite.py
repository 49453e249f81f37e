"""The suite of pixels: PixCorr, SSIM and two-way identification on pixels. Needs no network."""

from __future__ import annotations

from tempgen.metrics.base import IMAGE_METRICS
from tempgen.metrics.image_metric import FeatureMetric, PairMetric
from tempgen.metrics.pixel import ssim_moments, ssim_of_moments
from tempgen.metrics.suites import Suite

__all__ = ["IDENTIFICATION", "PIXCORR", "PIXELS", "SSIM", "SUITES"]

PIXCORR = FeatureMetric(IMAGE_METRICS["pixcorr"], "correlation")
SSIM = PairMetric(IMAGE_METRICS["ssim"], compare=ssim_of_moments, represent=ssim_moments)
IDENTIFICATION = FeatureMetric(IMAGE_METRICS["identification"], "identification")

PIXELS = Suite(
    name="pixels",
    version=1,
    metrics=(PIXCORR, SSIM, IDENTIFICATION),
    image_size=None,
    description="what pixels alone say, without a network",
    source="the low-level metrics of Brain-Diffuser, and identification on pixels",
)

SUITES = (PIXELS,)
