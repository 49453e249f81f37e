"""What the decoders of one subject cost, computed from samples/s."""

from __future__ import annotations

from parts.dynadiff import REFERENCE_STEP_TFLOP, ROOFLINE_TFLOPS, STEP_TFLOP
from parts.full_size_training import GOAL_SAMPLES_PER_S

# The paper's recipe: steps, total batch, and its 2.5 days on 8 A100 in samples/s of each.
PAPER_STEPS, PAPER_BATCH, PAPER_SAMPLES_PER_S = 60_000, 320, 11.1
N_DECODERS = 1 + 16


def gpu_hours(samples_per_s: float) -> float:
    """Of one General and 16 Specialized decoders by the paper's recipe."""
    return N_DECODERS * PAPER_STEPS * PAPER_BATCH / samples_per_s / 3600


def print_cost(samples_per_s: float | None) -> None:
    """GPU-hours of a subject's sweep; without a rate, from the roofline."""
    samples = PAPER_STEPS * PAPER_BATCH / 1e6
    print(
        f"\nCost of one General and 16 Specialized decoders of one NSD subject, COMPUTED: {N_DECODERS} x {PAPER_STEPS:,} steps "
        f"x {PAPER_BATCH} = {N_DECODERS} x {samples:.1f} M samples"
    )
    paper = gpu_hours(PAPER_SAMPLES_PER_S)
    rows = {f"the paper's rate, {PAPER_SAMPLES_PER_S:g} samples/s per A100": PAPER_SAMPLES_PER_S}
    if samples_per_s is not None:
        rows[f"tempgen, measured above, {samples_per_s:.0f} samples/s"] = samples_per_s
    else:
        print("  No rate was measured at full size here: the rows of an H200 are NOT MEASURED.")
        rows[f"tempgen at the project's goal, {GOAL_SAMPLES_PER_S:g} samples/s on an H200"] = (
            GOAL_SAMPLES_PER_S
        )
    for what, tflop in (("the reference's recipe", REFERENCE_STEP_TFLOP), ("tempgen", STEP_TFLOP)):
        rate = ROOFLINE_TFLOPS / tflop
        rows[f"{what} at the roofline of an H200, {rate:.0f} samples/s ({tflop} TFLOP each)"] = rate
    for name, rate in rows.items():
        hours = gpu_hours(rate)
        print(f"  {name:<74}{hours:8,.0f} GPU-hours{paper / hours:7.1f}x")
