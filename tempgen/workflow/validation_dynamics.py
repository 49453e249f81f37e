"""One data set of a calibration of the methods that tell a dynamic code from overlap: a subject is simulated, all methods judge it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from tempgen.config.dynamics import DynamicsConfig
from tempgen.config.split import SplitConfig
from tempgen.config.validation import ConditionConfig
from tempgen.data.deconvolution import HrfLibrary, VoxelHrf
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.scene_pool import ScenePool
from tempgen.generalization.static_null import Finding, judge_deconvolved
from tempgen.generalization.validation.classification import CLASSIFIERS
from tempgen.workflow.dynamics_steps import DynamicsSubject, index_of, judge_method
from tempgen.workflow.encoding_features import encoding_features

__all__ = ["dynamics_outcomes"]

_SHORTEST_PEAK_S, _LONGEST_PEAK_S = 1.5, 12.0


def dynamics_outcomes(
    condition: ConditionConfig, rules: DynamicsConfig, pool: ScenePool, *, seed: int
) -> xr.Dataset:
    """Simulate a subject and apply every method to it.

    Returns
    -------
    Dataset, dims (classifier,)
        ``says_static`` and ``says_dynamic`` (1 or 0; both 0 if undecided), ``statistic`` (an index, the relative gain, or what the
        index exceeds its null by) and ``p``.
    """
    rng = np.random.default_rng(seed)
    experiment = condition.experiment
    designs = draw_designs(
        pool.features.image_ids,
        n_runs=experiment.n_runs,
        soa_slots=experiment.soa_slots,
        n_repetitions=experiment.n_repetitions,
        rng=rng,
    )
    simulated = SimulatedSubject.of(condition.simulate.model_copy(update={"seed": seed}), designs, pool=pool)
    store = simulated.record(designs)
    rules = rules.model_copy(update={"seed": seed})
    subject = DynamicsSubject(
        store,
        encoding_features(store, rules.encoding),
        rules,
        SplitConfig(n_test_runs=experiment.n_test_runs, seed=seed),
    )
    peaks_s = simulated.evoked.responses.time_to_peak_s
    wrong_s = (peaks_s + condition.hrf_error_s * rng.standard_normal(len(peaks_s))).clip(
        _SHORTEST_PEAK_S, _LONGEST_PEAK_S
    )

    def by_index(made: xr.Dataset) -> Finding:
        return judge_deconvolved(
            index_of(made, rules),
            static_below=rules.static_below,
            dynamic_above=rules.dynamic_above,
            hrf_error_s=None,
            known_s=np.inf,
        )

    methods: dict[str, Callable[[], Finding]] = {
        "raw": lambda: by_index(subject.bold_matrix()),
        "deconvolved_true": lambda: by_index(subject.deconvolved_matrix(_given(peaks_s))),
        "deconvolved_wrong": lambda: by_index(subject.deconvolved_matrix(_given(wrong_s))),
        "deconvolved": lambda: judge_method("deconvolved", subject.deconvolved_matrix(), rules),
        "separability": lambda: judge_method("separability", subject.separability(), rules),
        "static_null": lambda: judge_method("static_null", subject.static_null(), rules),
    }
    if not condition.hrf_error_s:
        methods["deconvolved_wrong"] = methods["deconvolved_true"]
    found = [methods[name]() for name in CLASSIFIERS]
    return xr.Dataset(
        {
            "says_static": ("classifier", [float(one.verdict == "static") for one in found]),
            "says_dynamic": ("classifier", [float(one.verdict == "dynamic") for one in found]),
            "statistic": ("classifier", [one.statistic for one in found]),
            "p": ("classifier", [one.p for one in found]),
        },
        coords={"classifier": list(CLASSIFIERS)},
    )


def _given(peaks_s: np.ndarray) -> VoxelHrf:
    """Double gammas with these times to peak."""
    library = HrfLibrary.double_gammas(peaks_s.round(2))
    distinct = np.unique(peaks_s.round(2))
    return VoxelHrf.given(library, np.searchsorted(distinct, peaks_s.round(2)))
