"""Analysis files: typed, commented, and refused where a key is unknown or unused."""

from tempgen.config.analysis import Analysis
from tempgen.config.commented import commented_yaml, write_analysis
from tempgen.config.files import differences, fingerprint, load_analysis, validate

__all__ = [
    "Analysis",
    "commented_yaml",
    "differences",
    "fingerprint",
    "load_analysis",
    "validate",
    "write_analysis",
]
