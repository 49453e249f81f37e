"""A library of hemodynamic response functions (HRFs), and the BOLD that events and lasting activity evoke through each.

An HRF is the response to an instant of neural activity. What an image evokes is that, convolved with neural activity of an assumed
duration: by default as long as the image is shown. Duration and width cannot be told apart: activity that lasts longer looks like a
broader and later HRF. What is chosen from a library is therefore the pair, HRF and assumed duration, and a time to peak holds for that
duration; assuming 1 s more makes it about 0.5 s shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempgen.data.hrf import double_gamma
from tempgen.errors import ConfigError

STEP_S = 0.1
LENGTH_S = 50.0
"""Grid of the shapes. Source: that of the HRF library that NSD's authors published, 501 samples."""

CANONICAL_PEAK_S = 5.0
"""Time to peak of the canonical HRF. Source: SPM (see :mod:`tempgen.data.hrf`)."""

SPM_WIDTH_PEAKS_S = tuple(float(peak) for peak in np.round(2.7 + 0.4 * np.arange(10), 1))
"""Times to peak of the half that has the canonical HRF's width for its time to peak. Source: house choice; from the shortest of
NSD's HRFs on, in steps that put every HRF within 0.2 s of one."""

NSD_LIKE = (
    # onset_s, mode_s, dispersion_s, mode2_s, dispersion2_s, ratio
    (0.00, 2.90, 1.14, 6.33, 0.51, 0.57),
    (0.00, 3.32, 1.11, 6.14, 0.69, 0.59),
    (0.00, 3.13, 0.61, 5.58, 2.68, 0.45),
    (0.00, 3.43, 0.58, 8.42, 5.00, 0.40),
    (0.00, 3.83, 0.59, 14.17, 5.00, 0.36),
    (0.00, 4.26, 0.60, 18.77, 1.99, 0.25),
    (1.28, 3.47, 0.97, 19.26, 1.07, 0.14),
    (2.27, 2.87, 1.38, 19.25, 0.92, 0.07),
    (3.30, 2.20, 1.92, 21.09, 1.27, 0.02),
    (4.33, 1.37, 2.69, 29.99, 3.57, 0.04),
)
"""Two gammas each: the first's mode and dispersion (s after an onset), the second's, and what of it is subtracted. Source: fitted to every
other of the 20 HRFs that NSD's authors published (Allen et al. 2022): narrower than SPM's, the early ones with a deep undershoot, the late
ones skewed, with a late rise and a long tail."""


@dataclass(frozen=True, eq=False)
class HrfLibrary:
    """Hemodynamic response functions on one time grid.

    Attributes
    ----------
    shapes : array, shape (n_hrf, n_samples)
        Response to an instant of neural activity at time 0, peak 1, from time 0 on.
    step_s : float
        Seconds between samples.
    family : array of int, shape (n_hrf,)
        Members of one family differ little from one to the next, in the order of their times to peak: between them a time to peak can
        be interpolated.
    name : str
        For recipes and the terminal.
    """

    shapes: NDArray[np.float64]
    step_s: float
    family: NDArray[np.int64]
    name: str

    @classmethod
    def default(cls) -> Self:
        """Twenty double gammas: ten of NSD's narrower shapes, ten with SPM's width, peaks from 2.7 s to 6.3 s.

        Examples
        --------
        >>> library = HrfLibrary.default()
        >>> len(library), [round(float(peak), 1) for peak in (library.time_to_peak_s.min(), library.time_to_peak_s.max())]
        (20, [2.7, 6.3])
        """
        time_s = _grid()
        narrow = np.stack([_two_gammas(time_s, *row) for row in NSD_LIKE])
        wide = double_gamma(time_s, time_to_peak_s=np.array(SPM_WIDTH_PEAKS_S))
        return cls(
            np.concatenate([_peak_one(narrow), wide]),
            STEP_S,
            np.repeat([0, 1], [len(narrow), len(wide)]),
            "library",
        )

    @classmethod
    def canonical(cls) -> Self:
        """SPM's canonical HRF and nothing else."""
        shapes = double_gamma(_grid(), time_to_peak_s=np.array([CANONICAL_PEAK_S]))
        return cls(shapes, STEP_S, np.zeros(1, dtype=np.int64), "canonical")

    @classmethod
    def double_gammas(cls, time_to_peak_s: ArrayLike) -> Self:
        """SPM's canonical HRF stretched to each of the given times to peak, e.g. the true ones of simulated voxels."""
        peaks_s = np.sort(np.unique(np.asarray(time_to_peak_s, dtype=np.float64)))
        shapes = double_gamma(_grid(), time_to_peak_s=peaks_s)
        return cls(shapes, STEP_S, np.zeros(len(peaks_s), dtype=np.int64), "double-gammas")

    @classmethod
    def from_shapes(cls, shapes: ArrayLike, step_s: float, *, name: str = "own shapes") -> Self:
        """A user's own HRFs.

        Parameters
        ----------
        shapes : array, shape (n_hrf, n_samples)
            Response to an instant of neural activity, from time 0 on, in any units. They are ordered by time to peak.
        step_s : float
            Seconds between samples.

        Raises
        ------
        ConfigError
            If the shapes are no finite two-dimensional array, one has no peak, or the step is not positive.
        """
        values = np.asarray(shapes, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] < 2 or not len(values) or not np.isfinite(values).all():
            raise ConfigError(
                f"HRFs of shape {values.shape} came; a finite array (n_hrf, n_samples) is needed, a row for each HRF."
            )
        if not step_s > 0:
            raise ConfigError(f"HRFs {step_s} s apart came; a positive step is needed.")
        if (values.max(axis=1) <= 0).any():
            first = int(np.flatnonzero(values.max(axis=1) <= 0)[0])
            raise ConfigError(f"HRF {first} (from 0) is nowhere positive; each needs a peak.")
        order = np.argsort(values.argmax(axis=1), kind="stable")
        return cls(_peak_one(values[order]), float(step_s), np.zeros(len(values), dtype=np.int64), name)

    @classmethod
    def from_file(cls, path: Path | str, *, step_s: float = STEP_S) -> Self:
        """A user's own HRFs from a file: a row for each sample in time, a column for each HRF.

        Parameters
        ----------
        path : Path or str
            ``.npy``, ``.csv`` or ``.tsv`` (numbers only), the layout in which NSD's authors published theirs.
        step_s : float
            Seconds between rows.

        Raises
        ------
        ConfigError
            If there is no such file, it has another ending, or holds no HRFs.
        """
        path = Path(path)
        if not path.is_file():
            raise ConfigError(
                f"There is no file {path} of HRFs: give library, canonical or a .npy, .csv or .tsv file."
            )
        try:
            if path.suffix == ".npy":
                columns = np.load(path, allow_pickle=False)
            elif path.suffix in {".csv", ".tsv"}:
                columns = np.loadtxt(path, delimiter="," if path.suffix == ".csv" else None, ndmin=2)
            else:
                raise ConfigError(
                    f"{path} is no .npy, .csv or .tsv file: write the HRFs as columns of one of these."
                )
        except ValueError as error:
            raise ConfigError(f"{path} cannot be read as columns of numbers: {error}") from error
        return cls.from_shapes(np.atleast_2d(columns.T), step_s, name=path.name)

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def time_to_peak_s(self) -> NDArray[np.float64]:
        """Seconds from an instant of neural activity to the largest response, shape (n_hrf,)."""
        return (self.shapes.argmax(axis=1) + _vertex(self.shapes)) * self.step_s

    @property
    def length_s(self) -> float:
        """Seconds from time 0 to the last sample; after it all HRFs are 0."""
        return (self.shapes.shape[1] - 1) * self.step_s

    def response(self, since_onset_s: ArrayLike, *, duration_s: float) -> NDArray[np.float64]:
        """What neural activity of 1, from 0 to ``duration_s``, evokes: its convolution with each HRF.

        Parameters
        ----------
        since_onset_s : array, shape (n,)
            Seconds since the activity began.
        duration_s : float
            How long the activity lasts; 0 stands for an instant and gives the HRF itself.

        Returns
        -------
        array, shape (n_hrf, n)
            In units of activity x seconds (x 1 for an instant).

        Raises
        ------
        ConfigError
            If the duration is negative.
        """
        if duration_s < 0:
            raise ConfigError(f"Neural activity of {duration_s} s came; a duration of 0 or more is needed.")
        time_s = np.asarray(since_onset_s, dtype=np.float64)
        grid_s = np.arange(self.shapes.shape[1]) * self.step_s
        if duration_s == 0:
            return np.stack([np.interp(time_s, grid_s, shape, left=0, right=0) for shape in self.shapes])
        halves = (self.shapes[:, 1:] + self.shapes[:, :-1]) * (self.step_s / 2)
        until = np.concatenate([np.zeros((len(self), 1)), np.cumsum(halves, axis=1)], axis=1)
        return np.stack(
            [np.interp(time_s, grid_s, sums) - np.interp(time_s - duration_s, grid_s, sums) for sums in until]
        )

    def kernel(self, tr_s: float) -> NDArray[np.float64]:
        """BOLD at the volumes since activity of 1 that fills one TR, shape (n_hrf, n_lags): what deconvolution undoes."""
        n_lags = 2 + int(np.ceil(self.length_s / tr_s))
        return self.response(np.arange(n_lags) * tr_s, duration_s=tr_s)


def _grid() -> NDArray[np.float64]:
    return np.linspace(0, LENGTH_S, round(LENGTH_S / STEP_S) + 1)


def _two_gammas(
    time_s: NDArray[np.float64],
    onset_s: float,
    mode_s: float,
    dispersion_s: float,
    mode2_s: float,
    dispersion2_s: float,
    ratio: float,
) -> NDArray[np.float64]:
    since_s = time_s - onset_s
    return _gamma(since_s, mode_s, dispersion_s) - ratio * _gamma(since_s, mode2_s, dispersion2_s)


def _gamma(time_s: NDArray[np.float64], mode_s: float, dispersion_s: float) -> NDArray[np.float64]:
    """Gamma density with a given mode; its scale is the dispersion."""
    from scipy.stats import gamma

    density: NDArray[np.float64] = gamma.pdf(time_s, mode_s / dispersion_s + 1, scale=dispersion_s)
    return density


def _peak_one(shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    return shapes / shapes.max(axis=1, keepdims=True)


def _vertex(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps from each curve's largest sample to the top of the parabola through it and its neighbours, -0.5 to 0.5."""
    rows, top = np.arange(len(curves)), curves.argmax(axis=1)
    inside = (top > 0) & (top < curves.shape[1] - 1)
    top = np.where(inside, top, 1)
    before, here, after = (curves[rows, top + shift] for shift in (-1, 0, 1))
    bend = before - 2 * here + after
    flat = ~inside | (bend == 0)
    return np.where(flat, 0.0, (before - after) / (2 * np.where(flat, 1.0, bend)))
