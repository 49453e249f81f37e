"""BIDS datasets, written small."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from tempgen.data.bids import MOTION_CONFOUNDS

SHAPE = (4, 3, 2)
N_TR = 20
TR_S = 2.0
AFFINE = np.diag([3.0, 3.0, 3.5, 1.0])
Rows = Sequence[Mapping[str, object]]
TWO_LABELS: Rows = (
    {"onset": 4.0, "duration": 2.0, "trial_type": "face"},
    {"onset": 12.0, "duration": 2.0, "trial_type": "house"},
    {"onset": 20.0, "duration": 2.0, "trial_type": "face"},
)


def write_bold(
    path: Path,
    *,
    n_tr: int = N_TR,
    shape: tuple[int, ...] = SHAPE,
    tr_s: float | None = TR_S,
    affine: NDArray[np.float64] = AFFINE,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(
        np.random.default_rng(0).integers(400, 600, (*shape, n_tr), dtype=np.int16), affine
    )
    if tr_s is not None:
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((3.0, 3.0, 3.5, tr_s))
    nibabel.save(image, path)
    return path


def write_mask(path: Path, mask: NDArray[Any], affine: NDArray[np.float64] = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), path)
    return path


def write_table(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(rows[0])
    lines = ["\t".join(columns), *("\t".join(str(row[column]) for column in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sidecar(path: Path, **content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def func(root: Path, session: str | None = None) -> Path:
    return root / "sub-01" / (f"ses-{session}" if session else "") / "func"


def write_run(
    root: Path, stem: str, rows: Rows | None = TWO_LABELS, *, session: str | None = None, **bold: Any
) -> None:
    """One raw run with its events; ``stem`` follows ``sub-01_``."""
    name = f"sub-01_{f'ses-{session}_' if session else ''}{stem}"
    write_bold(func(root, session) / f"{name}_bold.nii.gz", **bold)
    if rows is not None:
        write_table(func(root, session) / f"{name}_events.tsv", rows)


def write_derivative(folder: Path, stem: str, *, space: str = "_space-T1w", **bold: Any) -> None:
    """What fMRIPrep makes of a run: BOLD, brain mask and confounds."""
    write_bold(func(folder) / f"sub-01_{stem}{space}_desc-preproc_bold.nii.gz", **bold)
    mask = np.ones(bold.get("shape", SHAPE), dtype=bool)
    write_mask(func(folder) / f"sub-01_{stem}{space}_desc-brain_mask.nii.gz", mask)
    write_confounds(folder, stem)


def write_confounds(folder: Path, stem: str, *, n_rows: int = N_TR) -> None:
    rows = [
        dict.fromkeys(MOTION_CONFOUNDS, volume / 10) | {"dvars": "n/a" if volume == 0 else 1.5}
        for volume in range(n_rows)
    ]
    write_table(func(folder) / f"sub-01_{stem}_desc-confounds_timeseries.tsv", rows)
