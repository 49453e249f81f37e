"""What a metric is called, what its chance level is and where its definition comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from tempgen.errors import MetricError

__all__ = ["IMAGE_METRICS", "Metric", "label_metrics"]


@dataclass(frozen=True)
class Metric:
    """One score per trial, described well enough to be read without this package.

    Attributes
    ----------
    name : str
        Variable of the results, ``"pixcorr"``.
    long_name : str
        Axis label, ``"PixCorr"``.
    chance : float or None
        Expected score of a decoder that knows nothing of the trial. None where no number holds for all images:
        images share structure, so that mismatched ones correlate too. Measure it then (`shuffled_chance`).
    higher_is_better : bool
    description : str
        What is compared with what, with every setting that changes the numbers.
    source : str
        Publication or code that defined it.
    version : int
        Raised whenever the same input gives another number.
    """

    name: str
    long_name: str
    chance: float | None
    higher_is_better: bool
    description: str
    source: str
    version: int = 1

    @property
    def direction(self) -> str:
        """Which way is better, in words.

        Examples
        --------
        >>> IMAGE_METRICS["ssim"].direction
        'higher is better'
        """
        return "higher is better" if self.higher_is_better else "lower is better"

    def attrs(self) -> dict[str, str | float | int]:
        """Attributes of the metric's variable in the results; values that netCDF and zarr can hold.

        Returns
        -------
        dict
            ``long_name``, ``units``, ``direction``, ``chance`` (NaN where it has to be measured), ``description``,
            ``source`` and ``metric_version``.

        Examples
        --------
        >>> IMAGE_METRICS["identification"].attrs()["chance"]
        0.5
        """
        return {
            "long_name": self.long_name,
            "units": "1",
            "direction": self.direction,
            "chance": math.nan if self.chance is None else self.chance,
            "description": self.description,
            "source": self.source,
            "metric_version": self.version,
        }


_PIXCORR = Metric(
    name="pixcorr",
    long_name="PixCorr",
    chance=None,
    higher_is_better=True,
    description=(
        "Pearson correlation between the pixels of the reconstruction and of the seen image, all three colours in one"
        " vector; 0 for an image of one colour"
    ),
    source="Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8",
)

_SSIM = Metric(
    name="ssim",
    long_name="SSIM",
    chance=None,
    higher_is_better=True,
    description=(
        "structural similarity of the grey images (weights 0.2125, 0.7154, 0.0721), Gaussian window of sigma 1.5 and"
        " 11 pixels, population covariance, K1 0.01, K2 0.03, data range 1, mean over the windows inside the image"
    ),
    source="Wang et al. 2004, doi:10.1109/TIP.2003.819861; settings of Brain-Diffuser",
)

_IDENTIFICATION = Metric(
    name="identification",
    long_name="Two-way identification",
    chance=0.5,
    higher_is_better=True,
    description=(
        "reconstruction-to-seen, on pixels: share of the other seen images (each distinct image once) that correlate"
        " less with the reconstruction than the target does; a tie counts one half"
    ),
    source=(
        "Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8;"
        " Dynadiff's released code runs in the opposite direction"
    ),
)

IMAGE_METRICS: MappingProxyType[str, Metric] = MappingProxyType(
    {metric.name: metric for metric in (_PIXCORR, _SSIM, _IDENTIFICATION)}
)
"""Scores of a decoder that reconstructs images, by name, in the order in which tables and figures show them."""


def label_metrics(n_labels: int) -> MappingProxyType[str, Metric]:
    """Scores of a decoder that names one of ``n_labels`` categories, by name.

    Parameters
    ----------
    n_labels : int
        Categories that the decoder can choose from.

    Raises
    ------
    MetricError
        If there are fewer than two: nothing is left to decode.

    Examples
    --------
    >>> label_metrics(8)["accuracy"].chance
    0.125
    """
    if n_labels < 2:
        raise MetricError(
            f"A decoder of labels needs at least 2 of them, got {n_labels}. "
            "Check the column that the labels are read from."
        )
    accuracy = Metric(
        name="accuracy",
        long_name="Accuracy",
        chance=1.0 / n_labels,
        higher_is_better=True,
        description=(
            f"1 where the predicted one of {n_labels} labels is that of the seen image, else 0; "
            "chance holds if all labels are equally frequent"
        ),
        source="share of trials decoded correctly",
    )
    return MappingProxyType({accuracy.name: accuracy})
