"""The metrics of published tables, as their evaluation codes compute them: Dynadiff's, MindEye's and Brain-Diffuser's.

All correlate flattened features of a layer. Their differences, which change the numbers:

=================  =====================  ==============================  ==========================
                   ``paper``              ``mindeye``                     ``brain-diffuser``
=================  =====================  ==============================  ==========================
first resize       224                    256                             none
PixCorr, SSIM      224                    425                             425
AlexNet            224                    256                             224
Inception          224                    342                             224
CLIP ViT-L/14      224, 13th block        224, final embedding            224, final embedding
EfficientNet-B1    224, V1 weights        255, V2 weights                 224, V1 weights
SwAV               224                    224                             224
antialiasing       yes (Pillow)           no (tensors, torchvision<0.17)  yes (Pillow)
=================  =====================  ==============================  ==========================

Dynadiff's paper compares at 224 pixels; its released code takes PixCorr and SSIM at 425, and passes the seen images where
Brain-Diffuser's function expects reconstructions, so that it identifies seen-to-reconstruction:
``get_suite("paper").directed("seen-to-reconstruction")``. Another segmentation model takes part in mIoU by
``get_suite("paper").with_network("ade20k", "ade20k:REPOSITORY@REVISION")``. Pillow's resize to 425 in the codes of Dynadiff and
Brain-Diffuser is bicubic and rounds to bytes, and Brain-Diffuser stores the seen images at 425: here, both images are
resized bilinearly in floats. Ties, which there count as failures, count one half.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from tempgen.metrics.base import Metric, identification
from tempgen.metrics.distance import cosine_distance
from tempgen.metrics.image_metric import FeatureMetric, PairMetric
from tempgen.metrics.pixel_suite import PIXCORR, SSIM
from tempgen.metrics.segmentation import same_regions
from tempgen.metrics.suites import Suite
from tempgen.models.vision.interface import Layer

__all__ = ["BRAIN_DIFFUSER", "MINDEYE", "PAPER", "SUITES"]

_BRAIN_DIFFUSER = "Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8"
_MINDEYE = "Scotti et al. 2023 (MindEye), arXiv:2305.18274"
_DYNADIFF = "Dynadiff, arXiv:2505.14556"


def pixcorr_at(image_size: int | None) -> FeatureMetric:
    """PixCorr at a size of its own."""
    return replace(PIXCORR, image_size=image_size)


def ssim_at(image_size: int | None) -> PairMetric:
    """SSIM at a size of its own."""
    return replace(SSIM, image_size=image_size)


def identified(
    name: str, long_name: str, layer: Layer, *, of: str, image_size: int | None = None
) -> FeatureMetric:
    """Two-way identification on the flattened output of a layer; chance 1/2, higher is better."""
    metric = identification(name, long_name=long_name, of=of)
    return FeatureMetric(metric, "identification", layer, image_size)


def distance(
    name: str, long_name: str, layer: Layer, *, of: str, image_size: int | None = None
) -> FeatureMetric:
    """Correlation distance 1 - r on the flattened output of a layer; chance is measured, lower is better."""
    metric = Metric(
        name=name,
        long_name=long_name,
        chance=None,
        higher_is_better=False,
        description=f"1 - Pearson correlation between {of} of the reconstruction and of the seen image",
        source=_BRAIN_DIFFUSER,
    )
    return FeatureMetric(metric, "correlation_distance", layer, image_size)


def _alexnet(image_size: int | None) -> tuple[FeatureMetric, FeatureMetric]:
    """After the ReLUs of the second and of the fifth convolution."""
    early, middle = Layer("alexnet", "features.4"), Layer("alexnet", "features.11")
    return (
        identified(
            "alexnet_2",
            "AlexNet(2)",
            early,
            of="AlexNet's features[4], second convolution",
            image_size=image_size,
        ),
        identified(
            "alexnet_5",
            "AlexNet(5)",
            middle,
            of="AlexNet's features[11], fifth convolution",
            image_size=image_size,
        ),
    )


def _inception(image_size: int | None) -> FeatureMetric:
    layer = Layer("inception", "avgpool")
    return identified("inception", "Inception", layer, of="Inception v3's avgpool", image_size=image_size)


def _clip_final(image_size: int | None) -> FeatureMetric:
    of = "the image embedding of CLIP ViT-L/14"
    return identified("clip", "CLIP", Layer("clip", "final"), of=of, image_size=image_size)


def _efficientnet(network: str, image_size: int | None) -> FeatureMetric:
    layer, of = Layer(network, "avgpool"), "EfficientNet-B1's avgpool"
    return distance("efficientnet", "EffNet-B", layer, of=of, image_size=image_size)


def _swav(image_size: int | None) -> FeatureMetric:
    return distance(
        "swav", "SwAV", Layer("swav", "avgpool"), of="SwAV-ResNet50's avgpool", image_size=image_size
    )


CLIP_12 = identified(
    "clip_12",
    "CLIP-12",
    Layer("clip", "resblocks.12"),
    of="all tokens after resblocks[12] (counted from 0) of CLIP ViT-L/14's image encoder",
)


MIOU = PairMetric(
    Metric(
        name="miou",
        long_name="mIoU",
        chance=None,
        higher_is_better=True,
        description=(
            "intersection over union of the regions of an ADE20K class in the seen image and in the reconstruction, mean"
            " over the classes of the seen image; segmented by the network named in 'networks', where the paper used"
            " ViT-Adapter, so that its numbers are not to be compared with these"
        ),
        source=_DYNADIFF,
    ),
    compare=same_regions,
    layer=Layer("ade20k", "labels"),
)


def _far_in_dreamsim(seen: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[Any]:
    return cosine_distance(seen_features=seen, reconstructed_features=reconstructed)


DREAMSIM = PairMetric(
    Metric(
        name="dreamsim",
        long_name="DreamSim",
        chance=None,
        higher_is_better=False,
        description="1 - cosine between DreamSim's embeddings of the two images; tables show it times 100",
        source="Fu et al. 2023 (DreamSim), arXiv:2306.09344",
    ),
    compare=_far_in_dreamsim,
    layer=Layer("dreamsim", "embedding"),
)


def _eight_metrics(
    *, alexnet: int | None, inception: int, efficientnet: FeatureMetric
) -> tuple[FeatureMetric | PairMetric, ...]:
    """Those of MindEye's table, which are Brain-Diffuser's, where the two compare at other sizes."""
    return (
        pixcorr_at(425),
        ssim_at(425),
        *_alexnet(alexnet),
        _inception(inception),
        _clip_final(224),
        efficientnet,
        _swav(224),
    )


PAPER = Suite(
    name="paper",
    version=1,
    metrics=(
        SSIM,
        PIXCORR,
        *_alexnet(None),
        CLIP_12,
        _inception(None),
        _efficientnet("efficientnet", None),
        _swav(None),
        MIOU,
        DREAMSIM,
    ),
    image_size=224,  # Dynadiff, section on metrics: all at 224 x 224
    description="the ten metrics of Dynadiff's tables, all at 224 pixels",
    source=f"{_DYNADIFF}; low-level and network metrics after {_BRAIN_DIFFUSER}",
)

MINDEYE = Suite(
    name="mindeye",
    version=1,
    metrics=_eight_metrics(alexnet=None, inception=342, efficientnet=_efficientnet("efficientnet-v2", 255)),
    image_size=256,
    description="the eight metrics of MindEye's tables, each at its own size after a first resize to 256 pixels",
    source=f"{_MINDEYE}, and its evaluation code; published on 982 images",
    antialias=False,  # torchvision before 0.17 did not antialias tensors
)

BRAIN_DIFFUSER = Suite(
    name="brain-diffuser",
    version=1,
    metrics=_eight_metrics(alexnet=224, inception=224, efficientnet=_efficientnet("efficientnet", 224)),
    image_size=None,
    description="the eight metrics of Brain-Diffuser's table, pixels at 425 and networks at 224",
    source=f"{_BRAIN_DIFFUSER}, and its evaluation code; published on 982 images",
)

SUITES = (PAPER, MINDEYE, BRAIN_DIFFUSER)
