"""What a metric is called, what its chance level is and where its definition comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from tempgen.errors import MetricError

__all__ = ["IMAGE_METRICS", "Comparison", "Metric", "identification", "label_metrics"]

Comparison = Literal["reconstruction-to-seen", "seen-to-reconstruction"]
"""Direction of two-way identification: what is held fixed, then what it is compared with all of."""


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
    networks : str or None
        Weights and preprocessing of the network that represented the images; None before it was opened, or if there is
        none.
    resize : str or None
        What was done to the images' size before, in words; None where that is not yet known.
    comparison : {"reconstruction-to-seen", "seen-to-reconstruction"} or None
        Direction of two-way identification; None for other metrics.
    """

    name: str
    long_name: str
    chance: float | None
    higher_is_better: bool
    description: str
    source: str
    version: int = 1
    networks: str | None = None
    resize: str | None = None
    comparison: Comparison | None = None

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
            ``source`` and ``metric_version``; ``networks``, ``resize`` and ``comparison`` where they are set.

        Examples
        --------
        >>> IMAGE_METRICS["identification"].attrs()["chance"]
        0.5
        """
        settings = {"networks": self.networks, "resize": self.resize, "comparison": self.comparison}
        return {
            "long_name": self.long_name,
            "units": "1",
            "direction": self.direction,
            "chance": math.nan if self.chance is None else self.chance,
            "description": self.description,
            "source": self.source,
            "metric_version": self.version,
            **{name: value for name, value in settings.items() if value is not None},
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

_IDENTIFICATION_SOURCE = (
    "Ozcelik and VanRullen 2023 (Brain-Diffuser), doi:10.1038/s41598-023-42891-8;"
    " Dynadiff's released code runs in the opposite direction"
)
_IDENTIFICATION_WORDS: dict[Comparison, str] = {
    "reconstruction-to-seen": (
        "share of the other seen images (each distinct image once) that correlate less with the reconstruction than the"
        " target does; a tie counts one half"
    ),
    "seen-to-reconstruction": (
        "share of the other trials' reconstructions (of trials whose target is another image) that correlate less with"
        " the target than the trial's own does; a tie counts one half"
    ),
}


def identification(
    name: str,
    *,
    long_name: str,
    of: str,
    comparison: Comparison = "reconstruction-to-seen",
    source: str = _IDENTIFICATION_SOURCE,
) -> Metric:
    """Two-way identification on features of some kind.

    Parameters
    ----------
    name, long_name, source : str
        As in `Metric`.
    of : str
        The features that are correlated, ``"pixels"``.
    comparison : {"reconstruction-to-seen", "seen-to-reconstruction"}
        By default as in the codes of Brain-Diffuser and of MindEye. A trial's score then depends on its own
        reconstruction and on the images alone, not on how the other trials were reconstructed.

    Examples
    --------
    >>> identification("identification", long_name="Two-way identification", of="pixels").comparison
    'reconstruction-to-seen'
    """
    return Metric(
        name=name,
        long_name=long_name,
        chance=0.5,
        higher_is_better=True,
        description=f"{comparison}, on {of}: {_IDENTIFICATION_WORDS[comparison]}",
        source=source,
        comparison=comparison,
    )


def compared_in(metric: Metric, comparison: Comparison) -> Metric:
    """The same identification metric in a direction, and described so."""
    description = metric.description
    if metric.comparison is not None:
        description = description.replace(metric.comparison, comparison).replace(
            _IDENTIFICATION_WORDS[metric.comparison], _IDENTIFICATION_WORDS[comparison]
        )
    return replace(metric, comparison=comparison, description=description)


_IDENTIFICATION = identification("identification", long_name="Two-way identification", of="pixels")

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
