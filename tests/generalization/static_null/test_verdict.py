"""Verdicts: what a method says, when it says nothing, and what all say together."""

import numpy as np
import pytest
import xarray as xr

from tempgen.generalization.static_null import (
    Finding,
    judge_deconvolved,
    judge_null,
    judge_raw,
    judge_together,
)


def index_of(value):
    return xr.Dataset(
        {"dynamics": value, "dynamics_low": value - 0.05, "dynamics_high": value + 0.05},
        attrs={"reason": "" if np.isfinite(value) else "at chance"},
    )


def null_of(observed, *, spread=0.02):
    drawn = 0.4 + spread * np.linspace(-2, 2, 99)
    p = (1 + int((drawn >= observed).sum())) / 100
    return xr.Dataset({"observed": observed, "null": ("surrogate", drawn), "p": p}, attrs={"reason": ""})


def deconvolved(value, *, error_s=0.1, caution=""):
    limits = {"static_below": 0.2, "dynamic_above": 0.3, "known_s": 0.3}
    return judge_deconvolved(index_of(value), hrf_error_s=error_s, caution=caution, **limits).verdict


def test_a_high_index_of_bold_says_nothing_and_a_low_one_static():
    assert judge_raw(index_of(0.7), static_below=0.2).verdict == "undecided"
    assert judge_raw(index_of(0.1), static_below=0.2).verdict == "static"


def test_deconvolution_tells_both_codes_apart_and_leaves_a_gap():
    assert [deconvolved(value) for value in (0.05, 0.25, 0.5)] == ["static", "undecided", "dynamic"]


def test_hrfs_that_are_not_known_make_no_code_dynamic():
    assert deconvolved(0.5, error_s=0.5) == "undecided"
    assert deconvolved(0.5, caution="half of the voxels have the slowest HRF") == "undecided"
    assert deconvolved(0.05, error_s=0.5) == "static"


def test_given_hrfs_are_known():
    assert deconvolved(0.5, error_s=None) == "dynamic"


def test_an_index_within_its_null_is_static_if_the_null_is_narrow_enough_to_tell():
    assert judge_null(null_of(0.41), alpha=0.05, negligible=0.1).verdict == "static"
    assert judge_null(null_of(0.45, spread=0.1), alpha=0.05, negligible=0.1).verdict == "undecided"
    assert judge_null(null_of(0.6), alpha=0.05, negligible=0.1).verdict == "dynamic"


def test_a_difference_that_is_sure_but_negligible_is_static():
    found = judge_null(null_of(0.42, spread=0.005), alpha=0.05, negligible=0.1)
    assert found.p <= 0.05
    assert found.verdict == "static"


def test_no_informative_lags_decide_nothing():
    found = null_of(0.4).assign_attrs(reason="at chance")
    assert judge_null(found, alpha=0.05, negligible=0.1) == Finding("undecided", "at chance")
    assert judge_raw(index_of(np.nan), static_below=0.2).reason == "at chance"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"raw": "static", "separability": "dynamic", "static_null": "dynamic"}, "dynamic"),
        ({"raw": "undecided", "separability": "static", "deconvolved": "undecided"}, "static"),
        ({"raw": "undecided", "separability": "static", "deconvolved": "dynamic"}, "undecided"),
        ({"raw": "static"}, "undecided"),
    ],
)
def test_methods_that_can_tell_decide_together_unless_they_disagree(said, expected):
    together = judge_together({name: Finding(word, "") for name, word in said.items()})
    assert together.verdict == expected
    if expected == "undecided" and len(said) > 1:
        assert "separability says static" in together.reason
