"""The BOLD level: what activity evokes through each voxel's HRF, and what else is in a voxel's time series.

The equations are in :mod:`tempgen.data.simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempgen.config.simulation import SimulationConfig
from tempgen.data.hrf import HRF_LENGTH, evoked_kernel
from tempgen.data.nsd_layout import N_VOLUMES, STIMULUS_DURATION_S, TR_S
from tempgen.data.simulate.neural import ImageFeatures, activity_end_s, neural_time_course
from tempgen.data.simulate.seeds import Draw, generator
from tempgen.errors import ConfigError

NOISE_SD = 30.0
BASELINE = (800.0, 1200.0)
"""SD of the noise and range of the voxels' baselines, in the files' units. Source: house choice; 3 % noise, rounded to 1 % of itself."""

_MEAN_RESPONSE_SPREAD = (0.5, 1.5)
_N_DRIFT_COSINES = 4
"""The slowest cosines of a run, all of periods above the usual high-pass at 128 s. Source: house choice."""
_LATENCY_STEP_S = 0.1


@dataclass(frozen=True)
class Responses:
    """How the voxels of nsdgeneral answer.

    Attributes
    ----------
    time_to_peak_s : array, shape (n_voxels,)
        Of the HRF.
    hrf_scale : array, shape (n_voxels,)
        Factor of the double gamma of peak 1, such that 3 s of activity evoke a peak of 1.
    mean_response : array, shape (n_voxels,)
        In the files' units.
    kernel : array, shape (3, n_voxels, n_lags)
        BOLD at each volume after an onset, evoked by the mean response and by the two components of the pattern.
    """

    time_to_peak_s: NDArray[np.float64]
    hrf_scale: NDArray[np.float64]
    mean_response: NDArray[np.float64]
    kernel: NDArray[np.float64]


def draw_responses(config: SimulationConfig, subject: int) -> Responses:
    """HRFs, mean responses and evoked kernels of a subject's voxels."""
    rng = generator(config, Draw.RESPONSE, subject)
    shortest, longest = config.time_to_peak_s
    time_to_peak_s = rng.permutation(np.linspace(shortest, longest, config.n_voxels))
    spread = rng.uniform(*_MEAN_RESPONSE_SPREAD, config.n_voxels)
    hrf_scale = 1 / _peak_after_stimulus(time_to_peak_s)
    duration_s = activity_end_s(config)
    n_latencies = int(np.ceil(duration_s / _LATENCY_STEP_S))
    midpoints_s = (np.arange(n_latencies) + 0.5) * duration_s / n_latencies
    kernel = evoked_kernel(
        neural_time_course(config, midpoints_s),
        duration_s=duration_s,
        time_to_peak_s=time_to_peak_s,
        step_s=TR_S,
        n_steps=1 + int(np.ceil((duration_s + HRF_LENGTH * longest) / TR_S)),
    )
    return Responses(
        time_to_peak_s=time_to_peak_s,
        hrf_scale=hrf_scale,
        mean_response=spread * config.mean_response * NOISE_SD,
        kernel=kernel * hrf_scale[:, None],
    )


def _peak_after_stimulus(time_to_peak_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peak of the response to 3 s of activity 1, shape (n_voxels,)."""
    n_latencies = round(STIMULUS_DURATION_S / _LATENCY_STEP_S)
    distinct, voxel_value = np.unique(time_to_peak_s, return_inverse=True)
    response = evoked_kernel(
        np.ones((1, n_latencies)),
        duration_s=STIMULUS_DURATION_S,
        time_to_peak_s=distinct,
        step_s=_LATENCY_STEP_S,
        # the response to a longer stimulus peaks later, by less than the stimulus lasts
        n_steps=int((distinct.max() + STIMULUS_DURATION_S) / _LATENCY_STEP_S) + 2,
    )
    return response[0].max(axis=-1)[voxel_value]


@dataclass(frozen=True)
class Evoked:
    """The evoked BOLD of a subject's runs, in two parts.

    Attributes
    ----------
    responses : Responses
    tuning : array, shape (2, n_voxels, n_features)
    features : ImageFeatures
    """

    responses: Responses
    tuning: NDArray[np.float64]
    features: ImageFeatures

    def mean_part(self, design: NDArray[np.int64]) -> NDArray[np.float64]:
        """What all images evoke in one run alike, shape (n_volumes, n_voxels).

        Parameters
        ----------
        design : array of int, shape (n_rows,)
            The 73k ID of the image in the row of its onset, else 0.
        """
        amplitude = np.zeros((N_VOLUMES, len(self.responses.mean_response)))
        amplitude[np.flatnonzero(design)] = self.responses.mean_response
        return _convolve(amplitude[None], self.responses.kernel[:1])

    def pattern_part(self, design: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each image evokes beyond that, for a gain of 1, shape (n_volumes, n_voxels)."""
        onsets = np.flatnonzero(design)
        images = self.features.values[np.searchsorted(self.features.image_ids, design[onsets])]
        amplitude = np.zeros((2, N_VOLUMES, self.tuning.shape[1]))
        amplitude[:, onsets] = images @ self.tuning.transpose(0, 2, 1)
        return _convolve(amplitude, self.responses.kernel[1:])

    def pattern_gain(self, snr: float, designs: Iterable[NDArray[np.int64]]) -> float:
        """Gain for which the mean over voxels of the pattern part's SD over all volumes is ``snr`` times the noise's SD."""
        count, total, squares = 0, 0.0, 0.0
        for pattern in (self.pattern_part(design) for design in designs):
            count += len(pattern)
            total = total + pattern.sum(axis=0)
            squares = squares + (pattern**2).sum(axis=0)
        sd = np.sqrt(np.asarray(squares) / count - (np.asarray(total) / count) ** 2)
        return snr * NOISE_SD / float(sd.mean())


def _convolve(amplitude: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over components of amplitudes (component, volume, voxel) convolved with kernels (component, voxel, lag)."""
    n_volumes = amplitude.shape[1]
    bold = np.zeros(amplitude.shape[1:])
    for component, weights in zip(amplitude, kernel, strict=True):
        for lag in range(min(n_volumes, weights.shape[1])):
            bold[lag:] += component[: n_volumes - lag] * weights[:, lag]
    return bold


def simulate_run(
    config: SimulationConfig,
    place: tuple[int, int, int],
    *,
    baseline: NDArray[np.float64],
    evoked: NDArray[np.float64] | None,
    responsive: NDArray[np.bool_],
) -> NDArray[np.int16]:
    """Time series of one run: baseline, evoked BOLD, drift and noise.

    Parameters
    ----------
    place : tuple of int
        Subject, session and file run: they seed noise and drift.
    baseline : array, shape (n_brain_voxels,)
    evoked : array, shape (226, n_voxels), or None
        Of the voxels of nsdgeneral; None for a resting run.
    responsive : array of bool, shape (n_brain_voxels,)
        Which of the brain's voxels are nsdgeneral.

    Returns
    -------
    array of int16, shape (226, n_brain_voxels)

    Raises
    ------
    ConfigError
        If a value does not fit into int16.
    """
    rng = generator(config, Draw.RUN, *place)
    shape = (N_VOLUMES, len(baseline))
    bold = baseline + NOISE_SD * _autoregressive(config.noise_ar1, shape, rng)
    weights = rng.standard_normal((_N_DRIFT_COSINES, len(baseline)))
    bold += config.drift * NOISE_SD * (_drift_cosines() @ weights)
    if evoked is not None:
        bold[:, responsive] += evoked
    largest = np.abs(bold).max()
    if largest > np.iinfo(np.int16).max:
        raise ConfigError(
            f"The simulated BOLD reaches {largest:.0f}, int16 ends at {np.iinfo(np.int16).max}: lower snr, mean_response, "
            "drift or activity_s."
        )
    return np.rint(bold).astype(np.int16)


def draw_baseline(config: SimulationConfig, subject: int, n_brain_voxels: int) -> NDArray[np.float64]:
    """Mean of each voxel of the brain, shape (n_brain_voxels,), the same in all runs."""
    return generator(config, Draw.BASELINE, subject).uniform(*BASELINE, n_brain_voxels)


def draw_motion(config: SimulationConfig, place: tuple[int, int, int]) -> NDArray[np.float64]:
    """Six motion parameters (mm, rad), a random walk that leaves no trace in the BOLD, shape (226, 6)."""
    step_mm, step_rad = 0.01, 0.0001
    steps = generator(config, Draw.MOTION, *place).standard_normal((N_VOLUMES, 6))
    return np.cumsum(steps * np.repeat([step_mm, step_rad], 3), axis=0)


def _autoregressive(ar1: float, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """AR(1) noise of SD 1 along the first axis, stationary from the first volume on."""
    noise = rng.standard_normal(shape)
    noise[1:] *= np.sqrt(1 - ar1**2)
    for volume in range(1, len(noise)):
        noise[volume] += ar1 * noise[volume - 1]
    return noise


def _drift_cosines() -> NDArray[np.float64]:
    """Columns of a discrete cosine basis whose sum, with random weights of SD 1, has SD 1 over time on average."""
    order = np.arange(1, _N_DRIFT_COSINES + 1)
    time = (np.arange(N_VOLUMES)[:, None] + 0.5) / N_VOLUMES
    return np.cos(np.pi * order * time) * np.sqrt(2 / _N_DRIFT_COSINES)
