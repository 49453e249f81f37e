"""What a dataset on disk offers to ``prepare``, whatever its layout.

``data.nsd`` and ``data.bids`` build a :class:`Source`; nothing after it knows where the files came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ImageReader = Callable[[NDArray[np.int64], int], NDArray[np.uint8]]

TRIAL_COLUMNS = (
    "run",
    "onset_tr",
    "onset_s",
    "onset_residual_s",
    "duration_s",
    "image_id",
    "repetition",
    "shared1000",
)


@dataclass(frozen=True)
class RunFile:
    """One run of BOLD on disk.

    Attributes
    ----------
    name : str
        Unique within the source, in BIDS style: ``"ses-01_run-01"``.
    session, run : int
        As the dataset numbers them.
    bold_path : Path
        A 4-D NIfTI file.
    n_tr : int
        Volumes to keep; trailing ones beyond it are dropped (NSD: 225 of 226).
    confounds_path : Path or None
        Tab-separated motion or confound regressors, one row per volume.
    """

    name: str
    session: int
    run: int
    bold_path: Path
    n_tr: int
    confounds_path: Path | None = None


@dataclass(frozen=True)
class Source:
    """One subject of a dataset, ready to be prepared.

    Attributes
    ----------
    kind : str
        ``"nsd"`` or ``"bids"``.
    subject : str
        Label without prefix.
    tr_s : float
        Seconds between volumes as they lie in the files.
    runs : tuple of RunFile
    mask : array of bool, shape (x, y, z)
        Voxels to keep.
    affine : array, shape (4, 4)
        Voxel indices to millimetres.
    trials : DataFrame
        Columns ``TRIAL_COLUMNS``, sorted by run and onset. ``run`` indexes ``runs``; ``onset_tr`` counts volumes of
        the store; ``onset_residual_s = onset_s - onset_tr * tr_s`` of the store.
    read_images : callable or None
        ``read_images(image_ids, max_size)`` gives uint8 images, shape (n, height, width, 3), shrunk to ``max_size``
        pixels a side where larger. None for a dataset that has labels only.
    voxel_labels : dict of str to array of int, shape (x, y, z)
        Atlases carried along as coordinates of the voxels.
    label_names : tuple of str
        Name of image_id 0, 1, ... where the dataset has labels and no images; else empty.
    resample_tr_s : float or None
        If set, every run is resampled to this TR (the grid on which the onsets lie) from ``resample_start_s`` on.
    native_tr_s : float or None
        TR of the acquisition, where the files were resampled from it; None: they hold the volumes as they were acquired.
    data_kind : str
        ``"real"`` or ``"simulated"``: what every figure made of it says.
    notes : dict of str to str
        What else a result should carry (for simulated subjects the code and the signal-to-noise ratio).
    """

    kind: str
    subject: str
    tr_s: float
    runs: tuple[RunFile, ...]
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]
    trials: pd.DataFrame
    read_images: ImageReader | None = None
    voxel_labels: dict[str, NDArray[np.int16]] = field(default_factory=dict)
    label_names: tuple[str, ...] = ()
    resample_tr_s: float | None = None
    resample_start_s: float = 0.0
    native_tr_s: float | None = None
    data_kind: str = "real"
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def store_tr_s(self) -> float:
        """Seconds between the volumes of the store made of this source."""
        return self.tr_s if self.resample_tr_s is None else self.resample_tr_s

    @property
    def acquisition_tr_s(self) -> float:
        """Seconds between the volumes that were acquired: what no latency can be finer than, however they were resampled."""
        return self.tr_s if self.native_tr_s is None else self.native_tr_s
