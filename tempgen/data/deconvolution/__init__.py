"""Deconvolution of BOLD: which HRF each voxel has, how well that is known, and the activity that the BOLD tells of.

``choose_hrf`` on training runs, then ``fit_deconvolution`` on the same, then ``deconvolve_store`` (or ``deconvolve_in_memory``):

>>> HrfLibrary.canonical().time_to_peak_s.round(1).tolist()
[5.0]
"""

from tempgen.data.deconvolution.choice import choose_hrf
from tempgen.data.deconvolution.library import HrfLibrary
from tempgen.data.deconvolution.precision import describe_hrf, hrf_warnings
from tempgen.data.deconvolution.transform import deconvolve_in_memory, deconvolve_store, transform_store
from tempgen.data.deconvolution.voxel_hrf import VoxelHrf
from tempgen.data.deconvolution.wiener import Deconvolution, fit_deconvolution, wiener_filter

__all__ = [
    "Deconvolution",
    "HrfLibrary",
    "VoxelHrf",
    "choose_hrf",
    "deconvolve_in_memory",
    "deconvolve_store",
    "describe_hrf",
    "fit_deconvolution",
    "hrf_warnings",
    "transform_store",
    "wiener_filter",
]
