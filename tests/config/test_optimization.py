import pytest
from pydantic import ValidationError

from tempgen.config.optimization import OptimizationConfig


def test_every_default_names_its_source():
    unsourced = [
        name
        for name, field in OptimizationConfig.model_fields.items()
        if "Source:" not in (field.description or "")
    ]
    assert unsourced == []


def test_defaults_are_the_papers():
    config = OptimizationConfig()
    assert (config.n_steps, config.batch_size, config.warmup_steps) == (60_000, 320, 1_000)
    assert (config.betas, config.weight_decay, config.schedule) == ((0.9, 0.999), 0.01, "cosine")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"batch_size": 10, "gradient_accumulation_steps": 4}, "not a multiple"),
        ({"betas": (0.9, 1.0)}, "must lie in"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"n_steps": 0}, "n_steps"),
        ({"mixed_precision": "fp8"}, "mixed_precision"),
        ({"learning_rates": 1.0}, "learning_rates"),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_what_cannot_work_is_refused(content, message):
    with pytest.raises(ValidationError, match=message):
        OptimizationConfig(**content)
