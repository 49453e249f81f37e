"""The suite of metrics that was asked for, and what it needs before it can score anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.errors import ConfigError
from tempgen.metrics import Comparison, ImageSuite, Suite, get_suite
from tempgen.metrics.feature_cache import FeatureCache

if TYPE_CHECKING:  # tempgen.models may import torch
    from tempgen.models.vision.interface import Layer

SEGMENTATION = "ade20k"
"""Network of the published suites' mIoU."""


def default_suite(data_kind: str) -> str:
    """The suite for a kind of data: simulated subjects see scenes, of others nothing but pixels is known.

    The suite ``paper`` has to be asked for: its networks take gigabytes that are fetched or copied first.
    """
    return "scenes" if data_kind == "simulated" else "pixels"


def chosen_suite(
    name: str,
    *,
    metrics: Sequence[str] | None = None,
    identification: Comparison | None = None,
    segmentation: str | None = None,
) -> Suite:
    """A suite with the metrics and the direction of identification that were asked for; no network is opened.

    Parameters
    ----------
    name : str
    metrics : sequence of str, optional
        Of the suite or registered; all of the suite unless given.
    identification : {"reconstruction-to-seen", "seen-to-reconstruction"}, optional
        The suite's own unless given.
    segmentation : str, optional
        Another ADE20K segmentation model of transformers for mIoU: ``REPOSITORY@COMMIT`` or a folder.

    Raises
    ------
    MetricError
        If there is no such suite, metric or direction.
    ConfigError
        If it needs torch, which is not installed.
    """
    suite = get_suite(name)
    if metrics is not None:
        suite = suite.select(metrics)
    if identification is not None:
        suite = suite.directed(identification)
    if segmentation is not None:
        suite = suite.with_network(SEGMENTATION, f"{SEGMENTATION}:{segmentation}")
    if _has_networks(suite) and find_spec("torch") is None:
        raise ConfigError(
            f"The suite {suite.name!r} compares images by networks and needs torch, which this installation lacks: "
            "pip install 'tempgen[torch]', or choose the suite pixels (evaluation.suite, --suite), which needs none."
        )
    return suite


@dataclass(frozen=True)
class ScoringOptions:
    """What the user of `tempgen.workflow.score_reconstructions` asks for; the options are described there."""

    suite: str | None
    metrics: Sequence[str] | None
    identification: Comparison | None
    segmentation: str | None
    device: str | None
    cache: FeatureCache | None
    out: Path | None
    overwrite: bool
    say: Callable[[str], None]

    def suite_for(self, data_kind: str) -> Suite:
        """The suite that was asked for, else that of the kind of data; errors as of `chosen_suite`."""
        name = self.suite or default_suite(data_kind)
        return chosen_suite(
            name, metrics=self.metrics, identification=self.identification, segmentation=self.segmentation
        )

    def beside(self, seen: NDArray[np.float32], suite: Suite) -> ImageSuite:
        """The suite at work beside a pool of seen images; errors as of `ImageSuite`."""
        return ImageSuite(seen, suite, device=device_of_networks(suite, self.device), cache=self.cache)


def check_pixels(suite: Suite, *, image_size: int) -> None:
    """Refuse images too small for a metric, by comparing two of noise; networks are left out.

    Raises
    ------
    MetricError
        As the metric raises it.
    """
    without_network = [metric.name for metric in suite.metrics if metric.layer is None]
    if without_network:
        # noise has no ties, to rank which scipy.stats would be imported
        noise = np.random.default_rng(0).random((2, image_size, image_size, 3), dtype=np.float32)
        ImageSuite(noise, suite, metrics=without_network).score(
            noise, target_images={"current": np.arange(2)}
        )


def check_networks(suite: Suite, *, device: str | None) -> None:
    """Open the suite's networks, which stay open for the scoring; nothing happens if it has none.

    Raises
    ------
    MetricError
        If a package or a file is missing: names it, the command that fetches it and the metrics that work without.
    """
    from tempgen.metrics.views import open_networks

    open_networks(suite, device=device)


def device_of_networks(suite: Suite, *wanted: str | None) -> str | None:
    """Where the suite's networks run: the first of ``wanted`` that is given, else a GPU where there is one."""
    if not _has_networks(suite):
        return None
    given = next((device for device in wanted if device is not None), None)
    if given is not None:
        return given
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def suite_recipe(suite: Suite) -> dict[str, Any]:
    """What determines scores beside the images, as plain values."""
    return {
        "suite": suite.name,
        "version": suite.version,
        "resize": suite.resize,
        "identification": suite.comparison,
        "metrics": {
            metric.name: {
                "place": place,
                "version": metric.metric.version,
                "resize": suite.resize_of(metric),
                **({"layer": str(metric.layer), **_own_weights(metric.layer)} if metric.layer else {}),
            }
            for place, metric in enumerate(suite.metrics)
        },
    }


def _own_weights(layer: Layer) -> dict[str, str]:
    """Identity of a network in a folder, whose contents may change; all others are pinned by the metric's version."""
    chosen = layer.network.partition(":")[2]
    if not chosen or not (folder := Path(chosen).expanduser()).is_dir():
        return {}
    from tempgen.models.vision.published import folder_weights

    return {"weights": folder_weights(folder)}


def suite_attrs(suite: Suite, *, image_size: int) -> dict[str, str | int]:
    """What a result says of the suite that made it.

    Parameters
    ----------
    image_size : int
        Pixels a side at which images came to the suite; those of a suite that resizes them stand before it.
    """
    return {"image_size": image_size, **suite.attrs(), "size_before_resize": image_size}


def score_line(scores: xr.DataArray, *, chance: float) -> str:
    """A metric in a line for the terminal: mean and standard error over trials, and the chance level.

    Parameters
    ----------
    scores : DataArray, dims (trial,)
        With the metric's attributes; NaN where there is none.

    Examples
    --------
    >>> scores = xr.DataArray([0.25, 0.75], dims="trial", name="pixcorr", attrs={"direction": "higher is better"})
    >>> score_line(scores, chance=0.1)
    'pixcorr: 0.500 +- 0.250 (SEM of 2 trials), chance 0.100, higher is better'
    """
    there = scores.to_numpy()[scores.notnull().to_numpy()].astype(np.float64)
    sem = there.std(ddof=1) / np.sqrt(len(there)) if len(there) > 1 else np.nan
    mean = there.mean() if len(there) else np.nan
    return (
        f"{scores.name}: {mean:.3f} +- {sem:.3f} (SEM of {len(there)} trials), chance {chance:.3f}, "
        f"{scores.attrs['direction']}"
    )


def _has_networks(suite: Suite) -> bool:
    return any(metric.layer is not None for metric in suite.metrics)
