"""The suite of simulated subjects: small networks that come with the package judge images of scenes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tempgen.metrics.base import Metric, identification
from tempgen.metrics.category import SCENE_CATEGORY, category_overlap
from tempgen.metrics.image_metric import FeatureMetric, PairMetric
from tempgen.metrics.pixel_suite import IDENTIFICATION, PIXCORR, SSIM
from tempgen.metrics.segmentation import same_regions
from tempgen.metrics.suites import Suite
from tempgen.models.vision.interface import Layer

__all__ = ["SCENES", "SUITES"]

_SOURCE = "house metric of simulated scenes, after the network-based scores of Brain-Diffuser"


def _identified(depth: str) -> FeatureMetric:
    """Two-way identification on an early or a late layer of the scene classifier."""
    metric = identification(
        f"identification_{depth}",
        long_name=f"Identification, {depth} layer",
        of=f"the flattened features of the {depth} layer of the package's scene classifier",
        source=_SOURCE,
    )
    return FeatureMetric(metric, "identification", Layer("scene_classifier", depth))


def _same_categories(seen: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[Any]:
    return category_overlap(seen_logits=seen, logits=reconstructed)


MIOU = Metric(
    name="miou",
    long_name="mIoU",
    chance=None,
    higher_is_better=True,
    description=(
        "intersection over union of the regions of a class in the seen image and in the reconstruction, mean over the"
        " classes of the seen image, both segmented by the package's scene segmenter"
    ),
    source="house metric of simulated scenes, after the mIoU of Dynadiff, arXiv:2505.14556",
)

SCENES = Suite(
    name="scenes",
    version=1,
    metrics=(
        PIXCORR,
        SSIM,
        IDENTIFICATION,
        _identified("early"),
        _identified("late"),
        PairMetric(MIOU, compare=same_regions, layer=Layer("scene_segmenter", "labels")),
        PairMetric(SCENE_CATEGORY, compare=_same_categories, layer=Layer("scene_classifier", "logits")),
    ),
    image_size=64,
    description="images of scenes, judged by small networks that were trained on scenes and come with the package",
    source="house suite of simulated subjects",
)

SUITES = (SCENES,)
