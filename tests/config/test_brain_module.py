import pytest
from pydantic import ValidationError

from tempgen.config.adapters import AdapterConfig
from tempgen.config.brain_module import BrainModuleConfig


@pytest.mark.parametrize("section", [BrainModuleConfig, AdapterConfig])
def test_every_default_names_its_source(section):
    assert section.model_fields
    assert not [
        name for name, field in section.model_fields.items() if "Source:" not in (field.description or "")
    ]


@pytest.mark.parametrize(
    ("section", "values", "unused"),
    [
        (BrainModuleConfig, {"n_heads": 4}, "n_heads"),
        (BrainModuleConfig, {"aggregation_place": "in", "temporal": "conv1d"}, "temporal"),
        (AdapterConfig, {"kind": "none", "rank": 8}, "rank"),
        (AdapterConfig, {"kind": "full", "alpha": 8}, "alpha"),
    ],
)
def test_a_key_that_would_not_be_used_is_refused(section, values, unused):
    with pytest.raises(ValidationError, match=f"{unused} would not be used"):
        section(**values)


def test_heads_must_divide_the_hidden_size():
    with pytest.raises(ValidationError, match="hidden_size 30 is not a multiple of n_heads 8"):
        BrainModuleConfig(temporal="attention", hidden_size=30)
