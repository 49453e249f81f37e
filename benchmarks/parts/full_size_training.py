"""The training step at the paper's size with random weights, a batch size and a variant at a time."""

from __future__ import annotations

import argparse
import gc
from functools import partial

import torch

from parts.dynadiff import (
    REFERENCE_STEP_TFLOP,
    REHEARSAL,
    ROOFLINE_TFLOPS,
    STEP_TFLOP,
    MadeTrials,
    Subject,
    full_size_backbone,
    machine,
)
from parts.profile import print_profile
from parts.reference_recipe import Reference, dual_guided_unet
from parts.training_sides import Ours, Rates, check_agreement, dynadiff_config, rows_in_turn, time_block
from tempgen.models.backbone import Backbone

GOAL_SAMPLES_PER_S = 150.0  # on one H200
N_IMAGES = 64


def time_full_size(
    args: argparse.Namespace, device: torch.device, subject: Subject
) -> tuple[float | None, list[str]]:
    """Both sides at full size; returns tempgen's best samples/s (None: nothing fitted) and what failed."""
    tiny = subject is REHEARSAL
    print(f"\n{subject.name}, {machine(device)}; {subject.n_voxels:,} voxels, hidden {subject.hidden_size}")
    build = partial(full_size_backbone, device, tiny=tiny)
    failed = _check_full_size(build(torch.float32), subject)
    dtype = torch.bfloat16
    made = MadeTrials.of(
        build(dtype), subject, n_trials=32 if tiny else 512, n_images=4 if tiny else N_IMAGES
    )
    best: float | None = None
    for name in ("reference", *args.variants):
        peaks: dict[int, int] = {}
        for batch_size in sorted(args.gpu_batch_sizes):
            if not fits(peaks, batch_size, device, name):
                break
            try:
                rates = _time_one(build(dtype), subject, made, name, batch_size, args)
            except torch.cuda.OutOfMemoryError:
                print(f"    {name:<24} batch {batch_size}: skipped, out of memory")
                break
            finally:
                gc.collect()
                if device.type == "cuda":
                    torch.cuda.empty_cache()
            peaks[batch_size] = rates.peak
            tflop = REFERENCE_STEP_TFLOP if name == "reference" else STEP_TFLOP
            share = (
                ""
                if tiny
                else f", {tflop * rates.median:4.0f} TFLOP/s, {tflop * rates.median / ROOFLINE_TFLOPS:.0%} of the roofline"
            )
            print(
                f"    {name:<24} batch {batch_size:>4}: {rates.median:7.1f} samples/s ({min(rates.samples_per_s):.1f} to "
                f"{max(rates.samples_per_s):.1f}), {rates.peak / 2**30:6.1f} GiB{share}",
                flush=True,
            )
            if name != "reference":
                best = max(best or 0.0, rates.median)
    if best is not None and not tiny:
        print(
            f"    goal >= {GOAL_SAMPLES_PER_S:g} samples/s on one H200: {best:.0f}, "
            f"{'reached' if best >= GOAL_SAMPLES_PER_S else 'MISSED'}"
        )
    return best, failed


def _check_full_size(backbone: Backbone, subject: Subject) -> list[str]:
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    made = MadeTrials.of(backbone, subject, n_trials=4, n_images=4)
    unet = dual_guided_unet(backbone.unet, n_text_tokens=subject.n_text_tokens)
    failed = check_agreement(backbone, unet, subject, made)
    torch.backends.cudnn.allow_tf32 = allowed
    return failed


def fits(peaks: dict[int, int], batch_size: int, device: torch.device, name: str) -> bool:
    """Whether a batch should fit, by a line through the last two; says so if not."""
    if device.type != "cuda" or len(peaks) < 2:
        return True
    (small, low), (large, high) = sorted(peaks.items())[-2:]
    needed = high + (high - low) / (large - small) * (batch_size - large)
    total = torch.cuda.get_device_properties(device).total_memory
    if needed > 0.95 * total:
        print(
            f"    {name:<24} batch {batch_size}: skipped, would take {needed / 2**30:.0f} GiB of {total / 2**30:.0f}"
        )
        return False
    return True


def _time_one(
    backbone: Backbone,
    subject: Subject,
    made: MadeTrials,
    name: str,
    batch_size: int,
    args: argparse.Namespace,
) -> Rates:
    """One side at one batch size, in memory alone."""
    device = backbone.device
    side: Ours | None = None
    if name == "reference":
        unet = dual_guided_unet(backbone.unet, n_text_tokens=subject.n_text_tokens)
        reference = Reference(backbone, unet, subject, made, dropout=0.5)
        backbone.unet = None
        rows = rows_in_turn(len(made.image_ids), batch_size)

        def step() -> None:
            reference.step(next(rows))

    else:
        if "channels-last" in name:
            backbone.unet.to(memory_format=torch.channels_last)
        n_workers = args.workers if device.type == "cuda" else 0
        config = dynadiff_config(
            subject, batch_size=batch_size, precision="bf16", compiled="compiled" in name, n_workers=n_workers
        )
        backbone.vae = None
        side = Ours(backbone, subject, made, config)
        step = side.step
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):
        step()
    blocks = [
        time_block(step, n_steps=args.gpu_steps, batch_size=batch_size, device=device)
        for _ in range(args.repeats)
    ]
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    if args.profile == (name, batch_size):
        print_profile(step, device=device, what=f"{name} at batch {batch_size}")
    if side is not None:
        side.close()
    return Rates.of(blocks, peak=peak)
