"""Subject 1 of Haxby 2001 as a BIDS dataset, for the tests that look for it beside the repository.

The recording (PyMVPA's example dataset; CC BY-SA 3.0) is not part of tempgen.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np

HAXBY = Path(__file__).parents[2] / "shared" / "real" / "haxby2001_pymvpa"
"""Tests that use the recording skip where this folder is absent."""
TR_S = 2.5
"""Source: the recording's scan_key.txt."""
N_RUNS = 12
LICENSE = "CC BY-SA 3.0"
CITATION = "Haxby et al. 2001, Science 293:2425-2430; from the example dataset of PyMVPA"


def convert_haxby(source: Path, out: Path) -> Path:
    """Write subject 1 as raw BIDS: one slice, 12 runs of 121 volumes, 8 blocks of 22.5 s in each.

    Parameters
    ----------
    source : Path
        Folder ``haxby2001_pymvpa``.
    out : Path
        New dataset; its brain mask is the return value of :func:`haxby_mask`.

    Returns
    -------
    Path
        ``out``.
    """
    func = out / "sub-01" / "func"
    func.mkdir(parents=True)
    for run in range(1, N_RUNS + 1):
        recorded = source / "sub001" / "BOLD" / f"task001_run{run:03d}"
        stem = f"sub-01_task-objects_run-{run:02d}"
        image = nibabel.load(recorded / "bold_1slice.nii.gz")
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((*image.header.get_zooms()[:3], TR_S))
        written = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
        nibabel.save(written, func / f"{stem}_bold.nii.gz")
        shutil.copyfile(recorded / "bold_events.tsv", func / f"{stem}_events.tsv")
    mask = haxby_mask(out)
    mask.parent.mkdir(parents=True)
    shutil.copyfile(source / "mask_1slice.nii.gz", mask)
    _write_json(out / "task-objects_bold.json", {"TaskName": "objects", "RepetitionTime": TR_S})
    description = {
        "Name": "Haxby 2001, subject 1, one slice",
        "BIDSVersion": "1.10.0",
        "License": LICENSE,
        "HowToAcknowledge": CITATION,
    }
    _write_json(out / "dataset_description.json", description)
    (out / "README").write_text(
        f"{CITATION}. License: {LICENSE}.\nOnsets are those of the labelled volumes, 1 to 4.5 s after the blocks began.\n",
        encoding="utf-8",
    )
    return out


def haxby_mask(dataset: Path) -> Path:
    """Brain mask of a converted dataset."""
    return dataset / "derivatives" / "pymvpa" / "sub-01" / "func" / "sub-01_desc-brain_mask.nii.gz"


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
