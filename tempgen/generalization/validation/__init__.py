"""Calibration: how often tests reject, how often intervals cover, how far estimates are off, over many simulated data sets.

`dataset_outcomes` says what the tests and intervals made of one data set whose truth is known, `calibrate` what they make
of many.
"""

from tempgen.generalization.validation.classification import (
    CLASSIFIERS,
    classification_rates,
    classification_table,
)
from tempgen.generalization.validation.outcomes import TESTS, dataset_outcomes
from tempgen.generalization.validation.rates import clopper_pearson, share_interval
from tempgen.generalization.validation.summary import calibrate
from tempgen.generalization.validation.table import calibration_tables, markdown_table
from tempgen.generalization.validation.truth import chance_truth, measured_truth

__all__ = [
    "CLASSIFIERS",
    "TESTS",
    "calibrate",
    "calibration_tables",
    "chance_truth",
    "classification_rates",
    "classification_table",
    "clopper_pearson",
    "dataset_outcomes",
    "markdown_table",
    "measured_truth",
    "share_interval",
]
