"""How long ``tempgen --help`` and ``import tempgen`` take, against an empty Python.

The goal is less than 0.5 s for ``tempgen --help``: heavy libraries are imported by the commands that need them. Run it as
``python benchmarks/startup.py``; ``python -X importtime -c "import tempgen.cli"`` then shows where the time goes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

N_RUNS = 15
GOAL_S = 0.5


def wall_times_s(command: list[str], *, n_runs: int) -> list[float]:
    """Seconds from start to exit of ``command``, ``n_runs`` times, after one run that fills the file cache."""
    times_s = []
    for _ in range(n_runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times_s.append(time.perf_counter() - start)
    return times_s[1:]


def main() -> None:
    """Print the median, fastest and slowest time of each command."""
    tempgen = str(Path(sys.executable).with_name("tempgen"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        'python -c "import tempgen"': [sys.executable, "-c", "import tempgen"],
        "tempgen --help": [tempgen, "--help"],
    }
    print(f"{N_RUNS} runs each, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'command':<28}{'median':>10}{'fastest':>10}{'slowest':>10}")
    for name, command in commands.items():
        times_s = wall_times_s(command, n_runs=N_RUNS)
        median_s = statistics.median(times_s)
        print(f"{name:<28}{median_s:>8.3f} s{min(times_s):>8.3f} s{max(times_s):>8.3f} s")
    print(f"goal for tempgen --help: < {GOAL_S} s; {'reached' if median_s < GOAL_S else 'MISSED'}")


if __name__ == "__main__":
    main()
