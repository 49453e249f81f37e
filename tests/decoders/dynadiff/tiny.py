"""Sizes and configuration of the tiny decoders that these tests train."""

from tempgen.config.dynadiff import DynadiffConfig

N_IMAGES, N_TR, N_VOXELS = 24, 3, 20
SUBJECT = "1"


def tiny_config(**changes):
    """A configuration of a small brain module; dotted keys are written with two underscores."""
    values = {
        "brain_module": {"hidden_size": 16, "dropout": 0.0},
        "optimization": {
            "n_steps": 6,
            "batch_size": 8,
            "warmup_steps": 0,
            "learning_rate": 3e-3,
            "checkpoint_every": 2,
            "validate_every": 3,
            "tracker": None,
        },
        "sampling": {"n_steps": 4, "batch_size": 8},
        "validation_images": 4,
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            values.setdefault(section, {})[name] = value
        else:
            values[key] = value
    return DynadiffConfig.model_validate(values)
