"""Which HRF each voxel has."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempgen.data.deconvolution.library import HrfLibrary


@dataclass(frozen=True, eq=False)
class VoxelHrf:
    """The HRF of each voxel, and how well it is known.

    Attributes
    ----------
    library : HrfLibrary
    index : array of int, shape (n_voxels,)
        Each voxel's member of the library.
    r2 : array, shape (n_voxels,)
        Part of the variance of left-out training runs that the mean evoked response with this HRF explains; NaN where the HRF was given.
    time_to_peak_s : array, shape (n_voxels,)
        Of the HRF, interpolated between members of the library.
    standard_error_s : array, shape (n_voxels,)
        Of the time to peak, by resampling runs; NaN where the HRF was given.
    duration_s : float or None
        Assumed duration of the neural activity that an image evokes; None: as long as each image was shown.
    fit_by_duration : dict of float to float
        Explained variance, mean over voxels, with the best HRF of each, if activity lasted that long (s).
    assumed_fit : float
        The same for the assumed duration.
    """

    library: HrfLibrary
    index: NDArray[np.int64]
    r2: NDArray[np.float64]
    time_to_peak_s: NDArray[np.float64]
    standard_error_s: NDArray[np.float64]
    duration_s: float | None = None
    fit_by_duration: dict[float, float] = field(default_factory=dict)
    assumed_fit: float = float("nan")

    @classmethod
    def given(
        cls, library: HrfLibrary, index: NDArray[np.int64], *, duration_s: float | None = None
    ) -> VoxelHrf:
        """HRFs that were not estimated: the canonical one, or a simulation's own."""
        unknown = np.full(len(index), np.nan)
        return cls(library, np.asarray(index), unknown, library.time_to_peak_s[index], unknown, duration_s)

    def durations_s(self, trials: pd.DataFrame) -> NDArray[np.float64]:
        """Assumed duration of the activity of each trial of a table (:func:`tempgen.data.store.trials_of`), shape (n_trials,)."""
        if self.duration_s is None:
            return trials["duration_s"].to_numpy(dtype=np.float64)
        return np.full(len(trials), self.duration_s)
