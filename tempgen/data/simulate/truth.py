"""What the simulator put into a subject, as a netCDF file that any tool opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen._version import __version__
from tempgen.config.simulation import SimulationConfig
from tempgen.data.hrf import double_gamma
from tempgen.data.nsd_layout import TR_S, NsdLayout
from tempgen.data.simulate.anatomy import STREAMS, Anatomy
from tempgen.data.simulate.bold import NOISE_SD, Evoked
from tempgen.data.simulate.neural import activity_end_s, neural_time_course, pattern_similarity
from tempgen.errors import SourceDataError
from tempgen.files import whole_file

HRF_DURATION_S, HRF_STEP_S = 50.0, 0.1
"""Grid of the HRFs in the truth file. Source: that of NSD's HRF library, 501 samples."""

LATENCY_STEP_S = 0.25
LATENCY_BEYOND_S = 3.0
"""Grid of the neural level in the truth file: to this long after activity ends. Source: house choice."""

_SNR_DEFINITION = (
    "mean over nsdgeneral voxels of the SD over all volumes of all runs with stimuli of the image-specific BOLD "
    "(pattern_gain included, without mean response), divided by the SD of the noise"
)


def build_truth(
    config: SimulationConfig, subject: int, anatomy: Anatomy, evoked: Evoked, *, pattern_gain: float
) -> xr.Dataset:
    """Everything that determines a subject's noise-free BOLD, labelled.

    Returns
    -------
    xarray.Dataset
        Voxels in the order of ``numpy.nonzero(nsdgeneral)``.
    """
    responses, features = evoked.responses, evoked.features
    time_s = np.arange(round(HRF_DURATION_S / HRF_STEP_S) + 1) * HRF_STEP_S
    latency_s = np.arange(0, activity_end_s(config) + LATENCY_BEYOND_S, LATENCY_STEP_S)
    hrf = responses.hrf_scale[:, None] * double_gamma(time_s, time_to_peak_s=responses.time_to_peak_s)
    time_course = neural_time_course(config, latency_s)
    similarity = pattern_similarity(evoked.tuning, images=features.values, time_course=time_course[1:])

    def single(values: np.ndarray) -> np.ndarray:
        return np.asarray(values, dtype=np.float32)

    variables = {
        "hrf": (
            ("voxel", "time_s"),
            single(hrf),
            "HRF: BOLD response to an instant of neural activity",
            "1/s",
        ),
        "time_to_peak_s": ("voxel", responses.time_to_peak_s, "time to peak of the HRF", "s"),
        "tuning": (
            ("component", "voxel", "feature"),
            single(evoked.tuning),
            "tuning to standardized features",
            "1",
        ),
        "pattern_gain": ((), pattern_gain, "gain of the pattern, g", "file units"),
        "mean_response": ("voxel", responses.mean_response, "response that all images share", "file units"),
        "noise_sd": ((), NOISE_SD, "SD of the noise", "file units"),
        "neural_time_course": (
            ("part", "latency_s"),
            time_course,
            "weight of each part of the response",
            "1",
        ),
        "code_similarity": (
            ("latency_s", "other_latency_s"),
            similarity,
            "cosine similarity of the neural pattern between latencies; NaN without activity",
            "1",
        ),
        "evoked_kernel": (
            ("part", "voxel", "volume"),
            single(responses.kernel),
            "BOLD at each volume after an onset, evoked by each part of the response",
            "1",
        ),
        "image_feature": (("image_id", "feature"), single(features.values), "features, standardized", "1"),
        "feature_mean": ("feature", features.mean, "subtracted from a feature to standardize it", "1"),
        "feature_scale": ("feature", features.scale, "divides a feature to standardize it", "1"),
    }
    return xr.Dataset(
        {
            name: (dims, values, {"long_name": text, "units": units})
            for name, (dims, values, text, units) in variables.items()
        },
        coords=_coordinates(anatomy, evoked, time_s=time_s, latency_s=latency_s),
        attrs=_attributes(config, subject),
    )


def _coordinates(
    anatomy: Anatomy, evoked: Evoked, *, time_s: NDArray[Any], latency_s: NDArray[Any]
) -> dict[str, object]:
    i, j, k = np.nonzero(anatomy.nsdgeneral)
    features = evoked.features
    return {
        "time_s": ("time_s", time_s, {"units": "s", "long_name": "time since an instant of activity"}),
        "latency_s": ("latency_s", latency_s, {"units": "s", "long_name": "latency since image onset"}),
        "other_latency_s": (
            "other_latency_s",
            latency_s,
            {"units": "s", "long_name": "latency since image onset"},
        ),
        "volume": (
            "volume",
            np.arange(evoked.responses.kernel.shape[-1]),
            {"long_name": "volumes since image onset"},
        ),
        "image_id": ("image_id", features.image_ids, {"long_name": "73k ID, from 1"}),
        "feature": ("feature", list(features.names)),
        "component": ("component", ["first", "second"]),
        "part": ("part", ["mean", "first", "second"]),
        "i": ("voxel", i, {"long_name": "index along the first axis of the volume"}),
        "j": ("voxel", j, {"long_name": "index along the second axis of the volume"}),
        "k": ("voxel", k, {"long_name": "index along the third axis of the volume"}),
        "stream": ("voxel", [STREAMS[label - 1] for label in anatomy.stream_of_voxel]),
    }


def _attributes(config: SimulationConfig, subject: int) -> dict[str, object]:
    # netCDF knows neither booleans nor tuples
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in config}
    values = {key: int(value) if isinstance(value, bool) else value for key, value in values.items()}
    return {
        "title": f"What the simulator put into subject {subject}",
        "data_kind": "simulated",
        "tempgen_version": __version__,
        "subject": subject,
        "tr_s": TR_S,
        "activity_end_s": activity_end_s(config),
        "snr_definition": _SNR_DEFINITION,
        "equations": "see the documentation of tempgen.data.simulate",
        **values,
    }


def write_truth(truth: xr.Dataset, path: Path) -> None:
    """Write a truth file, whole or not at all."""
    with whole_file(path) as temporary:
        truth.to_netcdf(temporary, engine="h5netcdf")


def open_truth(root: Path, subject: int = 1) -> xr.Dataset:
    """What the simulator put into a subject, read into memory.

    Raises
    ------
    SourceDataError
        If ``root`` holds no such simulated subject.
    """
    path = NsdLayout(Path(root), subject).truth
    if not path.is_file():
        raise SourceDataError(
            f"There is no {path}: subject {subject} is not simulated, or only in part. Simulate it with 'tempgen simulate'."
        )
    return xr.load_dataset(path, engine="h5netcdf")
