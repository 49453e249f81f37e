"""The neural level: when there is activity, how its pattern turns, what each voxel is tuned to.

The equations are in :mod:`tempgen.data.simulate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import STIMULUS_DURATION_S
from tempgen.data.scenes import Scene, scene_features
from tempgen.data.simulate.anatomy import STREAMS
from tempgen.data.simulate.seeds import Draw, generator
from tempgen.errors import ConfigError

N_PIXELS = 8
"""Side of the low-resolution image that early voxels look at. Source: house choice."""

STREAM_FEATURES = {
    "early": ("pixel",),
    "midventral": ("colour", "background"),
    "midlateral": ("category", "position", "object"),
    "midparietal": ("position", "object", "background"),
    "ventral": ("category", "colour"),
    "lateral": ("category", "background"),
    "parietal": ("position", "object"),
}
"""What the voxels of each stream are tuned to: first parts of features' names. Source: house choice, after the streams' textbook roles."""

_FIELD_RADIUS_PIXELS = (0.6, 1.5)
"""SDs of the early voxels' receptive fields, in low-resolution pixels. Source: house choice."""

_SMALLEST_SD = 1e-6


@dataclass(frozen=True)
class ImageFeatures:
    """What a subject's images show.

    Attributes
    ----------
    image_ids : array of int, shape (n_images,)
        73k IDs, ascending.
    names : tuple of str
        Of the n_features features.
    values : array of float64, shape (n_images, n_features)
        Standardized over the images; a feature that does not vary is 0.
    mean, scale : array of float64, shape (n_features,)
        What was subtracted, and what it was divided by then.
    """

    image_ids: NDArray[np.int64]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of_scenes(cls, image_ids: NDArray[np.int64], scenes: list[Scene]) -> ImageFeatures:
        """Features of scenes, standardized."""
        raw, names = scene_features(scenes, n_pixels=N_PIXELS)
        mean, scale = raw.mean(axis=0, dtype=np.float64), raw.std(axis=0, dtype=np.float64)
        scale = np.where(scale > _SMALLEST_SD, scale, 1.0)
        return cls(np.asarray(image_ids), names, (raw - mean) / scale, mean, scale)


def activity_end_s(config: SimulationConfig) -> float:
    """Latency at which activity ends: with the image for the static code, else ``activity_s``."""
    return STIMULUS_DURATION_S if config.code == "static" else config.activity_s


def neural_time_course(config: SimulationConfig, latency_s: NDArray[np.floating]) -> NDArray[np.float64]:
    """What multiplies the mean response and the two components of the pattern at each latency.

    Returns
    -------
    array, shape (3, n_latencies)
        ``e``, ``e cos(theta)`` and ``e sin(theta)``.

    Examples
    --------
    >>> config = SimulationConfig(code="rotating", activity_s=9, rotation_deg_per_s=10)
    >>> neural_time_course(config, np.array([0.0, 3.0, 9.0])).round(2)
    array([[1.  , 1.  , 0.  ],
           [1.  , 0.87, 0.  ],
           [0.  , 0.5 , 0.  ]])
    """
    latency_s = np.asarray(latency_s, dtype=np.float64)
    envelope = ((latency_s >= 0) & (latency_s < activity_end_s(config))).astype(np.float64)
    rate = np.deg2rad(config.rotation_deg_per_s) if config.code == "rotating" else 0.0
    return np.stack([envelope, envelope * np.cos(rate * latency_s), envelope * np.sin(rate * latency_s)])


def draw_tuning(
    config: SimulationConfig, subject: int, *, streams: NDArray[np.int16], features: ImageFeatures
) -> NDArray[np.float64]:
    """Tuning of the voxels of nsdgeneral to the two components of the pattern.

    Parameters
    ----------
    streams : array of int16, shape (n_voxels,)
        Label of each voxel's stream, 1 to 7.
    features : ImageFeatures

    Returns
    -------
    array, shape (2, n_voxels, n_features)
        Over the images both components have variance 1 and are uncorrelated, voxel by voxel.

    Raises
    ------
    ConfigError
        If the features of a stream do not span two dimensions.
    """
    rng = generator(config, Draw.TUNING, subject)
    tuning = np.zeros((2, len(streams), len(features.names)))
    for label, stream in enumerate(STREAMS, start=1):
        voxels = np.flatnonzero(streams == label)
        kinds = STREAM_FEATURES[stream]
        columns = np.flatnonzero([name.split("_")[0] in kinds for name in features.names])
        draw: Callable[..., NDArray[np.float64]] = _pixel_tuning if kinds == ("pixel",) else _random_tuning
        weights = draw(len(voxels), len(columns), rng)
        tuning[:, voxels[:, None], columns] = _uncorrelated(weights, features.values[:, columns], stream)
    return tuning


def pattern_similarity(
    tuning: NDArray[np.float64], *, images: NDArray[np.float64], time_course: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cosine similarity of the neural pattern between latencies, over all voxels and images.

    Parameters
    ----------
    tuning : array, shape (2, n_voxels, n_features)
    images : array, shape (n_images, n_features)
        Standardized features.
    time_course : array, shape (2, n_latencies)
        Weights of the two components at each latency.

    Returns
    -------
    array, shape (n_latencies, n_latencies)
        NaN where there is no activity at one of the two latencies.
    """
    covariance = images.T @ images / len(images)
    products = np.einsum("avf,fg,bvg->ab", tuning, covariance, tuning, optimize=True)
    inner = time_course.T @ products @ time_course
    norm = np.sqrt(np.diag(inner))
    both_active = np.multiply.outer(norm, norm)
    return np.divide(inner, both_active, out=np.full_like(inner, np.nan), where=both_active > 0)


def _pixel_tuning(n_voxels: int, n_columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A blob of one colour, and an edge of another in the same receptive field: (2, n_voxels, pixels x rgb)."""
    side = round((n_columns / 3) ** 0.5)
    centre = rng.uniform(0, side, (2, n_voxels, 1, 1))
    radius = rng.uniform(*_FIELD_RADIUS_PIXELS, (n_voxels, 1, 1))
    direction = rng.uniform(0, 2 * np.pi, (n_voxels, 1, 1))
    colours = rng.standard_normal((2, n_voxels, 1, 1, 3))
    row, column = np.indices((side, side)) + 0.5
    from_centre = np.stack([row - centre[0], column - centre[1]])
    field = np.exp(-(from_centre**2).sum(axis=0) / (2 * radius**2))
    slope = (np.cos(direction) * from_centre[0] + np.sin(direction) * from_centre[1]) / radius
    blob, edge = field[..., None] * colours[0], (field * slope)[..., None] * colours[1]
    return np.stack([blob, edge]).reshape(2, n_voxels, n_columns)


def _random_tuning(n_voxels: int, n_columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.standard_normal((2, n_voxels, n_columns))


def _uncorrelated(
    weights: NDArray[np.float64], images: NDArray[np.float64], stream: str
) -> NDArray[np.float64]:
    """Gram-Schmidt in the metric of the images' covariance: variance 1 each, correlation 0."""
    covariance = images.T @ images / len(images)

    def inner(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.einsum("vf,fg,vg->v", one, covariance, other, optimize=True)[:, None]

    def unit(component: NDArray[np.float64]) -> NDArray[np.float64]:
        variance = inner(component, component)
        if variance.size and variance.min() < _SMALLEST_SD**2:
            raise ConfigError(
                f"The features of the {stream} stream, {', '.join(STREAM_FEATURES[stream])}, do not span two dimensions over "
                f"the {len(images)} images: give it more kinds of features."
            )
        return component / np.sqrt(variance)

    first = unit(weights[0])
    return np.stack([first, unit(weights[1] - inner(first, weights[1]) * first)])
