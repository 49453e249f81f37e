"""Analysis files: typed, commented, and refused where a key is unknown or unused."""

from tempgen.config.analysis import Analysis
from tempgen.config.files import (
    commented_yaml,
    differences,
    fingerprint,
    load_analysis,
    validate,
    write_analysis,
)

__all__ = [
    "Analysis",
    "commented_yaml",
    "differences",
    "fingerprint",
    "load_analysis",
    "validate",
    "write_analysis",
]
