"""From windows of BOLD to the tokens that condition a diffusion model."""

from tempgen.models.brain_module.low_rank import LowRankCoefficients
from tempgen.models.brain_module.module import BrainModule

__all__ = ["BrainModule", "LowRankCoefficients"]
