"""The full train x test matrix of ridge decoders, against scikit-learn and himalaya looped over lags.

16 lags of 6 TRs, so 21 distinct volumes; a grid of 10 alphas; one alpha for all targets, chosen on 5 folds of held-out
runs; then all 256 cells are predicted. All sides get the same float32 volumes, folds, penalties and number of BLAS threads,
and run one after another in one process. BOLD is made up: planted patterns under voxel-specific HRFs, with noise that is
partly shared by voxels and volumes, as in fMRI.

- tempgen: ``fit_ridge_lags`` and ``predict_ridge_lags`` on NumPy.
- himalaya: ``KernelRidgeCV`` on NumPy, its default backend. It predicts with primal coefficients, which is faster than its
  own ``predict``; its test windows are made once per lag, which is not counted.
- scikit-learn: ``Ridge(solver="cholesky")`` in a loop over folds and alphas, and once more at the chosen alpha. It is
  timed at ``--sklearn-lags`` of the lags (with all test lags) and scaled to 16, each lag costing the same; the table says so.
- himalaya on its torch CPU backend, where torch is installed: for information, as it runs on another BLAS (Intel's MKL, whose
  eigendecomposition was 2.5 to 5 times as fast as OpenBLAS's on the machine where this was written).

Ours is run ``--repeats`` times, the others ``--baseline-repeats`` times, in turns; medians count. The largest difference of
any prediction of any cell, in units of the SD of its cell's predictions, must be at most 1e-3, and at 2,000 x 2,000 ours must
be 5 times as fast as the faster of scikit-learn and himalaya on the same BLAS; else the program exits with 1.

Run it as ``python benchmarks/ridge_matrix.py [--quick] [--sizes 1000x1000 2000x2000] [--threads 2]``.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib.util
import math
import pstats
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from tempgen.decoders.ridge_fit import RidgeFit, ridge_memory_bytes
from tempgen.decoders.ridge_folds import assign_folds
from tempgen.decoders.ridge_prediction import predict_ridge_lags
from tempgen.decoders.ridge_solver import fit_ridge_lags

Floats = NDArray[np.float32]
Cells = dict[tuple[int, int], Floats]

DELTAS = range(-2, 14)
START_TR, N_TR = 2, 6
OFFSETS = range(START_TR + DELTAS[0], START_TR + DELTAS[-1] + N_TR)
ALPHAS = np.logspace(-2, 2.5, 10)  # x mean diagonal of the Gram matrix; the grid of an analysis, too
N_TARGETS = 192  # 8 x 8 pixels x 3 colours
N_RUNS, N_FOLDS = 20, 5
TEST_SHARE = 8  # one test trial for eight training ones, as in NSD's standard split (3,000 and 27,000)
GOAL_SIZE, GOAL_RATIO = (2000, 2000), 5.0
MAX_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Recording:
    """Volumes (offset -> trials x voxels) and targets (trials x targets) of training and test trials."""

    train: dict[int, Floats]
    test: dict[int, Floats]
    targets: Floats
    groups: NDArray[np.int64]

    @property
    def fold(self) -> NDArray[np.int64]:
        """Fold that holds out each training trial."""
        return assign_folds(self.groups, n_folds=N_FOLDS)


@dataclass
class Timing:
    """Seconds of one side, and what it predicted."""

    fit_s: float
    predict_s: float
    cells: Cells
    alpha: dict[int, float]

    @property
    def total_s(self) -> float:
        """Fit and prediction."""
        return self.fit_s + self.predict_s


def make_recording(n_trials: int, n_voxels: int, *, seed: int) -> Recording:
    """Images of 40 latent features in voxels whose responses peak at different volumes; some signal at every lag.

    Without signal, alphas would tie within float32, and each side would choose its own.
    """
    rng = np.random.default_rng(seed)
    n_all = n_trials + n_trials // TEST_SHARE
    latent = rng.standard_normal((n_all, 40), dtype=np.float32)
    pixels = latent @ rng.standard_normal((40, N_TARGETS), dtype=np.float32) / 40**0.5
    pixels += 0.5 * rng.standard_normal(pixels.shape, dtype=np.float32)
    tuning = rng.standard_normal((40, n_voxels), dtype=np.float32) / 40**0.5
    peak = rng.uniform(3, 6, n_voxels)
    shared = rng.standard_normal((15, n_voxels), dtype=np.float32) / 15**0.5
    noise = rng.standard_normal((n_all, n_voxels), dtype=np.float32)
    common = rng.standard_normal((n_all, 15), dtype=np.float32)
    volumes = {}
    for offset in OFFSETS:  # AR(1) noise over volumes, private to a voxel and common to many
        noise = 0.6 * noise + 0.8 * rng.standard_normal(noise.shape, dtype=np.float32)
        common = 0.6 * common + 0.8 * rng.standard_normal(common.shape, dtype=np.float32)
        response = (0.25 * np.exp(-0.5 * ((offset - peak) / 2) ** 2) + 0.1).astype(
            np.float32
        )  # never nothing
        volumes[offset] = latent @ (tuning * response) + noise + common @ shared
    return Recording(
        train={offset: bold[:n_trials] for offset, bold in volumes.items()},
        test={offset: bold[n_trials:] for offset, bold in volumes.items()},
        targets=pixels[:n_trials],
        groups=np.arange(n_trials) * N_RUNS // n_trials,
    )


def window(volumes: dict[int, Floats], delta: int) -> Floats:
    """Features of the window of one lag, (trials, n_tr x voxels)."""
    return np.concatenate([volumes[START_TR + delta + k] for k in range(N_TR)], axis=1)


def run_ours(recording: Recording) -> tuple[Timing, dict[int, RidgeFit]]:
    """All lags and all cells by tempgen."""
    start = time.perf_counter()
    fits = dict(
        fit_ridge_lags(
            recording.train.__getitem__,
            recording.targets,
            deltas=DELTAS,
            start_tr=START_TR,
            n_tr=N_TR,
            alphas=ALPHAS.tolist(),
            groups=recording.groups,
            n_folds=N_FOLDS,
        )
    )
    fitted = time.perf_counter()
    cells = {
        (train, test): predicted
        for train, test, predicted in predict_ridge_lags(
            recording.test.__getitem__, fits, test_deltas=DELTAS, start_tr=START_TR
        )
    }
    done = time.perf_counter()
    alpha = {delta: float(fit.alpha[0]) for delta, fit in fits.items()}
    return Timing(fitted - start, done - fitted, cells, alpha), fits


def run_himalaya(recording: Recording, penalties: dict[int, Floats], *, backend: str) -> Timing:
    """All lags and all cells by himalaya's KernelRidgeCV, predicting with primal coefficients."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from sklearn.model_selection import PredefinedSplit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = set_backend(backend)

    def fit(delta: int) -> Callable[[Floats], Floats]:
        model = KernelRidgeCV(
            alphas=penalties[delta],
            fit_intercept=True,
            cv=PredefinedSplit(recording.fold),
            solver_params={"local_alpha": False},
            warn=False,
        )
        features = window(recording.train, delta)
        model.fit(library.asarray(features), library.asarray(recording.targets))
        alpha[delta] = float(model.best_alphas_[0]) / float(penalties[delta][0]) * ALPHAS[0]
        coef = library.to_numpy(model.get_primal_coef())
        intercept = library.to_numpy(model.intercept_)
        return lambda bold: bold @ coef + intercept

    alpha: dict[int, float] = {}
    return loop_over_lags(recording, fit, alpha=alpha, deltas=DELTAS)


def run_sklearn(recording: Recording, penalties: dict[int, Floats], *, deltas: list[int]) -> Timing:
    """Some lags and all their cells by scikit-learn's Ridge, looped over folds and alphas."""
    from sklearn.linear_model import Ridge

    def fit(delta: int) -> Callable[[Floats], Floats]:
        features, fold = window(recording.train, delta), recording.fold
        error = np.zeros(len(ALPHAS))
        for held_out in (fold == index for index in range(N_FOLDS)):
            bold, targets = features[~held_out], recording.targets[~held_out]
            new_bold, new_targets = features[held_out], recording.targets[held_out]
            for index, penalty in enumerate(penalties[delta]):
                model = Ridge(alpha=float(penalty), solver="cholesky").fit(bold, targets)
                error[index] += ((model.predict(new_bold) - new_targets) ** 2).sum()
        best = int(error.argmin())
        alpha[delta] = float(ALPHAS[best])
        predict: Callable[[Floats], Floats] = (
            Ridge(alpha=float(penalties[delta][best]), solver="cholesky")
            .fit(features, recording.targets)
            .predict
        )
        return predict

    alpha: dict[int, float] = {}
    return loop_over_lags(recording, fit, alpha=alpha, deltas=deltas)


def loop_over_lags(
    recording: Recording,
    fit: Callable[[int], Callable[[Floats], Floats]],
    *,
    alpha: dict[int, float],
    deltas: range | list[int],
) -> Timing:
    """What a loop over train lags and test lags costs; making the test windows is not counted."""
    tests = {delta: window(recording.test, delta) for delta in DELTAS}
    fit_s = predict_s = 0.0
    cells: Cells = {}
    for train in deltas:
        start = time.perf_counter()
        predict = fit(train)
        fitted = time.perf_counter()
        cells |= {(train, test): predict(bold) for test, bold in tests.items()}
        fit_s, predict_s = fit_s + fitted - start, predict_s + time.perf_counter() - fitted
    return Timing(fit_s, predict_s, cells, alpha)


def largest_difference(ours: Timing, theirs: Timing) -> float:
    """Largest difference of any prediction, in units of the SD of its cell's predictions."""
    return max(
        float(np.abs(ours.cells[cell] - bold).max() / bold.std()) for cell, bold in theirs.cells.items()
    )


def gemm_rate(n_rows: int = 2000) -> float:
    """Best of five products of square float32 matrices, GFLOP/s: the pace that BLAS allows."""
    matrix = np.random.default_rng(0).standard_normal((n_rows, n_rows), dtype=np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2e-9 * n_rows**3 / min(seconds)


def print_limits(recording: Recording) -> None:
    """Where our time goes, and how near each part is to the pace of BLAS."""
    profiler = cProfile.Profile()
    profiler.runcall(run_ours, recording)
    seconds = {key[2]: row[3] for key, row in pstats.Stats(profiler).stats.items()}  # type: ignore[attr-defined]
    n_trials, n_targets = recording.targets.shape
    n_test, n_voxels = recording.test[OFFSETS[0]].shape
    fit_s = seconds["_fit_window"] - seconds["_choose_alphas"]
    n_lags = len(DELTAS)
    held_out = n_trials // N_FOLDS
    per_alpha = 2 / 3 * n_trials**3 + 2 * n_trials**2 * n_targets + 0.6 * N_FOLDS * n_trials * held_out**2
    parts = {
        "read, centre, Gram matrices of 21 volumes": (
            seconds["move_to"],
            len(OFFSETS) * n_trials**2 * n_voxels,
        ),
        "16 x 10 factorizations with 5 folds each": (
            seconds["_choose_alphas"],
            n_lags * len(ALPHAS) * per_alpha,
        ),
        "sums of Gram matrices, coefficients": (
            fit_s,
            2 * n_lags * n_trials * N_TR * n_voxels * n_targets,
        ),
        "predictions of 256 cells": (
            seconds["run_ours"] - seconds["move_to"] - seconds["_fit_window"],
            2 * n_lags**2 * n_test * N_TR * n_voxels * n_targets,
        ),
    }
    rate, total = gemm_rate(), seconds["run_ours"]
    print(
        f"  Our time by part (one profiled run of {total:.1f} s; a product of 2,000 x 2,000 runs at {rate:.0f} GFLOP/s here):"
    )
    for name, (part_s, operations) in parts.items():
        print(
            f"    {name:<42} {part_s:7.2f} s  {part_s / total:4.0%}  {operations * 1e-9 / part_s:5.0f} GFLOP/s"
        )
    name, (part_s, _) = max(parts.items(), key=lambda item: item[1][0])
    print(f"  What limits it: {name}, {part_s / total:.0%} of the time.")


def benchmark_size(n_trials: int, n_voxels: int, args: argparse.Namespace) -> tuple[float, float, float]:
    """Time all sides at one size; gives our seconds, the ratio to the faster baseline on the same BLAS, and the largest difference."""
    recording = make_recording(n_trials, n_voxels, seed=0)
    peak = ridge_memory_bytes(
        n_trials=n_trials, n_voxels=n_voxels, n_tr=N_TR, n_targets=N_TARGETS, n_deltas=len(DELTAS)
    )
    n_test = len(recording.test[OFFSETS[0]])
    print(
        f"\n{n_trials:,} training trials x {n_voxels:,} voxels x {N_TR} TRs, {n_test} test trials, {N_TARGETS} targets"
    )
    print(
        f"  Our estimated peak {peak / 2**30:.2f} GiB beside the volumes; trials x features x lags would be",
        end=" ",
    )
    print(f"{4 * n_trials * n_voxels * N_TR * len(DELTAS) / 2**30:.2f} GiB.", flush=True)
    first, fits = run_ours(recording)  # warm-up, and the absolute penalties that the others are given
    penalties = {delta: (ALPHAS * fit.alpha_scale).astype(np.float32) for delta, fit in fits.items()}
    few = list(DELTAS[:: max(1, len(DELTAS) // args.sklearn_lags)])[: args.sklearn_lags]
    scale = len(DELTAS) / len(few)
    sides: dict[str, tuple[Callable[[], Timing], float]] = {}
    for backend in args.backends:
        sides[f"himalaya, {backend}"] = (
            lambda backend=backend: run_himalaya(recording, penalties, backend=backend),
            1.0,
        )
    sides["scikit-learn" + (f" ({len(few)} lags x {scale:g})" if scale > 1 else "")] = (
        lambda: run_sklearn(recording, penalties, deltas=few),
        scale,
    )
    ours: list[Timing] = []
    theirs: dict[str, list[Timing]] = {name: [] for name in sides}
    for repeat in range(max(args.repeats, args.baseline_repeats)):
        if repeat < args.repeats:
            ours.append(run_ours(recording)[0])
        for name, (run, _) in sides.items():
            if repeat < args.baseline_repeats:
                theirs[name].append(run())
    return report_size(recording, first, ours, {name: (theirs[name], sides[name][1]) for name in sides})


def report_size(
    recording: Recording, first: Timing, ours: list[Timing], theirs: dict[str, tuple[list[Timing], float]]
) -> tuple[float, float, float]:
    """Print the table of one size; gives our seconds, the ratio to the faster baseline on the same BLAS, and the largest difference."""

    def median(timings: list[Timing], part: str) -> float:
        return statistics.median(getattr(timing, part) for timing in timings)

    our_s, our_fit_s = median(ours, "total_s"), median(ours, "fit_s")
    runs = "  ".join(f"{timing.total_s:.1f}" for timing in ours)
    print(
        f"  {'side':<28} {'fit s':>8} {'predict s':>10} {'total s':>8} {'ratio':>7} {'ratio of fits':>14}  differs by"
    )
    print(
        f"  {'tempgen':<28} {our_fit_s:8.1f} {median(ours, 'predict_s'):10.1f} {our_s:8.1f}  (runs: {runs})"
    )
    ratios: dict[str, float] = {}
    differences = []
    for name, (timings, scale) in theirs.items():
        total_s, fit_s = scale * median(timings, "total_s"), scale * median(timings, "fit_s")
        differences.append(largest_difference(first, timings[0]))
        ratios[name] = total_s / our_s
        same = all(math.isclose(first.alpha[d], alpha, rel_tol=1e-3) for d, alpha in timings[0].alpha.items())
        print(
            f"  {name:<28} {fit_s:8.1f} {scale * median(timings, 'predict_s'):10.1f} {total_s:8.1f} {ratios[name]:6.1f}x "
            f"{fit_s / our_fit_s:13.1f}x  {differences[-1]:.1e} SD{'' if same else '  OTHER ALPHAS CHOSEN'}"
        )
    print(
        f"  alphas chosen: {sorted({round(alpha, 3) for alpha in first.alpha.values()})} of {ALPHAS.round(3).tolist()}"
    )
    print_limits(recording)
    sys.stdout.flush()
    return our_s, min(ratio for name, ratio in ratios.items() if "torch" not in name), max(differences)


def main() -> int:
    """Run the benchmark; 0 if predictions agree and the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["1000x1000", "2000x2000"], metavar="TRIALSxVOXELS")
    parser.add_argument(
        "--threads", type=int, default=None, help="BLAS threads of all sides (default: as set up)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours; the median counts")
    parser.add_argument("--baseline-repeats", type=int, default=1)
    parser.add_argument(
        "--sklearn-lags", type=int, default=1, help="lags at which scikit-learn is timed, 1 to 16"
    )
    parser.add_argument("--backends", nargs="+", default=None, choices=["numpy", "torch"], help="of himalaya")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, no goal: checks that predictions agree"
    )
    args = parser.parse_args()
    if args.quick:
        args.sizes, args.repeats = ["240x200", "480x400"], 1
    if args.backends is None:
        args.backends = ["numpy", "torch"] if importlib.util.find_spec("torch") else ["numpy"]
    sizes = [(int(trials), int(voxels)) for trials, voxels in (size.split("x") for size in args.sizes)]
    with threadpool_limits(args.threads):
        blas = {(lib["internal_api"], lib.get("version"), lib["num_threads"]) for lib in threadpool_info()}
        print(f"BLAS and threads: {sorted(blas, key=str)}")
        print(
            f"{len(DELTAS)} lags of {N_TR} TRs ({len(OFFSETS)} volumes), {len(ALPHAS)} alphas, {N_FOLDS} folds of {N_RUNS} runs"
        )
        results = {size: benchmark_size(*size, args) for size in sizes}
    print("\nGrowth")
    for (small, before), (large, after) in zip(
        list(results.items())[:-1], list(results.items())[1:], strict=True
    ):
        print(
            f"  {small} -> {large}: our time x {after[0] / before[0]:.1f}, ratio to the faster baseline on the same BLAS {before[1]:.1f}x -> {after[1]:.1f}x"
        )
    failures = [
        f"{size}: predictions differ by {worst:.1e} SD"
        for size, (_, _, worst) in results.items()
        if worst > MAX_DIFFERENCE
    ]
    if GOAL_SIZE in results and results[GOAL_SIZE][1] < GOAL_RATIO:
        failures.append(
            f"{GOAL_SIZE}: {results[GOAL_SIZE][1]:.1f} times as fast as the faster baseline on the same BLAS, {GOAL_RATIO} wanted"
        )
    print("\n".join(["FAILED:", *failures]) if failures else "\nPredictions agree; goals met.")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
