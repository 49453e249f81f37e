"""Where the time of a step goes, by kind of operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType

# The first kind with a part of the operation's name counts.
KINDS = {
    "optimizer": ("adam", "_fused_"),
    "convolutions": ("conv",),
    "attention": ("attention", "softmax", "bmm"),
    "linear layers": ("addmm", "mm", "linear", "matmul"),
    "norms": ("norm",),
    "copies and casts": ("copy", "clone", "contiguous", "_to_", "cat", "memcpy"),
    "random numbers": ("normal", "uniform", "random", "bernoulli", "dropout"),
    "activations": ("silu", "gelu", "sigmoid"),
    "sums, products, indexing": (
        "mul",
        "add",
        "sub",
        "div",
        "sum",
        "where",
        "index",
        "fill",
        "zero",
        "mse",
        "pow",
        "slice",
    ),
}
N_STEPS = 2


def print_profile(step: Callable[[], None], *, device: torch.device, what: str) -> None:
    """Profile two steps and print the share of each kind of operation: of a GPU's time where there is one, else of the CPU's."""
    from torch.profiler import ProfilerActivity, profile

    on_gpu = device.type == "cuda"
    step()
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as profiler:
        for _ in range(N_STEPS):
            step()
        if on_gpu:
            torch.cuda.synchronize(device)
    microseconds: Counter[str] = Counter()
    for event in profiler.key_averages():
        if event.device_type == DeviceType.CPU:  # kernels are counted with the operations that start them
            microseconds[_kind(event.key)] += _own_time(event, on_gpu=on_gpu)
    total = sum(microseconds.values()) or 1.0
    print(
        f"    {what}, by torch.profiler: {total / N_STEPS / 1e3:.0f} ms of {'GPU' if on_gpu else 'CPU'} time a step"
    )
    for kind, spent in microseconds.most_common():
        if spent / total >= 0.005:
            print(f"      {kind:<26}{spent / N_STEPS / 1e3:9.1f} ms{spent / total:6.0%}")


def _own_time(event: Any, *, on_gpu: bool) -> float:
    return float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)


def _kind(name: str) -> str:
    lowered = name.lower()
    return next((kind for kind, parts in KINDS.items() if any(part in lowered for part in parts)), "other")
