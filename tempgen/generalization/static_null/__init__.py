"""The static null of the matrix: which dynamics index a static code with this subject's HRFs, trial order and noise would give."""

from tempgen.generalization.static_null.index import matrix_index
from tempgen.generalization.static_null.lag_decoders import METRIC, LagDecoders
from tempgen.generalization.static_null.null import static_null
from tempgen.generalization.static_null.strong_lags import strong_lags
from tempgen.generalization.static_null.subject import StaticSubject
from tempgen.generalization.static_null.verdict import (
    Finding,
    judge_deconvolved,
    judge_null,
    judge_raw,
    judge_separability,
    judge_together,
)

__all__ = [
    "METRIC",
    "Finding",
    "LagDecoders",
    "StaticSubject",
    "judge_deconvolved",
    "judge_null",
    "judge_raw",
    "judge_separability",
    "judge_together",
    "matrix_index",
    "static_null",
    "strong_lags",
]
