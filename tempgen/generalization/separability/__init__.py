"""Separability: a static code with any HRF answers to (feature, latency) by an outer product, a dynamic one does not."""

from tempgen.generalization.separability.design import Features, LaggedDesign
from tempgen.generalization.separability.model import EncodingModel, fit_encoding
from tempgen.generalization.separability.penalty import ALPHAS
from tempgen.generalization.separability.testing import separability_test

__all__ = [
    "ALPHAS",
    "EncodingModel",
    "Features",
    "LaggedDesign",
    "fit_encoding",
    "separability_test",
]
