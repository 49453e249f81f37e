"""The configuration of the Dynadiff decoder: the paper's values, and what does not go together."""

import pytest
from pydantic import ValidationError

from tempgen.config.dynadiff import DynadiffConfig
from tempgen.config.sampling import SamplingConfig


def test_defaults_are_those_of_the_paper():
    config = DynadiffConfig()
    assert (config.timestep_sampling, config.offset_noise, config.condition_drop) == ("cubic", 0.1, 0.1)
    assert config.null_embedding == "learned"
    assert (config.loss_weight, config.token_loss) == ("none", 0.0)
    assert (config.warm_start, config.specialized_from) == ("none", "scratch")
    assert (config.sampling.scheduler, config.sampling.n_steps, config.sampling.guidance) == (
        "DDIMScheduler",
        20,
        3,
    )
    assert config.brain_module.hidden_size == 1552
    assert (config.adapter.rank, config.adapter.alpha) == (4, 4)


@pytest.mark.parametrize("model", [DynadiffConfig, SamplingConfig])
def test_every_default_names_its_source(model):
    for name, field in model.model_fields.items():
        is_section = hasattr(field.annotation, "model_fields")
        assert is_section or "Source:" in field.description, name


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"loss_weight_cap": 50.0}, "loss_weight_cap would not be used with loss_weight: none"),
        ({"validation_fraction": 0, "monitor": "token_error"}, "monitor would not be used"),
        ({"monitor": "pixel_correlation", "validation_images": 0}, "validation_images of at least 1"),
        ({"warm_start": "ridge"}, "linear_path_rank"),
        ({"specialized_from": "ridge"}, "linear_path_rank"),
        (
            {"specialized_from": "ridge", "brain_module": {"linear_path_rank": 8}},
            "elsewhere than its neighbours",
        ),
        ({"condition_drop": 1.0}, "condition_drop"),
        ({"guidance": 3.0}, "guidance"),
    ],
)
def test_what_does_not_go_together_is_refused(values, match):
    with pytest.raises(ValidationError, match=match):
        DynadiffConfig.model_validate(values)
