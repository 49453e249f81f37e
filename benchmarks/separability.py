"""The separability test on a part of a subject, against himalaya's ridge with explicit delays; the cost of a whole one extrapolated.

BOLD is made up: images every 3 volumes with independent features, a separable response of each voxel, autocorrelated noise. The
store lies in memory, so that reading a disk is not counted.

- Coefficients at one penalty: tempgen's from sums of products against ``himalaya.ridge.Ridge`` on the design with a column for
  each lag and feature, both after the mean response is regressed out. The largest difference, in SDs of the coefficients,
  must be at most 1e-3; else the program exits with 1.
- Penalty of each voxel on 5 folds of runs, and the fit: tempgen against ``himalaya.ridge.RidgeCV`` with the same grid and folds.
- The whole test: seconds of each step, and the same for 480 runs x 15,724 voxels with 199 surrogates. Reading runs scales with runs and
  voxels; factorizations depend on neither; the rest scales with voxels. Peak memory is measured; that of a whole subject is
  larger by the products of design and BOLD, which are kept below 2 GiB whatever the number of runs.

Seconds are the processor's, of all threads together, so that others on the machine do not count.

Run it as ``OMP_NUM_THREADS=1 python benchmarks/separability.py [--runs 16] [--voxels 2000] [--features 20]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from parts.memory import forget_peak, peak_bytes
from threadpoolctl import threadpool_info

from tempgen.generalization.separability import ALPHAS, LaggedDesign
from tempgen.generalization.separability.gain import CrossValidation, gain_of
from tempgen.generalization.separability.model import fit_columns
from tempgen.generalization.separability.penalty import choose_penalty, choose_penalty_by_fold, folds_of
from tempgen.generalization.separability.run_statistics import (
    LARGEST_BYTES,
    RunStatistics,
    gather_statistics,
    read_run,
)
from tempgen.generalization.separability.solver import RidgeSolver
from tempgen.generalization.separability.surrogates import SeparableNull, draw_signs

N_LAGS, N_VOLUMES, TR_S, ALPHA = 16, 225, 4 / 3, 0.1
WHOLE_RUNS, WHOLE_VOXELS, WHOLE_DRAWS = 480, 15_724, 199
MAX_DIFFERENCE = 1e-3
Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """A part of a subject, its features, its design."""

    store: xr.Dataset
    features: pd.DataFrame
    design: LaggedDesign

    @property
    def runs(self) -> list[int]:
        """All of them."""
        return list(range(self.store.sizes["run"]))


def make_part(n_runs: int, n_voxels: int, n_features: int, *, seed: int = 0) -> Part:
    """Separable responses of random time course and tuning in AR(1) noise, as many images as trials."""
    rng = np.random.default_rng(seed)
    onset = np.tile(np.arange(9, N_VOLUMES - N_LAGS, 3), n_runs)
    run = np.repeat(np.arange(n_runs), len(onset) // n_runs)
    values = rng.standard_normal((len(run), n_features))
    course = np.exp(-0.5 * ((np.arange(N_LAGS)[:, None] - rng.uniform(2, 6, n_voxels)) / 1.5) ** 2)
    amplitude = (1 + 0.5 * values @ rng.standard_normal((n_features, n_voxels)) / n_features**0.5).astype(
        np.float32
    )
    bold = rng.standard_normal((n_runs, N_VOLUMES, n_voxels), dtype=np.float32)
    for volume in range(1, N_VOLUMES):
        bold[:, volume] = 0.4 * bold[:, volume - 1] + 0.9 * bold[:, volume]
    for lag in range(N_LAGS):
        np.add.at(bold, (run, onset + lag), amplitude * course[lag].astype(np.float32))
    bold = (bold - bold.mean(axis=1, keepdims=True)) / bold.std(axis=1, keepdims=True)
    table = {
        "run": run, "onset_tr": onset, "onset_s": onset * TR_S, "onset_residual_s": 0.0 * onset, "duration_s": 0 * onset + 3.0,
        "image_id": np.arange(len(run)), "repetition": 0 * run, "shared1000": run < 0,
    }  # fmt: skip
    store = xr.Dataset(
        {
            "bold": (("run", "volume", "voxel"), bold),
            **{f"trial_{k}": ("trial", v) for k, v in table.items()},
        },
        coords={"session": ("run", np.ones(n_runs, int)), "run_length": ("run", np.full(n_runs, N_VOLUMES))},
        attrs={"tr_s": TR_S},
    )
    features = pd.DataFrame(values, index=np.arange(len(run)))
    return Part(store, features, LaggedDesign.of(store, features, runs=np.arange(n_runs), lags=range(N_LAGS)))


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of processor time, and what came out."""
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def explicit(part: Part) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Delayed features and BOLD of all runs, mean response regressed out, and the run of each volume."""
    columns = np.concatenate([part.design.of_run(run) for run in part.runs])
    bold = np.concatenate([read_run(part.store, part.design, run) for run in part.runs]).astype(np.float64)
    mean, own = columns[:, ~part.design.is_penalized], columns[:, part.design.is_penalized]
    basis = np.linalg.qr(mean)[0]
    run = np.repeat(part.runs, N_VOLUMES)
    own, bold = (each - basis @ (basis.T @ each) for each in (own, bold))
    return own.astype(np.float32), bold.astype(np.float32), run


def compare(part: Part) -> float:
    """Print both sides' times, and return the largest difference of the coefficients."""
    from himalaya.ridge import Ridge, RidgeCV
    from sklearn.model_selection import PredefinedSplit

    folds = folds_of(len(part.runs), n_folds=5, seed=0)

    def ours() -> tuple[NDArray[np.float32], RunStatistics]:
        statistics = gather_statistics(part.store, part.design, runs=part.runs)
        alpha = choose_penalty(statistics, part.design.is_penalized, folds, alphas=ALPHAS).alpha
        return fit_columns(statistics, part.design, alpha=alpha, rank=None), statistics

    ours_s, (_, statistics) = timed(ours)
    sums = statistics.of(np.arange(len(part.runs)))
    solver = RidgeSolver(sums.gram, part.design.is_penalized)
    coefficients = solver.shrunk(solver.rotated(sums.products), ALPHA)
    explicit_s, (columns, bold, run) = timed(lambda: explicit(part))
    theirs = Ridge(alpha=ALPHA * solver.scale, fit_intercept=False).fit(columns, bold).coef_
    fold_of_run = np.concatenate([np.full(len(fold), k) for k, fold in enumerate(folds)])[
        np.argsort(np.concatenate(folds))
    ]
    penalties = np.array(ALPHAS) * solver.scale * 0.8  # of the training runs of a fold
    their_cv = RidgeCV(alphas=penalties, fit_intercept=False, cv=PredefinedSplit(fold_of_run[run]))
    theirs_s, _ = timed(lambda: their_cv.fit(columns, bold))
    difference = float(np.abs(coefficients - theirs).max() / theirs.std())
    n_columns = columns.shape[1]
    print(
        f"penalty of each voxel and fit, {n_columns} columns: tempgen {ours_s:.1f} s, himalaya RidgeCV {theirs_s:.1f} s ",
        end="",
    )
    print(
        f"(and {explicit_s:.1f} s to make the delays); columns and BOLD take {(columns.nbytes + bold.nbytes) / 2**20:.0f} MiB"
    )
    print(
        f"largest difference of a coefficient at one penalty: {difference:.1e} SD (at most {MAX_DIFFERENCE:g})"
    )
    return difference


def whole_test(part: Part, n_draws: int) -> None:
    """Time each step of the test, and say what a whole subject takes."""
    forget_peak()
    n_runs, n_voxels = len(part.runs), part.store.sizes["voxel"]
    gather_s, statistics = timed(lambda: gather_statistics(part.store, part.design, runs=part.runs))
    folds = folds_of(n_runs, n_folds=5, seed=0)
    factor_s, _ = timed(lambda: RidgeSolver(statistics.gram.sum(axis=0), part.design.is_penalized))
    penalty_s, chosen = timed(
        lambda: choose_penalty_by_fold(statistics, part.design.is_penalized, folds, alphas=ALPHAS)
    )
    alpha = np.stack([one.alpha for one in chosen])
    validation = CrossValidation(statistics.gram, part.design, folds, alpha)
    columns = fit_columns(statistics, part.design, alpha=np.exp(np.log(alpha).mean(axis=0)), rank=1)

    def draws() -> None:
        blocks = [slice(first, min(first + 1024, n_voxels)) for first in range(0, n_voxels, 1024)]
        for block in blocks:
            null = SeparableNull(statistics.block(block), columns[:, block], folds)
            for signs in draw_signs(n_draws, n_runs, seed=0):
                gain_of(validation.errors(*null.draw(signs), voxels=block))

    draws_s = timed(draws)[0] / n_draws
    peak = peak_bytes()
    voxels = WHOLE_VOXELS / n_voxels
    whole = {
        "reading": gather_s * voxels * WHOLE_RUNS / n_runs,
        "penalties": 10 * factor_s + max(0.0, penalty_s - 10 * factor_s) * voxels,
        f"{WHOLE_DRAWS} surrogates": draws_s * voxels * WHOLE_DRAWS,
    }
    store_gib = part.store["bold"].nbytes / 2**30
    print(f"{n_runs} runs x {n_voxels} voxels x {part.design.n_features} features x {N_LAGS} lags:", end=" ")
    print(f"reading {gather_s:.1f} s, penalties {penalty_s:.1f} s, a surrogate {draws_s:.2f} s; ", end="")
    print(f"peak {peak / 2**30:.2f} GiB, of which {store_gib:.2f} GiB is the store in memory")
    said = ", ".join(f"{name} {seconds / 60:.0f} min" for name, seconds in whole.items())
    print(
        f"extrapolated to {WHOLE_RUNS} runs x {WHOLE_VOXELS:,} voxels: {said}; {sum(whole.values()) / 3600:.1f} h in all"
    )
    growth = LARGEST_BYTES - statistics.products.nbytes
    n_units = LARGEST_BYTES // (4 * part.design.n_columns * WHOLE_VOXELS)
    grams = (n_units - n_runs) * part.design.n_columns**2 * 8
    # sums of a few folds, and coefficients, of all voxels at once
    several = 8 * 4 * part.design.n_columns * (WHOLE_VOXELS - n_voxels)
    total = peak - part.store["bold"].nbytes + growth + grams + several
    print(
        f"memory of a whole subject on disk, from the peak and the sizes of what grows: {total / 2**30:.1f} GiB"
    )


def main() -> int:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--voxels", type=int, default=2000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--draws", type=int, default=4)
    chosen = parser.parse_args()
    threads = max((info["num_threads"] for info in threadpool_info()), default=1)
    print(f"BLAS threads: {threads}")
    part = make_part(chosen.runs, chosen.voxels, chosen.features)
    whole_test(part, chosen.draws)
    return int(compare(part) > MAX_DIFFERENCE)


if __name__ == "__main__":
    sys.exit(main())
