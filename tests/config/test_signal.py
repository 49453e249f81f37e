"""The section of an analysis file that names the signal."""

import pytest
from pydantic import ValidationError

from tempgen.config.signal import SignalConfig
from tempgen.data.betas.designs import COMPONENTS


@pytest.mark.parametrize(
    "keys",
    [
        {"hrf": "canonical"},
        {"duration_s": 3.0},
        {"kind": "deconvolved", "method": "lsa"},
        {"kind": "deconvolved", "hrf_step_s": 0.5},
        {"kind": "betas", "method": "lss", "ridge_fraction": 0.5},
    ],
)
def test_keys_that_would_not_be_used_are_refused(keys):
    with pytest.raises(ValidationError, match="would not be used"):
        SignalConfig(**keys)


def test_a_negative_duration_is_refused():
    with pytest.raises(ValidationError, match="or more is needed"):
        SignalConfig(kind="deconvolved", duration_s=-1)


def test_an_unknown_word_for_a_duration_is_refused():
    with pytest.raises(ValidationError, match="estimated"):
        SignalConfig(kind="deconvolved", duration_s="guessed")


@pytest.mark.parametrize("basis", COMPONENTS)
def test_a_trial_has_a_beta_for_each_part_of_the_activity(basis):
    assert SignalConfig(kind="betas", basis=basis).n_components == len(COMPONENTS[basis])
