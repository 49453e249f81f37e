"""Read one subject of the Natural Scenes Dataset from its own on-disk layout.

Nothing of NSD ships with tempgen; the reader is tested on simulated subjects written in the same layout.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.data.images import n_hdf5_images, read_hdf5_images
from tempgen.data.nifti import read_header, read_volume_3d
from tempgen.data.nsd_layout import (
    NATIVE_TR_S,
    RUNS_PER_SESSION,
    STIMULUS_DATASET,
    STIMULUS_DURATION_S,
    TR_S,
    NsdLayout,
)
from tempgen.data.source import RunFile, Source
from tempgen.errors import SourceDataError

_UNSET_TR_S = (0.0, 1.0)
"""What tools write into a header that was given no TR. Source: nibabel's default is 1."""


def open_nsd(
    root: Path,
    subject: int,
    *,
    roi: str = "nsdgeneral",
    atlases: Iterable[str] = ("streams",),
    sessions: Iterable[int] | None = None,
    with_motion: bool = False,
) -> Source:
    """Describe one NSD subject for :func:`tempgen.data.prepare.prepare_store`.

    Parameters
    ----------
    root : Path
        The folder that holds ``nsddata``, ``nsddata_timeseries`` and ``nsddata_stimuli``.
    subject : int
        1 to 8.
    roi : str
        Region whose voxels (labels above 0) are kept; ``lh.NAME`` or ``rh.NAME`` for one hemisphere.
    atlases : iterable of str
        ROI files whose labels are carried along as voxel coordinates.
    sessions : iterable of int or None
        Sessions to read; None takes all on disk. Runs without any trial (resting state) are left out: sessions of 14
        files hold them as runs 01 and 14, so that file run = NSD run + 1.
    with_motion : bool
        Point each run at its six motion parameters.

    Raises
    ------
    SourceDataError
        If the folder holds no design of the subject, a BOLD, ROI, motion or stimulus file is missing, a design has
        more rows than the run has volumes, shapes differ, the header's TR contradicts NSD's, or an image ID lies
        outside the stimuli.
    """
    layout = NsdLayout(Path(root), subject)
    session_runs = _runs_of_sessions(layout, sessions)
    mask_labels, affine = _read_roi(layout, roi)
    runs: list[RunFile] = []
    designs: list[NDArray[np.int64]] = []
    for session, file_runs in session_runs.items():
        for run, design in _runs_with_trials(layout, session, file_runs, with_motion=with_motion):
            _check_bold(run.bold_path, n_rows=len(design), mask_shape=mask_labels.shape)
            runs.append(run)
            designs.append(design)
    trials = _trials(designs, _shared_images(layout))
    _check_images(layout, trials)
    voxel_labels = {atlas: _read_atlas(layout, atlas, shape=mask_labels.shape) for atlas in atlases}

    def read_images(image_ids: NDArray[np.int64], max_size: int) -> NDArray[np.uint8]:
        return read_hdf5_images(layout.stimuli, STIMULUS_DATASET, np.asarray(image_ids) - 1, max_size)

    return Source(
        kind="nsd",
        subject=str(subject),
        tr_s=TR_S,
        runs=tuple(runs),
        mask=mask_labels > 0,
        affine=affine,
        trials=trials,
        read_images=read_images,
        voxel_labels=voxel_labels,
        **_simulation_notes(layout),  # type: ignore[arg-type]
    )


def _runs_of_sessions(layout: NsdLayout, sessions: Iterable[int] | None) -> dict[int, list[int]]:
    on_disk: dict[int, list[int]] = {}
    for session, run in layout.runs_on_disk():
        on_disk.setdefault(session, []).append(run)
    if not on_disk:
        raise SourceDataError(
            f"No design of {layout.subject_label} below {layout.timeseries_folder / 'design'}: give the folder that holds "
            "nsddata, nsddata_timeseries and nsddata_stimuli, or make a subject with 'tempgen simulate'."
        )
    if sessions is None:
        return on_disk
    missing = sorted(set(sessions) - set(on_disk))
    if missing:
        raise SourceDataError(
            f"Sessions {missing} of {layout.subject_label} have no design files; on disk are {sorted(on_disk)}."
        )
    return {session: on_disk[session] for session in sorted(set(sessions))}


def _runs_with_trials(
    layout: NsdLayout, session: int, file_runs: list[int], *, with_motion: bool
) -> Iterator[tuple[RunFile, NDArray[np.int64]]]:
    """Runs of a session with their designs, numbered as NSD does: without the resting runs before them."""
    without_design = sorted(set(layout.bold_runs(session)) - set(file_runs))
    if without_design:
        missing = layout.design(session=session, run=without_design[0])
        raise SourceDataError(
            f"Runs {without_design} of session {session} have BOLD and no design: {missing} is missing. Fetch it again."
        )
    designs = {run: _read_design(layout, session, run) for run in file_runs}
    kept = [run for run in file_runs if designs[run].any()]
    if len(file_runs) != len(kept) and len(kept) != RUNS_PER_SESSION:
        raise SourceDataError(
            f"Session {session} of {layout.subject_label} has {len(file_runs)} runs, of which {len(kept)} have trials; "
            f"needed are {RUNS_PER_SESSION} with trials. A design file may be empty."
        )
    n_resting_before = file_runs.index(kept[0]) if kept else 0
    for run in kept:
        motion = layout.motion(session=session, run=run) if with_motion else None
        if motion is not None and not motion.is_file():
            raise SourceDataError(f"The motion file {motion} is missing: copy it or set confounds: false.")
        number = run - n_resting_before
        name = f"ses-{session:02d}_run-{number:02d}"
        bold = layout.bold(session=session, run=run)
        yield RunFile(name, session, number, bold, len(designs[run]), motion), designs[run]


def _read_atlas(layout: NsdLayout, name: str, *, shape: tuple[int, ...]) -> NDArray[np.int16]:
    labels, _ = _read_roi(layout, name)
    if labels.shape != shape:
        raise SourceDataError(
            f"The ROI file {layout.roi(name)} has shape {labels.shape}, the region's has {shape}. "
            "Use ROI files of the same subject and resolution."
        )
    return labels


def _read_design(layout: NsdLayout, session: int, run: int) -> NDArray[np.int64]:
    path = layout.design(session=session, run=run)
    try:
        design = np.loadtxt(path, dtype=np.float64, ndmin=1)
    except ValueError as error:
        raise SourceDataError(
            f"{path} is no design: needed is one integer column without header. {error}"
        ) from error
    if design.ndim != 1 or not np.all(design == np.round(design)) or (design < 0).any():
        raise SourceDataError(
            f"{path} is no design: needed is one column of image IDs, 0 where no image appears."
        )
    return design.astype(np.int64)


def _read_roi(layout: NsdLayout, name: str) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    path = layout.roi(name)
    if not path.is_file():
        there = sorted(p.name.removesuffix(".nii.gz") for p in path.parent.glob("*.nii.gz"))
        raise SourceDataError(
            f"There is no ROI {name!r} ({path}); on disk are: {', '.join(there) or 'none'}."
        )
    labels, affine = read_volume_3d(path)
    return np.rint(labels).astype(np.int16), affine


def _check_bold(path: Path, *, n_rows: int, mask_shape: tuple[int, ...]) -> None:
    header = read_header(path)
    if header.shape[:3] != mask_shape:
        raise SourceDataError(
            f"{path} has volumes of {header.shape[:3]} voxels, the region's mask has {mask_shape}. "
            "Use ROI files of the same subject and resolution."
        )
    if not header.shape[3] - 1 <= n_rows <= header.shape[3]:
        raise SourceDataError(
            f"The design of {path.name} has {n_rows} rows, the run has {header.shape[3]} volumes. "
            "NSD's designs have one row less than volumes: fetch both files again."
        )
    if header.tr_s is not None and header.tr_s not in _UNSET_TR_S and abs(header.tr_s - TR_S) > 0.01 * TR_S:
        raise SourceDataError(
            f"{path} says a TR of {header.tr_s:g} s, NSD's func1pt8mm has {TR_S:.4f} s. Read it as BIDS if it is not NSD."
        )


def _shared_images(layout: NsdLayout) -> NDArray[np.int64]:
    from scipy.io import loadmat

    if not layout.experiment_design.is_file():
        raise SourceDataError(
            f"{layout.experiment_design} is missing: it says which images all subjects saw. Copy it."
        )
    try:
        return np.asarray(loadmat(layout.experiment_design)["sharedix"], dtype=np.int64).ravel()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceDataError(
            f"{layout.experiment_design} cannot be read ({error}); needed is NSD's file with 'sharedix'. Fetch it again."
        ) from error


def _trials(designs: list[NDArray[np.int64]], shared: NDArray[np.int64]) -> pd.DataFrame:
    rows = [
        (run, int(onset), int(design[onset]))
        for run, design in enumerate(designs)
        for onset in np.nonzero(design)[0]
    ]
    trials = pd.DataFrame(rows, columns=["run", "onset_tr", "image_id"])
    trials["onset_s"] = trials["onset_tr"] * TR_S
    trials["onset_residual_s"] = 0.0
    trials["duration_s"] = STIMULUS_DURATION_S
    trials["repetition"] = trials.groupby("image_id").cumcount()
    trials["shared1000"] = np.isin(trials["image_id"], shared)
    return trials


def _check_images(layout: NsdLayout, trials: pd.DataFrame) -> None:
    n_images = n_hdf5_images(layout.stimuli, STIMULUS_DATASET)
    outside = trials[trials["image_id"] > n_images]
    if len(outside):
        first = outside.iloc[0]
        raise SourceDataError(
            f"The design asks for image {int(first.image_id)} (run {int(first.run) + 1}, volume {int(first.onset_tr)}), "
            f"{layout.stimuli} holds {n_images}. Check that design and stimuli belong together."
        )


def _simulation_notes(layout: NsdLayout) -> dict[str, object]:
    if not layout.simulation_marker.is_file():
        return {"data_kind": "real", "notes": {}, "native_tr_s": NATIVE_TR_S}
    config = json.loads(layout.simulation_marker.read_text(encoding="utf-8"))["config"]
    return {"data_kind": "simulated", "notes": {key: str(config[key]) for key in ("code", "snr")}}
