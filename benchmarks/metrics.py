"""The metrics of the field on 1,000 pairs at 224 x 224, against the obvious code that published evaluations run.

- tempgen: `pixcorr`, `ssim`, `two_way_identification` and `correlation_distance` by themselves, then all metrics together by
  `ImageSuite`, which passes each network once for all its layers, measures chance levels as well, and keeps what it knows
  of the seen images for the next lag.
- obvious (``parts/published_metrics.py``): ``np.corrcoef`` of each pair for PixCorr, scikit-image's SSIM in a loop,
  ``np.corrcoef`` over all seen and reconstructed features for two-way identification, SciPy's correlation distance in a loop, one
  pass of the network for each layer, and everything anew at each lag. It runs the same networks in the same batches up to the
  layer, in ours' favourable memory layout, and no chance level is measured.

Networks have random weights. AlexNet is always there; others (``--networks``, on a GPU all) need torchvision and are skipped
with a message without it. Pairs are made up: seen images with structure at several scales, reconstructions that resemble
them a little. Both sides get the same float32 arrays and number of threads, and run in turns in one process; medians count, and
the ratio of CPU seconds stands beside that of the clock, as other jobs disturb it less. A goal of 10 stands beside the
metrics that need no network.

The 16 lags of an analysis are the time of the pool and 16 times that of a lag, each lag costing the same. Peak memory is the growth
of a process of its own on AlexNet(2) alone, in units of that layer's features of all seen images.

Exits with 1 if values differ by more than what is allowed, or if tempgen holds AlexNet(2) features more than twice.

Run it as ``python benchmarks/metrics.py [--pairs 1000] [--threads 2] [--quick]``.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from parts.dynadiff import machine, no_gpu_reason
from parts.made_pairs import SIZE, make_features, make_reconstructed, make_seen
from parts.memory import forget_peak, peak_bytes, resident_bytes
from parts.published_metrics import (
    OBVIOUS,
    correlation_distances,
    identified,
    pixel_correlations,
    similarities,
)
from parts.random_networks import CountedNetwork, register_random
from threadpoolctl import threadpool_info, threadpool_limits

from tempgen.errors import NetworkUnavailableError
from tempgen.metrics import ImageSuite, get_suite, pixcorr, register_metric, ssim, two_way_identification
from tempgen.metrics.distance import correlation_distance
from tempgen.metrics.pixel_suite import IDENTIFICATION

Floats = NDArray[np.float32]
Scores = NDArray[Any]

N_PAIRS, N_LAGS = 1000, 16
ALEXNET_2_FEATURES = 192 * 27 * 27
N_DISTANCE_FEATURES = 2048  # SwAV-ResNet50's avgpool
NETWORKS = {  # what the suite takes of each
    "alexnet": ("alexnet_2", "alexnet_5"),
    "inception": ("inception",),
    "efficientnet": ("efficientnet",),
    "swav": ("swav",),
}
GOAL_RATIO = 10.0
GOAL_HELD = 2.0  # x the features of the seen images
MAX_DIFFERENCE = {"ssim": 1e-4, "pixcorr": 1e-6}
MAX_DISTANCE = 1e-5
MAX_SHARE = 3  # comparisons of a trial that may come out otherwise: float32 cannot order correlations closer than its rounding


@dataclass(frozen=True)
class Timed:
    """One thing that both sides compute.

    Attributes
    ----------
    allowed : float
        Largest difference of any score.
    goal : float or None
        Ratio to reach.
    """

    name: str
    obvious: Callable[[], dict[str, Scores]]
    ours: Callable[[], dict[str, Scores]]
    allowed: dict[str, float]
    goal: float | None = None


def metrics_alone(seen: Floats) -> Iterator[Timed]:
    """Each metric by itself, on images and on given features."""
    n_pairs, reconstructed = len(seen), make_reconstructed(seen)
    pixels = seen.reshape(n_pairs, -1), reconstructed.reshape(n_pairs, -1)

    def of_rows(name: str, rows: tuple[Floats, Floats]) -> Timed:
        return Timed(
            name,
            lambda: {name: identified(*rows)},
            lambda: {name: identify(*rows)},
            {name: MAX_SHARE / (n_pairs - 1)},
            GOAL_RATIO,
        )

    yield Timed(
        "PixCorr",
        lambda: {"pixcorr": pixel_correlations(seen, reconstructed)},
        lambda: {"pixcorr": pixcorr(seen=seen, reconstructed=reconstructed)},
        {"pixcorr": MAX_DIFFERENCE["pixcorr"]},
        GOAL_RATIO,
    )
    yield Timed(
        "SSIM",
        lambda: {"ssim": similarities(seen, reconstructed)},
        lambda: {"ssim": ssim(seen=seen, reconstructed=reconstructed)},
        {"ssim": MAX_DIFFERENCE["ssim"]},
        GOAL_RATIO,
    )
    yield of_rows("identification, pixels", pixels)
    yield of_rows("identification, AlexNet(2) size", make_features(n_pairs, ALEXNET_2_FEATURES))
    rows = make_features(n_pairs, N_DISTANCE_FEATURES)
    yield Timed(
        "correlation distance, SwAV size",
        lambda: {"distance": correlation_distances(*rows)},
        lambda: {"distance": correlation_distance(seen_features=rows[0], reconstructed_features=rows[1])},
        {"distance": MAX_DISTANCE},
        GOAL_RATIO,
    )


def identify(seen: Floats, reconstructed: Floats) -> Scores:
    """Ours, of pairs."""
    own = np.arange(len(seen))
    return two_way_identification(reconstructed_features=reconstructed, target_image=own, pool_features=seen)


class Together:
    """All metrics of a suite by both sides, at one lag.

    Parameters
    ----------
    networks : sequence of str
        Those of `NETWORKS` to take part; one that cannot be built is skipped with a message.
    metrics : sequence of str, optional
        By default those of pixels and of all networks.
    """

    def __init__(
        self, seen: Floats, *, networks: Sequence[str], metrics: Sequence[str] | None = None, device: str
    ) -> None:
        self.seen, self.reconstructed, self.device = seen, make_reconstructed(seen), device
        self.networks: dict[str, CountedNetwork] = {}
        for name in networks:
            try:
                self.networks[name] = register_random(name, device=device)
            except NetworkUnavailableError as error:
                print(f"  {name}: skipped; {error}")
        register_metric(IDENTIFICATION)
        if metrics is None:
            of_networks = (metric for name in self.networks for metric in NETWORKS[name])
            metrics = ["pixcorr", "ssim", "identification", *of_networks]
        self.suite = get_suite("paper").select(metrics)
        self.pool_s: list[float] = []
        self.lag_s: list[float] = []

    @property
    def allowed(self) -> dict[str, float]:
        """Largest differences."""
        by_kind = {"identification": MAX_SHARE / (len(self.seen) - 1), "correlation_distance": MAX_DISTANCE}
        return {
            metric.name: MAX_DIFFERENCE.get(metric.name) or by_kind[getattr(metric, "kind", "")]
            for metric in self.suite.metrics
        }

    def obvious(self) -> dict[str, Scores]:
        """One metric after another; a pass for each layer."""
        scores: dict[str, Scores] = {}
        for metric in self.suite.metrics:
            sides = [self.seen, self.reconstructed]
            if metric.layer is not None:
                network, layer = self.networks[metric.layer.network], metric.layer.name
                sides = [network.features(images, [layer])[layer] for images in sides]
            scores[metric.name] = OBVIOUS[getattr(metric, "kind", metric.name)](*sides)
        return scores

    def ours(self) -> dict[str, Scores]:
        """The pool, then the lag."""
        start = time.perf_counter()
        suite = ImageSuite(self.seen, self.suite, device=self.device)
        known = time.perf_counter()
        scores = suite.score(
            self.reconstructed, target_images={"current": np.arange(len(self.reconstructed))}
        )
        self.pool_s.append(known - start)
        self.lag_s.append(time.perf_counter() - known)
        return {name: rows[0] for name, rows in scores.score.items()}

    def count_images(self, run: Callable[[], object]) -> int:
        """Images that go through networks."""
        before = sum(network.n_images for network in self.networks.values())
        run()
        return sum(network.n_images for network in self.networks.values()) - before


def time_alternately(timed: Timed, args: argparse.Namespace) -> tuple[float, list[str]]:
    """Run both sides in turns and print a row; returns the obvious side's median seconds, and what failed."""
    runs = {"obvious": (timed.obvious, args.baseline_repeats), "tempgen": (timed.ours, args.repeats)}
    scores: dict[str, dict[str, Scores]] = {}
    seconds: dict[str, list[float]] = {side: [] for side in runs}
    cpu_s: dict[str, list[float]] = {side: [] for side in runs}
    for repeat in range(max(n_runs for _, n_runs in runs.values())):
        for side, (run, n_runs) in runs.items():
            if repeat < n_runs:
                gc.collect()
                start, cpu_start = time.perf_counter(), time.process_time()
                scores[side] = run()
                seconds[side].append(time.perf_counter() - start)
                cpu_s[side].append(time.process_time() - cpu_start)
    obvious_s, our_s = (statistics.median(each) for each in seconds.values())
    apart = {
        name: float(np.abs(scores["obvious"][name] - scores["tempgen"][name]).max()) for name in timed.allowed
    }
    ratio = obvious_s / our_s
    by_cpu = statistics.median(cpu_s["obvious"]) / statistics.median(cpu_s["tempgen"])
    verdict = "" if args.quick or timed.goal is None else ", reached" if ratio >= timed.goal else ", MISSED"
    goal = "" if timed.goal is None else f"  goal {timed.goal:g}{verdict}"
    print(
        f"  {timed.name:<34}{obvious_s:10.2f}{our_s:10.2f}{ratio:9.1f}{by_cpu:8.1f}{args.pairs / obvious_s:10.0f}{args.pairs / our_s:10.0f}"
        f"{max(apart.values()):11.1e}{goal}",
        flush=True,
    )
    return obvious_s, [
        f"{timed.name}: {name} differs by {apart[name]:.1e}, {allowed:.1e} allowed"
        for name, allowed in timed.allowed.items()
        if not apart[name] <= allowed
    ]


def time_together(seen: Floats, args: argparse.Namespace, *, device: str) -> list[str]:
    """The suite as a whole, at one lag and at all; returns what failed."""
    both = Together(seen, networks=args.networks, device=device)
    timed = Timed("all together, one lag", both.obvious, both.ours, both.allowed)
    obvious_s, failed = time_alternately(timed, args)
    pool_s, lag_s = statistics.median(both.pool_s), statistics.median(both.lag_s)
    our_s = pool_s + N_LAGS * lag_s
    print(f"    of {', '.join(both.suite.metric_names)}; tempgen's time has their chance levels in it")
    print(f"  {N_LAGS} lags")
    print(f"    obvious, each lag anew               {N_LAGS * obvious_s:10.1f} s")
    print(f"    tempgen, seen images anew at each lag{N_LAGS * (pool_s + lag_s):10.1f} s")
    print(
        f"    tempgen, seen images once            {our_s:10.1f} s ({pool_s:.2f} + {N_LAGS} x {lag_s:.2f}), "
        f"{N_LAGS * obvious_s / our_s:.1f} times as fast as the obvious code"
    )
    if both.networks:
        of_one_lag = both.count_images(both.ours) - len(both.networks) * len(seen)
        ours = len(both.networks) * len(seen) + N_LAGS * of_one_lag
        obvious = N_LAGS * both.count_images(both.obvious)
        print(f"    images through networks: {obvious:,} against {ours:,}", flush=True)
    return failed


def measure_held(args: argparse.Namespace) -> list[str]:
    """Peak memory of each side, in processes of their own; returns what failed."""
    features = args.pairs * ALEXNET_2_FEATURES * 4
    print(
        f"  Peak memory on AlexNet(2) beside the images; its features of all seen images are {features / 1e9:.2f} GB"
    )
    held = {}
    for side in ("obvious", "tempgen"):
        command = [sys.executable, __file__, "--role", side, "--pairs", str(args.pairs)]
        finished = subprocess.run(
            [*command, "--threads", str(args.threads)], stdout=subprocess.PIPE, check=True, text=True
        )
        growth = json.loads(finished.stdout.splitlines()[-1])["growth"]
        held[side] = growth / features
        print(f"    {side:<12}{growth / 1e9:8.2f} GB{held[side]:8.2f} times", flush=True)
    if args.pairs < N_PAIRS:
        print(f"    with {N_PAIRS:,} pairs at most {GOAL_HELD:g} times are allowed; here a block weighs more")
        return []
    return [f"AlexNet(2) features are held {held['tempgen']:.2f} times"] * (not held["tempgen"] <= GOAL_HELD)


def be_one_side(side: str, n_pairs: int) -> None:
    """The process of `measure_held`; on the CPU, where features of both sides are."""
    both = Together(make_seen(n_pairs), networks=["alexnet"], metrics=["alexnet_2"], device="cpu")
    both.networks["alexnet"].features(both.seen[:16], ["features.4"])  # what torch itself takes
    gc.collect()
    forget_peak()
    before = resident_bytes()
    both.obvious() if side == "obvious" else both.ours()
    print(json.dumps({"growth": peak_bytes() - before}))


def main() -> int:
    """Run the benchmark; 0 if values agree and memory is bounded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=N_PAIRS)
    parser.add_argument(
        "--networks",
        nargs="*",
        choices=list(NETWORKS),
        default=list(NETWORKS) if torch.cuda.is_available() else ["alexnet"],
        help="with random weights; those but alexnet need torchvision, and minutes on a CPU",
    )
    parser.add_argument("--threads", type=int, default=None, help="of BLAS and torch (default: as set up)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of tempgen; the median counts")
    parser.add_argument("--baseline-repeats", type=int, default=1, help="runs of the obvious code")
    parser.add_argument("--quick", action="store_true", help="24 pairs: does it work?")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.threads = args.threads or torch.get_num_threads()
    torch.set_num_threads(args.threads)
    if args.quick:
        args.pairs, args.repeats, args.baseline_repeats = 24, 1, 1
    with threadpool_limits(args.threads):
        if args.role:
            be_one_side(args.role, args.pairs)
            return 0
        return benchmark(args)


def benchmark(args: argparse.Namespace) -> int:
    """All parts."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    blas = {library["version"] for library in threadpool_info() if library["user_api"] == "blas"}
    print(
        f"{args.pairs:,} pairs of {SIZE} x {SIZE} pixels; NumPy {np.__version__}, OpenBLAS {', '.join(blas)}, "
        f"{args.threads} threads; networks with random weights on {machine(torch.device(device))}"
    )
    print(f"  {'':<34}{'seconds':>20}{'ratio by':>17}{'pairs per second':>20}{'differs':>11}")
    print(
        f"  {'':<34}{'obvious':>10}{'tempgen':>10}{'clock':>9}{'CPU':>8}{'obvious':>10}{'tempgen':>10}{'at most':>11}",
        flush=True,
    )
    seen = make_seen(args.pairs)
    failed = [line for timed in metrics_alone(seen) for line in time_alternately(timed, args)[1]]
    failed += time_together(seen, args, device=device)
    del seen
    failed += measure_held(args)
    reason = no_gpu_reason()
    if reason is not None:
        print(f"  On a GPU: skipped, {reason}.")
    print("\n".join(["FAILED:", *failed]) if failed else "\nValues agree.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
