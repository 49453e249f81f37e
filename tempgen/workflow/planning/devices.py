"""What a processor does in a second, and how much of it the decoders use."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tempgen.errors import ConfigError

__all__ = ["DEVICES", "Device", "get_device"]

_MATRIX_SIDE = 1536
_ROUNDS = 3


@dataclass(frozen=True)
class Device:
    """A processor.

    Attributes
    ----------
    name : str
    is_gpu : bool
    matrix_tflops : float
        Dense bf16 products of a GPU, float32 products of a CPU (TFLOP/s).
    float32_tflops : float
        Float32 products (TFLOP/s), in which ridge is solved.
    memory_gb : float or None
        Memory of a GPU (GB); a CPU's is the machine's.
    source : str
        Where the numbers are from.
    """

    name: str
    is_gpu: bool
    matrix_tflops: float
    float32_tflops: float
    memory_gb: float | None
    source: str


DEVICES = {
    "a100": Device("a100", True, 312, 19.5, 80, "vendor's datasheet, A100 80 GB SXM, dense"),
    "h100": Device("h100", True, 989, 67, 80, "vendor's datasheet, H100 SXM, dense"),
    "h200": Device("h200", True, 989, 67, 141, "vendor's datasheet, H200 SXM, dense"),
}
"""GPUs by name. ``cpu`` is measured where the plan is made."""

UTILIZATION = 0.35
"""Share of its peak that a GPU is taken to reach in training. Source: house choice; NOT measured with tempgen on a GPU."""
CPU_UTILIZATION = 0.5
"""Share of its matrix products' rate that a CPU reaches in training and in factorizations. Source: ridge_matrix.py of the
benchmarks, whose factorizations run at 117 GFLOP/s where products run at 235."""


def get_device(name: str) -> Device:
    """A device by name.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if name == "cpu":
        rate = _measured_tflops()
        return Device("cpu", False, rate, rate, None, "float32 matrix products, measured on this machine now")
    if name not in DEVICES:
        raise ConfigError(f"There is no device {name!r} to plan for; there are cpu, {', '.join(DEVICES)}.")
    return DEVICES[name]


def _measured_tflops() -> float:
    matrix = np.random.default_rng(0).random((_MATRIX_SIDE, _MATRIX_SIDE), dtype=np.float32)
    matrix @ matrix  # the first one starts the threads
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2 * _MATRIX_SIDE**3 / min(seconds) / 1e12
