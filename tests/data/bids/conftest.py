"""Small datasets of two runs, raw and preprocessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.bids.datasets import SHAPE, TR_S, write_derivative, write_mask, write_run, write_sidecar


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two raw runs of one task; the TR stands in the headers and above the subject."""
    root = tmp_path / "dataset [v1]"  # brackets mean something to glob
    write_run(root, "task-view_run-1")
    write_run(root, "task-view_run-2")
    write_sidecar(root / "task-view_bold.json", RepetitionTime=TR_S)
    return root


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    kept = np.zeros(SHAPE, dtype=bool)
    kept[1:3] = True
    return write_mask(tmp_path / "mask.nii.gz", kept)


@pytest.fixture
def fmriprep(root: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "fmriprep"
    for run in (1, 2):
        write_derivative(folder, f"task-view_run-{run}")
    return folder
