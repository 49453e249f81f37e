"""Controls: could something else than the image explain the scores? Pure functions of results, one verdict each."""

from tempgen.generalization.controls.effects import (
    effect_by_trial,
    effect_difference,
    home_effect,
    mean_effect,
    metric_of_verdicts,
)
from tempgen.generalization.controls.leaks import judge_neighbours, judge_repetition
from tempgen.generalization.controls.onset import (
    deltas_before_onset,
    judge_before_onset,
    judge_previous_image,
)
from tempgen.generalization.controls.permuted import judge_permuted_images, judge_retrained
from tempgen.generalization.controls.presence import (
    judge_after_blank,
    judge_motion,
    judge_no_overlap,
    judge_part,
    judge_roi,
)
from tempgen.generalization.controls.table import verdict_dataset, verdict_table, verdicts_of
from tempgen.generalization.controls.verdict import Estimate, Verdict, VerdictWord, undecided

__all__ = [
    "Estimate",
    "Verdict",
    "VerdictWord",
    "deltas_before_onset",
    "effect_by_trial",
    "effect_difference",
    "home_effect",
    "judge_after_blank",
    "judge_before_onset",
    "judge_motion",
    "judge_neighbours",
    "judge_no_overlap",
    "judge_part",
    "judge_permuted_images",
    "judge_previous_image",
    "judge_repetition",
    "judge_retrained",
    "judge_roi",
    "mean_effect",
    "metric_of_verdicts",
    "undecided",
    "verdict_dataset",
    "verdict_table",
    "verdicts_of",
]
