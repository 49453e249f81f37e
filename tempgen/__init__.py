"""tempgen: when, and in which code, an image is present in brain activity.

Train fMRI-to-image decoders on windows of BOLD time series and measure how they generalize over time. Names below are
loaded when first used, so that ``import tempgen`` is instant.
"""

from __future__ import annotations

import importlib
from typing import Any

from tempgen._version import __version__

_PUBLIC = {
    "open_store": "tempgen.data.store",
    "open_results": "tempgen.results",
    "open_study": "tempgen.generalization.study",
    "open_reconstructions": "tempgen.reconstructions",
    "export_netcdf": "tempgen.results",
    "load_analysis": "tempgen.config",
    "run_analysis": "tempgen.workflow",
    "example_results": "tempgen.workflow",
    "explore": "tempgen.exploration",
    "lag_curve": "tempgen.generalization",
    "generalization_matrix": "tempgen.generalization",
    "lag_images": "tempgen.generalization",
    "score_table": "tempgen.generalization",
    "summary_table": "tempgen.generalization",
    "cluster_test": "tempgen.generalization",
    "max_statistic_test": "tempgen.generalization",
    "score_intervals": "tempgen.generalization",
    "score_reconstructions": "tempgen.workflow",
    "cross_condition": "tempgen.workflow.conditions",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tempgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
