"""One training step of Dynadiff, against a straightforward implementation of the reference recipe.

- tempgen: its own training engine and task. The VAE's moments are cached, the UNet has the image branch alone, autocast is
  bfloat16 (on a GPU frozen weights are, too), noise is keyed, AdamW is one kernel; making the batch counts.
- reference (``parts/reference_recipe.py``): the dual-guided UNet as the paper's code runs it, a second attention stack for the
  text's tokens beside each of the first and multiplied by 0; images are encoded by the VAE in each step; a layer for each TR in
  a loop; LoRA on both stacks; ``torch.optim.AdamW`` as it comes; float32 on a CPU, bfloat16 weights and autocast on a GPU. Images
  are already resized, which the recipe does in each step, too.

Both take random batches of the same trials, on a CPU in turns in one process, and clip gradients. First both get the same
batch, weights, noise, timesteps and posterior draw in float32 without dropout: losses must agree within 1e-3 (the cached moments
are float16) and the gradients of the output layer within 1e-2, each relative; else the program exits with 1. CPU seconds stand
beside the clock, as other jobs disturb them less. Peak memory is that of a process of its own on a CPU (its growth over the
loaded models stands beside it), and what torch allocated on a GPU.

It runs on the scenes backbone on the CPU and, where there is a GPU, at the paper's size with random weights; batches that
would not fit are skipped. Last comes the cost of one General and 16 Specialized decoders of one subject.

Run it as ``python benchmarks/train_step.py [--batch-sizes 32 96] [--gpu-batch-sizes 8 16 32 64 128] [--quick]``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable

import torch
from parts.dynadiff import (
    FULL_SIZE,
    REHEARSAL,
    SCENES,
    MadeTrials,
    machine,
    no_gpu_reason,
    scenes_backbone,
)
from parts.full_size_training import time_full_size
from parts.memory import forget_peak, peak_bytes, resident_bytes
from parts.profile import print_profile
from parts.reference_recipe import Reference, dual_guided_unet
from parts.training_cost import print_cost
from parts.training_sides import Ours, Rates, check_agreement, dynadiff_config, rows_in_turn, time_block

GOAL_RATIO = 2.0  # on the CPU
N_IMAGES = 64


def step_gflop(step: Callable[[], None]) -> float:
    """Floating point operations of matrix products and convolutions in a step, 1e9 (1 MAC = 2)."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with (
        FlopCounterMode(display=False) as counter,
        sdpa_kernel(SDPBackend.MATH),
    ):  # others are not counted on a CPU
        step()
    return counter.get_total_flops() / 1e9


def scenes_sides(batch_size: int) -> dict[str, Callable[[], Callable[[], None]]]:
    """What makes each side's step on the scenes backbone; made one at a time where memory is measured."""
    backbone, _ = scenes_backbone()
    made = MadeTrials.of(backbone, SCENES, n_trials=max(512, batch_size), n_images=N_IMAGES)
    rows = rows_in_turn(len(made.image_ids), batch_size)
    config = dynadiff_config(SCENES, batch_size=batch_size, precision="bf16")

    def reference() -> Callable[[], None]:
        unet = dual_guided_unet(backbone.unet, n_text_tokens=SCENES.n_text_tokens)
        side = Reference(backbone, unet, SCENES, made, dropout=0.5)
        return lambda: side.step(next(rows))

    return {"reference": reference, "tempgen": lambda: Ours(backbone, SCENES, made, config).step}


def measure_memory(side: str, batch_size: int, *, threads: int) -> dict[str, float]:
    """Peak memory of a process that makes a few steps of one side, and its growth while it does."""
    command = [sys.executable, __file__, "--role", side, "--batch-sizes", str(batch_size)]
    finished = subprocess.run(
        [*command, "--threads", str(threads)], stdout=subprocess.PIPE, check=True, text=True
    )
    result: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return result


def be_one_side(side: str, batch_size: int) -> None:
    """The process of `measure_memory`."""
    step = scenes_sides(batch_size)[side]()
    gc.collect()
    forget_peak()
    before = resident_bytes()
    for _ in range(3):
        step()
    print(json.dumps({"peak": peak_bytes(), "growth": peak_bytes() - before}))


def time_scenes(args: argparse.Namespace) -> list[str]:
    """Both sides on the scenes backbone and a CPU; returns what failed."""
    device = torch.device("cpu")
    backbone, weights = scenes_backbone()
    print(
        f"\n{SCENES.name} ({weights}), {machine(device)}; {SCENES.n_voxels} voxels, hidden {SCENES.hidden_size}"
    )
    made = MadeTrials.of(backbone, SCENES, n_trials=64, n_images=N_IMAGES)
    unet = dual_guided_unet(backbone.unet, n_text_tokens=SCENES.n_text_tokens)
    failed = check_agreement(backbone, unet, SCENES, made)
    del backbone, unet, made
    for batch_size in args.batch_sizes:
        steps = {name: make() for name, make in scenes_sides(batch_size).items()}
        gflop = {name: step_gflop(step) / batch_size for name, step in steps.items()}  # warms up, too
        blocks: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
        for _ in range(args.repeats):
            for name, step in steps.items():
                blocks[name].append(
                    time_block(step, n_steps=args.steps, batch_size=batch_size, device=device)
                )
        measured = {name: Rates.of(each) for name, each in blocks.items()}
        print(f"  batch {batch_size}, {args.repeats} blocks of {args.steps} steps in turns, medians")
        print(
            f"    {'':<12}{'samples/s':>10}{'slowest':>9}{'fastest':>9}{'GFLOP/sample':>14}{'peak GB':>9}{'of it steps':>12}"
        )
        for name, rates in measured.items():
            memory = measure_memory(name, batch_size, threads=torch.get_num_threads())
            print(
                f"    {name:<12}{rates.median:10.1f}{min(rates.samples_per_s):9.1f}{max(rates.samples_per_s):9.1f}"
                f"{gflop[name]:14.2f}{memory['peak'] / 1e9:9.2f}{memory['growth'] / 1e9:12.2f}"
            )
        ours, theirs = measured["tempgen"], measured["reference"]
        ratio = ours.median / theirs.median
        by_cpu = statistics.median(theirs.cpu_s) / statistics.median(ours.cpu_s)
        verdict = "" if args.quick else ", reached" if ratio >= GOAL_RATIO else ", MISSED"
        print(
            f"    ratio {ratio:.2f} by the clock, {by_cpu:.2f} by CPU seconds; goal {GOAL_RATIO:g}{verdict}",
            flush=True,
        )
        print_profile(steps["tempgen"], device=device, what=f"tempgen's step at batch {batch_size}")
    return failed


def main() -> int:
    """Run the benchmark; 0 if the sides agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 96], help="on the scenes backbone")
    parser.add_argument(
        "--gpu-batch-sizes", type=int, nargs="+", default=[8, 16, 32, 64, 128], help="at full size"
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        default=["tempgen", "tempgen channels-last"],
        help="rows at full size; 'tempgen compiled' and 'tempgen channels-last compiled' are others, minutes slower to start",
    )
    parser.add_argument("--threads", type=int, default=None, help="of torch on the CPU (default: as set up)")
    parser.add_argument("--workers", type=int, default=4, help="processes that make batches for a GPU")
    parser.add_argument("--steps", type=int, default=6, help="steps of a block on the CPU")
    parser.add_argument("--gpu-steps", type=int, default=5, help="steps of a block at full size")
    parser.add_argument("--repeats", type=int, default=5, help="blocks of each side; the median counts")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few steps, and full size rehearsed with tiny models: does it work?",
    )
    parser.add_argument("--role", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    if args.role in ("tempgen", "reference"):
        be_one_side(args.role, args.batch_sizes[0])
        return 0
    if args.quick:
        args.repeats, args.steps, args.gpu_steps = 1, 2, 1
        args.batch_sizes, args.gpu_batch_sizes = args.batch_sizes[:1], [2, 4]
    args.profile = (args.variants[-1], sorted(args.gpu_batch_sizes)[min(2, len(args.gpu_batch_sizes) - 1)])

    if args.role == "scenes" or not torch.cuda.is_available():
        failed = time_scenes(args)
    else:  # Accelerate takes the GPU if it sees one
        hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        finished = subprocess.run([sys.executable, *sys.argv, "--role", "scenes"], env=hidden, check=False)
        failed = ["scenes backbone: see above"] * bool(finished.returncode)
    if args.role:
        print("\n".join(failed))
        return bool(failed)
    measured, reason = None, no_gpu_reason()
    if reason is None and not args.quick:
        measured, more = time_full_size(args, torch.device("cuda"), FULL_SIZE)
        failed += more
    else:
        print(f"\nFull size: skipped, {reason or '--quick was given'}.")
    if args.quick:
        device = torch.device("cpu" if reason else "cuda")
        failed += time_full_size(args, device, REHEARSAL)[1]
    print_cost(measured)
    print("\n".join(["FAILED:", *failed]) if failed else "\nLosses and gradients agree.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
