"""Rates of right verdicts: counted by hand, with intervals, for tests and for thresholds."""

import numpy as np
import pytest
import xarray as xr

from tempgen.generalization.validation import (
    CLASSIFIERS,
    classification_rates,
    classification_table,
    clopper_pearson,
    markdown_table,
)


@pytest.fixture
def outcomes():
    """Of four data sets of two codes: separability errs once, the raw index calls everything dynamic and has no p."""
    shape = (2, 4, len(CLASSIFIERS))
    static, dynamic, p = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    names = list(CLASSIFIERS)
    dynamic[:, :, names.index("raw")] = 1
    k = names.index("separability")
    static[0, :, k], dynamic[1, :, k] = (1, 1, 1, 0), 1
    dynamic[0, 3, k] = 1
    p[0, :, k], p[1, :, k] = (0.5, 0.3, 0.8, 0.05), 0.025
    dims = ("condition", "dataset", "classifier")
    return xr.Dataset(
        {
            name: (dims, values)
            for name, values in (("says_static", static), ("says_dynamic", dynamic), ("p", p))
        }
        | {"statistic": (dims, p)},
        coords={
            "condition": ["one", "two"],
            "classifier": names,
            "code": ("condition", np.array(["static", "rotating"], dtype=object)),
        },
        attrs={"alpha": 0.05},
    )


def test_right_wrong_and_rejected_are_counted(outcomes):
    rates = classification_rates(outcomes)
    one = rates.sel(condition="one", classifier="separability")
    assert (float(one["right"]), float(one["wrong"]), float(one["rejects"])) == (0.75, 0.25, 0.25)
    low, high = clopper_pearson(3, 4)
    assert (float(one["right_low"]), float(one["right_high"])) == (float(low), float(high))
    raw = rates.sel(classifier="raw")
    assert raw["right"].values.tolist() == [0.0, 1.0]


def test_a_method_without_a_test_rejects_nothing_and_says_so(outcomes):
    rates = classification_rates(outcomes).sel(classifier="raw")
    assert rates["rejects"].isnull().all()
    assert (rates["rejects_n"] == 0).all()


def test_undecided_is_neither_right_nor_wrong(outcomes):
    rates = classification_rates(outcomes).sel(classifier="deconvolved")
    assert (rates["right"] + rates["wrong"] == 0).all()


def test_data_sets_that_are_not_there_do_not_count(outcomes):
    fewer = outcomes.copy()
    for name in ("says_static", "says_dynamic", "p"):
        fewer[name][0, 3] = np.nan
    one = classification_rates(fewer).sel(condition="one", classifier="separability")
    assert (float(one["right"]), int(one["right_n"])) == (1.0, 3)


def test_the_table_has_a_row_for_each_condition_and_method(outcomes):
    table = classification_table(classification_rates(outcomes))
    assert len(table) == 2 * len(CLASSIFIERS)
    assert "| one | separability | 4 | 0.750 |" in markdown_table(table)
