"""Simulated subjects of few voxels, and what their files hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from tempgen.config.simulation import SimulationConfig
from tempgen.data.nsd_layout import NsdLayout
from tempgen.data.simulate import simulate_nsd

TINY = {"n_voxels": 60, "n_sessions": 1, "image_size": 16}
ROTATING = SimulationConfig(code="rotating", snr=0.5, seed=3, **TINY)
TR_S = 4 / 3


def simulate(
    root: Path, config: SimulationConfig = ROTATING, *, subjects: tuple[int, ...] = (1,)
) -> NsdLayout:
    return simulate_nsd(root, config, subjects=subjects, progress=False)[0]


def design(layout: NsdLayout, run: int, session: int = 1) -> NDArray[np.int64]:
    text = layout.design(session=session, run=run).read_text()
    return np.array([int(line) for line in text.splitlines()])


def volumes(layout: NsdLayout, run: int) -> NDArray[np.int16]:
    return np.asarray(nib.load(layout.bold(session=1, run=run)).dataobj)


def roi(layout: NsdLayout, name: str) -> NDArray[np.int16]:
    return np.asarray(nib.load(layout.roi(name)).dataobj)


def bold_of(layout: NsdLayout, mask: NDArray[np.bool_], runs: range) -> NDArray[np.float64]:
    """Time series with each voxel's and run's mean and slowest cosines taken out, shape (run, volume, voxel)."""
    series = np.stack([volumes(layout, run)[mask].T for run in runs]).astype(np.float64)
    return np.stack([without_drift(run) for run in series])


def without_drift(series: NDArray[np.float64]) -> NDArray[np.float64]:
    grid = (np.arange(len(series)) + 0.5) / len(series)
    slow = np.stack([np.cos(np.pi * order * grid) for order in range(5)], axis=1)
    return series - slow @ np.linalg.lstsq(slow, series, rcond=None)[0]


def fingerprints(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def shown(layout: NsdLayout, truth: xr.Dataset, run: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Onsets of a run, and how strongly its images drive each component, shape (2, n_trials, n_voxels)."""
    rows = design(layout, run)
    onsets = np.flatnonzero(rows)
    images = truth["image_feature"].sel(image_id=rows[onsets])
    drive = images @ truth["tuning"]
    return onsets, drive.transpose("component", "image_id", "voxel").values


def slow_bold(layout: NsdLayout, truth: xr.Dataset, run: int) -> NDArray[np.float64]:
    """Mean and pattern part of a run, shape (2, 226, voxel): neural activity every 0.1 s, convolved with the truth file's HRFs."""
    per_tr = 40  # samples of 1/30 s
    step_s = TR_S / per_tr
    latency_s = np.arange(0, truth.attrs["activity_end_s"], step_s) + step_s / 2
    theta = np.deg2rad(truth.attrs["rotation_deg_per_s"] * latency_s)
    theta *= truth.attrs["code"] == "rotating"
    onsets, drive = shown(layout, truth, run)
    neural = np.zeros((2, 226 * per_tr + len(latency_s), truth.sizes["voxel"]))
    for trial, onset in enumerate(onsets):
        active = slice(onset * per_tr, onset * per_tr + len(latency_s))
        neural[0, active] += truth["mean_response"].values
        pattern = np.outer(np.cos(theta), drive[0, trial]) + np.outer(np.sin(theta), drive[1, trial])
        neural[1, active] += float(truth["pattern_gain"]) * pattern
    since_s = np.arange(0, 50, step_s)
    hrf = truth["hrf"].interp(time_s=since_s).transpose("time_s", "voxel").values
    return fftconvolve(neural, hrf[None], axes=1)[:, : 226 * per_tr : per_tr] * step_s
