"""Imports the weights that the authors of Dynadiff released: DeepSpeed checkpoints, in their code's names."""

from tempgen.models.released.deepspeed import deepspeed_to_safetensors
from tempgen.models.released.importing import (
    ReleasedDecoder,
    brain_module_from_released,
    import_released_decoder,
)

__all__ = [
    "ReleasedDecoder",
    "brain_module_from_released",
    "deepspeed_to_safetensors",
    "import_released_decoder",
]
