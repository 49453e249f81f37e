"""How sure a statement about scores by lag is: intervals, tests and the noise ceiling.

Every output says in its attributes how it was made: test, unit of resampling, tail, alpha, number of permutations or draws,
seed.
"""

from tempgen.generalization.statistics.across_subjects import sign_flip_test
from tempgen.generalization.statistics.bootstrap import (
    bca_interval,
    bootstrap_means,
    cluster_bootstrap,
    percentile_interval,
)
from tempgen.generalization.statistics.cluster import cluster_test
from tempgen.generalization.statistics.intervals import score_intervals
from tempgen.generalization.statistics.noise_ceiling import compare_repeats, noise_ceiling
from tempgen.generalization.statistics.permutation import fdr, max_statistic_test

__all__ = [
    "bca_interval",
    "bootstrap_means",
    "cluster_bootstrap",
    "cluster_test",
    "compare_repeats",
    "fdr",
    "max_statistic_test",
    "noise_ceiling",
    "percentile_interval",
    "score_intervals",
    "sign_flip_test",
]
