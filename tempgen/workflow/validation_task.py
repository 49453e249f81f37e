"""One data set of a calibration: a subject is simulated and analysed, and every test is applied."""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempgen.config.validation import ConditionConfig, ValidationConfig
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.simulate.in_memory import SimulatedSubject
from tempgen.data.simulate.scene_pool import ScenePool, open_scene_pool
from tempgen.data.splits import Split
from tempgen.data.store import trials_of
from tempgen.files import whole_file
from tempgen.generalization.evaluate import gather_scores, score_predictions
from tempgen.generalization.validation import chance_truth, dataset_outcomes, measured_truth
from tempgen.windows import usable_trials
from tempgen.workflow.cells import cells_of, decoded_cells
from tempgen.workflow.evaluation import evaluate_decoders
from tempgen.workflow.places import Places
from tempgen.workflow.scoring import scorer_of, shown_images
from tempgen.workflow.training import train_decoders
from tempgen.workflow.trial_sets import TrialSets
from tempgen.workflow.validation_dynamics import dynamics_outcomes

__all__ = ["Task", "run_task"]

_TRUTH_RUNS_TOGETHER = 10
"""Runs whose images make a pool of distractors, more where trials are further apart: expectations do not depend on how many there
are, time does."""
_TRUTH_SESSION = 1000
"""First session of the further runs, so that their noise is another."""
_IN_MEMORY = Path("/dev/shm")

_pools: dict[Path, ScenePool] = {}


@dataclass(frozen=True)
class Task:
    """A data set of a condition, and the file that keeps what came of it.

    Attributes
    ----------
    config : ValidationConfig
    condition : str
    number : int
        Of the data set within its condition, from 0.
    folder : Path
        Of the calibration.
    """

    config: ValidationConfig
    condition: str
    number: int
    folder: Path

    @property
    def path(self) -> Path:
        """The file of the outcomes."""
        return self.folder / "datasets" / self.condition / f"{self.number:05d}.json"

    @property
    def seed(self) -> int:
        """Of everything that is drawn: another one for each data set and condition."""
        text = f"{self.config.seed}/{self.condition}/{self.number}"
        return zlib.crc32(text.encode())

    @property
    def scenes(self) -> Path:
        """The images of all data sets."""
        return self.folder / "scenes.npz"


def run_task(task: Task) -> float:
    """Simulate and analyse a data set and write its outcomes, whole or not at all.

    Returns
    -------
    float
        Seconds that it took.
    """
    began = time.perf_counter()
    outcomes = _outcomes(task)
    seconds = time.perf_counter() - began
    content = {"seed": task.seed, "seconds": seconds, "outcomes": outcomes.drop_attrs().to_dict()}
    with whole_file(task.path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
    return seconds


def _outcomes(task: Task) -> xr.Dataset:
    condition, statistics = task.config.conditions[task.condition], task.config.statistics
    pool = _pool(task)
    if task.config.dynamics is not None:
        return dynamics_outcomes(condition, task.config.dynamics, pool, seed=task.seed)
    rng = np.random.default_rng(task.seed)
    experiment = condition.experiment
    designs = draw_designs(
        pool.features.image_ids,
        n_runs=experiment.n_runs,
        soa_slots=experiment.soa_slots,
        n_repetitions=experiment.n_repetitions,
        rng=rng,
    )
    simulation = condition.simulate.model_copy(update={"seed": task.seed})
    subject = SimulatedSubject.of(simulation, designs, pool=pool)
    store = subject.record(designs)
    where = (
        _IN_MEMORY if _IN_MEMORY.is_dir() else None
    )  # decoders are small; a disk would be what takes longest
    with tempfile.TemporaryDirectory(prefix="tempgen-validate-", dir=where) as folder:
        analysis = task.config.analysis_of(condition, Path(folder) / "analysis", seed=task.seed)
        train_decoders(analysis, analysis.fitted_deltas, store=store, say=_silent)
        results = evaluate_decoders(analysis, store=store, say=_silent)
        truth = None
        if condition.n_truth_runs:
            others = rng.permutation(np.setdiff1d(pool.features.image_ids, designs))
            sets = TrialSets.of(analysis, store)
            further = _further_results(sets, subject, condition, others, rng)
            truth = measured_truth(list(further), statistics.metrics)
        elif condition.is_null:
            truth = chance_truth(results, statistics.metrics)
    return dataset_outcomes(
        results,
        statistics.metrics,
        truth,
        alpha=statistics.alpha,
        level=statistics.level,
        n_permutations=statistics.n_permutations,
        n_draws=statistics.n_draws,
        seed=task.seed,
    ).assign_coords(lag_s=results["lag_s"])


def _pool(task: Task) -> ScenePool:
    """The images of all data sets, read once a process."""
    if task.scenes not in _pools:
        _pools[task.scenes] = open_scene_pool(
            task.scenes, n_images=task.config.n_scenes, seed=task.config.seed, size=16
        )
    return _pools[task.scenes]


def _further_results(
    sets: TrialSets,
    subject: SimulatedSubject,
    condition: ConditionConfig,
    image_ids: NDArray[np.int64],
    rng: np.random.Generator,
) -> Iterator[xr.Dataset]:
    """Results of the decoders that are trained, on further runs of the subject, some runs at a time, of images of their own."""
    together = _TRUTH_RUNS_TOGETHER * condition.experiment.soa_slots
    starts = range(0, condition.n_truth_runs, together)
    for first, images in zip(starts, np.array_split(image_ids, len(starts)), strict=True):
        designs = draw_designs(
            images,
            n_runs=min(together, condition.n_truth_runs - first),
            soa_slots=condition.experiment.soa_slots,
            n_repetitions=1,
            rng=rng,
        )
        store = subject.record(designs, first_session=_TRUTH_SESSION + first)
        yield _results_of(_all_tested(sets, store))


def _all_tested(sets: TrialSets, store: xr.Dataset) -> TrialSets:
    """Every trial of a store is a test trial."""
    trials = trials_of(store)
    usable = usable_trials(
        trials["onset_tr"],
        run_length=trials["run_length"],
        window=sets.window,
        deltas=sets.analysis.all_deltas,
    )
    nothing = np.zeros_like(usable)
    split: Split = replace(sets.split, train=nothing, test=usable, held_out=usable)
    return replace(sets, store=store, split=split)


def _results_of(sets: TrialSets) -> xr.Dataset:
    """Scores of the General row and of the diagonal."""
    analysis = sets.analysis
    windows, shown = sets.windows_of(sets.split.test), shown_images(sets)
    scorer, targets = scorer_of(sets, shown), analysis.evaluation.targets
    general, tested = analysis.training.general_delta, analysis.evaluated_deltas
    cells = {cell for cell in cells_of(sets) if cell[0] in (general, cell[1])}
    folders: dict[int, Path] = {
        delta: folder for delta, folder in _trained(sets).items() if delta in {train for train, _ in cells}
    }
    decoded = decoded_cells(sets, folders, windows, cells, desc="truth")
    scored = score_predictions(decoded, scorer=scorer, trials=shown, targets=targets)
    results = gather_scores(
        scored,
        metrics=scorer.metrics,
        trials=shown,
        targets=targets,
        train_deltas=list(folders),
        test_deltas=tested,
        window=sets.window,
    )
    return results.assign_attrs(general_delta=general)


def _trained(sets: TrialSets) -> dict[int, Path]:
    places = Places(sets.analysis)
    return {delta: places.decoder(delta) for delta in sets.analysis.evaluated_train_deltas}


def _silent(_: str) -> None:
    """Nothing is said of a single data set."""


def read_outcomes(path: Path) -> tuple[xr.Dataset, dict[str, Any]] | None:
    """What a data set's file holds, with its seed and seconds; None if it is not there or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        outcomes = xr.Dataset.from_dict(content.pop("outcomes"))
    except (OSError, ValueError, KeyError):
        return None
    return outcomes, content
