"""Curves and matrices in a few numbers, each with its formula, its source and an interval over images.

All summaries are of scores above chance, positive where better, and of the same bootstrap draws.
"""

from tempgen.generalization.summaries.difference import specialized_minus_general
from tempgen.generalization.summaries.onset import (
    half_amplitude_fall,
    half_amplitude_onset,
    significant_onset,
)
from tempgen.generalization.summaries.peak import curve_peak
from tempgen.generalization.summaries.resampling import Resampling
from tempgen.generalization.summaries.shape import dynamics_index, symmetry_index
from tempgen.generalization.summaries.table import summary_table
from tempgen.generalization.summaries.width import generalization_width

__all__ = [
    "Resampling",
    "curve_peak",
    "dynamics_index",
    "generalization_width",
    "half_amplitude_fall",
    "half_amplitude_onset",
    "significant_onset",
    "specialized_minus_general",
    "summary_table",
    "symmetry_index",
]
