"""Cluster bootstrap of 10 metrics at 16 lags over 3,000 trials of 1,000 images, against a loop over draws and against scipy.

All sides draw the same images, so that their intervals must agree within 1e-9; else the program exits with 1.

- tempgen: `cluster_bootstrap`, all 160 curves at once, percentile and BCa.
- loop over draws, with NumPy: concatenate the trials of the drawn images, take the mean of all curves. It is timed on
  ``--loop-draws`` draws and scaled to all, each draw costing the same; the table says so.
- `scipy.stats.bootstrap` knows no clusters, but the mean over the trials of drawn images is a ratio of sums, which it can
  resample in pairs: sum of scores and number of trials of each image. It takes one curve at a time and is timed on
  ``--scipy-curves`` of them, and scaled.

The goal is less than a minute on two cores. Run it as ``python benchmarks/bootstrap.py [--quick]``.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from tempgen.generalization.statistics import cluster_bootstrap

N_METRICS, N_LAGS, N_IMAGES, N_TIMES = 10, 16, 1000, 3
LEVEL, SEED = 0.95, 0
GOAL_S = 60.0
MAX_DIFFERENCE = 1e-9

Floats = NDArray[np.float64]


def make_scores() -> tuple[Floats, NDArray[np.int64]]:
    """Scores (n_metrics * n_lags, n_trials), skewed and shared by presentations of an image, and the trials' images."""
    rng = np.random.default_rng(SEED)
    image = rng.permutation(np.repeat(np.arange(N_IMAGES), N_TIMES))
    n_curves = N_METRICS * N_LAGS
    scores = rng.exponential(size=(n_curves, N_IMAGES))[:, image]
    return scores + rng.standard_normal((n_curves, len(image))), image


def loop_over_draws(scores: Floats, image: NDArray[np.int64], *, n_draws: int) -> Floats:
    """Percentile interval (2, n_curves) as a first version would make it."""
    rng = np.random.default_rng(SEED)
    trials_of = [np.flatnonzero(image == one) for one in range(N_IMAGES)]
    means = []
    for _ in range(n_draws):
        drawn = rng.integers(N_IMAGES, size=N_IMAGES)
        trials = np.concatenate([trials_of[one] for one in drawn])
        means.append(scores[:, trials].mean(axis=1))
    interval: Floats = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return interval


def scipy_loop(scores: Floats, image: NDArray[np.int64], *, n_draws: int, method: str) -> Floats:
    """Interval (2, n_curves) of `scipy.stats.bootstrap`, curve by curve."""
    counts = np.bincount(image)
    ends = [
        scipy.stats.bootstrap(
            (np.bincount(image, weights=curve), counts),
            lambda sums, counts, axis: sums.sum(axis=axis) / counts.sum(axis=axis),
            n_resamples=n_draws,
            batch=200,
            paired=True,
            vectorized=True,
            confidence_level=LEVEL,
            method=method,
            rng=np.random.default_rng(SEED),
        ).confidence_interval
        for curve in scores
    ]
    return np.array(ends).T


def main() -> None:
    """Time the three, compare their intervals, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--loop-draws", type=int, default=100, help="draws that the loop is timed on")
    parser.add_argument("--scipy-curves", type=int, default=2, help="curves that scipy is timed on")
    parser.add_argument("--repeats", type=int, default=3, help="runs of tempgen; the median counts")
    parser.add_argument("--quick", action="store_true", help="400 draws, once: does it work?")
    options = parser.parse_args()
    n_draws = 400 if options.quick else options.draws
    n_loop, n_curves = min(options.loop_draws, n_draws), options.scipy_curves
    scores, image = make_scores()
    print(f"{n_draws} draws of {N_IMAGES} images, {len(image)} trials, {N_LAGS} lags x {N_METRICS} metrics")

    ours, seconds = {}, {}
    for method in ("percentile", "bca"):
        taken = []
        for _ in range(1 if options.quick else options.repeats):
            start = time.perf_counter()
            ours[method] = np.array(
                cluster_bootstrap(scores, image, n_draws=n_draws, level=LEVEL, seed=SEED, method=method)
            )
            taken.append(time.perf_counter() - start)
        seconds[f"tempgen, {method}"] = float(np.median(taken))
    start = time.perf_counter()
    looped = loop_over_draws(scores, image, n_draws=n_loop)
    seconds["loop over draws, percentile"] = (time.perf_counter() - start) * n_draws / n_loop
    same_draws = cluster_bootstrap(scores, image, n_draws=n_loop, level=LEVEL, seed=SEED)
    differences = {"loop over draws, percentile": np.abs(np.array(same_draws) - looped).max()}
    for method, name in (("percentile", "percentile"), ("bca", "BCa")):
        start = time.perf_counter()
        theirs = scipy_loop(scores[:n_curves], image, n_draws=n_draws, method=name)
        seconds[f"scipy, {method}"] = (time.perf_counter() - start) * len(scores) / n_curves
        differences[f"scipy, {method}"] = np.abs(ours[method][:, :n_curves] - theirs).max()

    part = {
        "loop over draws, percentile": f"timed on {n_loop} draws, scaled",
        "scipy, percentile": f"timed on {n_curves} curves, scaled",
        "scipy, bca": f"timed on {n_curves} curves, scaled",
    }
    print(f"{'':<30}{'seconds':>10}{'/ tempgen':>11}{'differs by':>12}")
    for name, taken_s in seconds.items():
        ratio = taken_s / seconds[f"tempgen, {name.split(', ')[1]}"]
        difference = f"{differences[name]:.1e}" if name in differences else ""
        print(f"{name:<30}{taken_s:>10.2f}{ratio:>11.1f}{difference:>12}  {part.get(name, '')}")
    slowest = max(seconds["tempgen, percentile"], seconds["tempgen, bca"])
    if not options.quick:
        print(f"goal < {GOAL_S:g} s: {slowest:.1f} s, {'reached' if slowest < GOAL_S else 'MISSED'}")
    largest = max(differences.values())
    if not largest <= MAX_DIFFERENCE:
        sys.exit(f"Intervals differ by {largest:.1e}; at most {MAX_DIFFERENCE:g} is allowed.")


if __name__ == "__main__":
    main()
