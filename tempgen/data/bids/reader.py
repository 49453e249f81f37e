"""Read one subject of a BIDS dataset, raw or preprocessed by fMRIPrep.

The runs with their TRs (``files``, ``sidecar``), trials (``events``, ``data.onsets``), seen images (``stimuli``) and mask
(``mask``) are put together here and checked against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from tempgen.data.bids.events import Events, read_events, trials_of_events
from tempgen.data.bids.files import NATIVE_SPACE, BidsRun, find_runs
from tempgen.data.bids.mask import AFFINE_TOLERANCE_MM, read_mask
from tempgen.data.bids.sidecar import TR_TOLERANCE_S, agreed_tr_s, inherited_files, read_sidecar
from tempgen.data.bids.stimuli import StimulusImages, names_images
from tempgen.data.confounds import load_confounds
from tempgen.data.nifti import NiftiHeader, read_header
from tempgen.data.onsets import OnsetGrid, find_onset_grid, nearest_volume
from tempgen.data.source import RunFile, Source
from tempgen.errors import ConfigError, SourceDataError

MOTION_CONFOUNDS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
"""FMRIPrep's columns of the six parameters of head motion."""


def open_bids(
    root: Path,
    subject: str,
    *,
    task: str | None = None,
    session: str | None = None,
    space: str | None = None,
    derivatives: Path | None = None,
    mask: Path | None = None,
    onsets: Literal["nearest", "resample"] = "nearest",
    resample_tr_s: float | None = None,
    tr_s: float | None = None,
    stimulus_column: str | None = None,
    confounds: Sequence[str] = (),
) -> Source:
    """Describe one subject of a BIDS dataset for :func:`tempgen.data.prepare.prepare_store`.

    Parameters
    ----------
    root : Path
        The raw dataset, the folder of ``sub-*``: events are always read there.
    subject, task, session : str
        Labels, with or without ``sub-``, ``task-``, ``ses-``. None takes the only task, and all sessions.
    space : str or None
        Of the derivatives: ``T1w``, ``func``, ``MNI152NLin2009cAsym:res-2``, ...; None takes the only one.
    derivatives : Path or None
        FMRIPrep's folder, with BOLD (``desc-preproc``), brain masks and confounds. None reads raw BOLD.
    mask : Path or None
        Voxels above 0 are kept; None: see :func:`tempgen.data.bids.mask.read_mask`.
    onsets : {"nearest", "resample"}
        Each onset goes to the nearest volume, or all runs are resampled to a grid on which the onsets lie.
    resample_tr_s : float or None
        Step of that grid (s); None looks for it, see :func:`tempgen.data.onsets.find_onset_grid`.
    tr_s : float or None
        The TR as you know it (s), to be checked against sidecar and header.
    stimulus_column : str or None
        Column of events.tsv that says what was seen; None takes the first of ``stim_file``, ``stimulus``, ``trial_type``.
        Names of image files are read from ``stimuli/``; other values are labels. Rows without a value are no trials.
    confounds : sequence of str
        Columns that preprocessing will ask for, checked here.

    Returns
    -------
    Source
        ``onset_s`` counts from the first volume of the store. ``shared1000`` is False, ``notes`` say what was chosen.

    Raises
    ------
    ConfigError
        If options contradict each other.
    SourceDataError
        If there is no such subject, task, session or space, or several and none chosen; if a file is missing, cannot be
        read or contradicts another (TRs, shapes, affines, numbers of rows); if an onset lies outside its run or on no grid.
    """
    _check_options(onsets, resample_tr_s=resample_tr_s, confounds=confounds, derivatives=derivatives)
    root, derivatives = Path(root), None if derivatives is None else Path(derivatives)
    runs = find_runs(root, subject, task=task, session=session, space=space, derivatives=derivatives)
    headers = [read_header(run.bold_path) for run in runs]
    _check_geometry(runs, headers)
    run_tr_s = _common_tr_s(runs, headers, root=root, derivatives=derivatives, claimed_tr_s=tr_s)
    events = read_events(
        [_events_path(run, root, base=derivatives or root) for run in runs],
        run_length_s=[header.shape[3] * run_tr_s for header in headers],
        column=stimulus_column,
    )
    grid = _onset_grid(events, onsets, tr_s=run_tr_s, resample_tr_s=resample_tr_s)
    keep, mask_note = read_mask(runs, headers[0], mask, derivatives=derivatives)
    source = Source(
        kind="bids",
        subject=runs[0].entities["sub"],
        tr_s=run_tr_s,
        runs=tuple(_run_file(run, header, confounds) for run, header in zip(runs, headers, strict=True)),
        mask=keep,
        affine=headers[0].affine,
        trials=trials_of_events(events, tr_s=grid.tr_s, start_s=grid.start_s),
        notes={**_origin(runs[0], derivatives), "mask": mask_note},
    )
    return _with_stimuli(_with_grid(source, grid), events, root)


def _check_options(
    onsets: str, *, resample_tr_s: float | None, confounds: Sequence[str], derivatives: Path | None
) -> None:
    if onsets not in ("nearest", "resample"):
        raise ConfigError(f"onsets={onsets!r} came; nearest or resample is needed.")
    if resample_tr_s is not None and onsets != "resample":
        raise ConfigError(
            f"resample_tr_s={resample_tr_s:g} would not be used with onsets={onsets!r}: take onsets='resample'."
        )
    if confounds and derivatives is None:
        raise ConfigError(
            "Confounds came without derivatives: fMRIPrep computes them. Give its folder, or no confounds."
        )


def _check_geometry(runs: Sequence[BidsRun], headers: Sequence[NiftiHeader]) -> None:
    first = headers[0]
    for run, header in zip(runs, headers, strict=True):
        advice = (
            "All runs must be on one grid: align them (fMRIPrep with one output space), or choose a session."
        )
        if header.shape[:3] != first.shape[:3]:
            raise SourceDataError(
                f"{run.bold_path} has volumes of {header.shape[:3]} voxels, {runs[0].bold_path.name} has {first.shape[:3]}. {advice}"
            )
        if not np.allclose(header.affine, first.affine, rtol=0, atol=AFFINE_TOLERANCE_MM):
            raise SourceDataError(
                f"{run.bold_path} lies elsewhere than {runs[0].bold_path.name}: their affines differ by up to "
                f"{np.abs(header.affine - first.affine).max():.3g} mm. {advice}"
            )


def _common_tr_s(
    runs: Sequence[BidsRun],
    headers: Sequence[NiftiHeader],
    *,
    root: Path,
    derivatives: Path | None,
    claimed_tr_s: float | None,
) -> float:
    trs = [
        agreed_tr_s(
            run,
            header_tr_s=header.tr_s,
            sidecar=read_sidecar(run, root=root, derivatives=derivatives),
            claimed_tr_s=claimed_tr_s,
        )
        for run, header in zip(runs, headers, strict=True)
    ]
    differing = [
        run for run, run_tr_s in zip(runs, trs, strict=True) if abs(run_tr_s - trs[0]) > TR_TOLERANCE_S
    ]
    if differing:
        raise SourceDataError(
            f"The TRs of the runs differ: {runs[0].name} {trs[0]:g} s, {differing[0].name} "
            f"{trs[runs.index(differing[0])]:g} s. One analysis needs one TR: choose a session or a task of one TR."
        )
    return trs[0]


def _events_path(run: BidsRun, root: Path, *, base: Path) -> Path:
    paths = inherited_files(run, root, base=base, suffix="events", extension="tsv")
    if not paths:
        raise SourceDataError(
            f"There is no events.tsv for {run.bold_path.name} in {root / run.bold_path.parent.relative_to(base)} or above. "
            "Add it, or choose a task that has events."
        )
    return paths[-1]


def _onset_grid(events: Events, onsets: str, *, tr_s: float, resample_tr_s: float | None) -> OnsetGrid:
    """Volumes of the store: those of the files, or a grid on which the onsets lie."""
    onset_s = events.table["onset_s"].to_numpy()
    if onsets == "resample":
        return find_onset_grid(onset_s, tr_s=tr_s, grid_tr_s=resample_tr_s)
    residual_s = onset_s - tr_s * nearest_volume(onset_s, tr_s=tr_s)
    return OnsetGrid(tr_s=tr_s, start_s=0.0, max_residual_s=float(np.abs(residual_s).max()))


def _origin(run: BidsRun, derivatives: Path | None) -> dict[str, str]:
    raw = "raw: no motion correction by tempgen"
    bold = raw if derivatives is None else f"preprocessed, space {run.entities.get('space', NATIVE_SPACE)}"
    return {"task": run.entities.get("task", ""), "bold": bold}


def _with_grid(source: Source, grid: OnsetGrid) -> Source:
    """The source with its runs resampled, unless the grid is that of the files."""
    residual = f"residuals up to {grid.max_residual_s:.3f} s"
    if (grid.tr_s, grid.start_s) == (source.tr_s, 0.0):
        return replace(source, notes={**source.notes, "onsets": f"nearest volume, {residual}"})
    resampled = f"resampled every {grid.tr_s:.6g} s from {grid.start_s:.6g} s, {residual}"
    return replace(
        source,
        resample_tr_s=grid.tr_s,
        resample_start_s=grid.start_s,
        notes={**source.notes, "onsets": resampled},
    )


def _with_stimuli(source: Source, events: Events, root: Path) -> Source:
    """The source with the seen images if the events name files, else with labels."""
    notes = {**source.notes, "rows_dropped": f"{events.n_dropped} rows of events without {events.column}"}
    if events.column == "stim_file" or names_images(events.names):
        images = StimulusImages.find(root, events.names)
        return replace(
            source, read_images=images, notes={**notes, "stimuli": f"{events.column}: {images.describe()}"}
        )
    labels = f"{events.column}: {len(events.names)} labels"
    return replace(source, label_names=events.names, notes={**notes, "stimuli": labels})


def _run_file(run: BidsRun, header: NiftiHeader, confounds: Sequence[str]) -> RunFile:
    path = run.confounds_path
    n_tr = header.shape[3]
    if confounds:
        if path is None:
            raise SourceDataError(
                f"There are no confounds of {run.name} beside {run.bold_path} (*_desc-confounds_timeseries.tsv). "
                "Restore them, or ask for no confounds."
            )
        n_rows = len(load_confounds(path, columns=confounds))
        if n_rows != n_tr:
            raise SourceDataError(
                f"{path} has {n_rows} rows, {run.bold_path.name} has {n_tr} volumes. Restore both files."
            )
    return RunFile(run.name, run.session, run.run, run.bold_path, n_tr, path)
