"""What `tempgen plan` predicts beside what small analyses took: trials, bytes on disk, peak memory, seconds.

Two analyses of a SIMULATED subject run in a temporary folder: ridge to pixels and Dynadiff on the packaged backbone, each in a
process of its own. Trials have to be equal; bytes differ by compression and by what a decoder's folder holds beside weights; memory
is the growth of the process over what the library takes. Seconds are predictions from the rate of matrix products on this machine,
measured while the plan is made: a ratio within 3 is what they are good for.

Exits with 1 if trials differ, or decoders on disk are not within 10 %.

Run it as ``python benchmarks/plan.py [--quick]``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from parts.memory import forget_peak, peak_bytes, resident_bytes

from tempgen.config import Analysis, validate
from tempgen.workflow import evaluate_decoders, prepare_recording, train_decoders
from tempgen.workflow.places import Places
from tempgen.workflow.planning import get_device, plan_analysis

DECODERS: dict[str, dict[str, Any]] = {
    "ridge": {"kind": "ridge", "target_size": 16},
    "dynadiff": {
        "kind": "dynadiff",
        "brain_module": {"hidden_size": 128},
        "optimization": {"n_steps": 40, "batch_size": 64, "warmup_steps": 5, "tracker": None},
    },
}
MOST_BYTES_APART = 0.10


def analysis_of(kind: str, folder: Path, *, quick: bool) -> Analysis:
    """A subject of one or two sessions, trained at three lags."""
    simulate = {"n_sessions": 1 if quick else 2, "n_voxels": 200 if quick else 400, "image_size": 64}
    content = {
        "folder": folder,
        "data": {"simulate": simulate},
        "split": {"n_test_runs": 3},
        "decoder": DECODERS[kind],
        "training": {"deltas": "0..2"},
        "evaluation": {"suite": "pixels", "max_trials": 32, "n_permutations": 0},
    }
    return validate(Analysis, content, origin="this benchmark")


def measure(kind: str, folder: Path, *, quick: bool) -> dict[str, list[float]]:
    """Prediction and measurement of each quantity."""

    def quiet(_: str) -> None:
        pass

    analysis = analysis_of(kind, folder, quick=quick)
    predicted = plan_analysis(analysis, get_device("cpu"))  # from the design: nothing is there yet
    store = prepare_recording(analysis, say=quiet, n_jobs=1)
    before = resident_bytes()
    forget_peak()
    start = time.perf_counter()
    train_decoders(analysis, analysis.fitted_deltas, store=store, say=quiet)
    trained = time.perf_counter()
    grown = peak_bytes() - before
    results = evaluate_decoders(analysis, store=store, say=quiet)
    evaluated = time.perf_counter()
    counts, tasks = predicted.split.counts, predicted.tasks
    decoders = Places(analysis).decoder(0).parent
    return {
        "training trials": [counts["n_train"], results.attrs["n_train"]],
        "test trials": [counts["n_test"], results.attrs["n_test"]],
        "store (MB)": [predicted.disk_bytes["store"] / 1e6, _folder_bytes(Places(analysis).store) / 1e6],
        "decoders (MB)": [predicted.disk_bytes["decoders"] / 1e6, _folder_bytes(decoders) / 1e6],
        "memory of training (MB)": [(tasks[0].memory_bytes or 0) / 1e6, grown / 1e6],
        "training (s)": [tasks[0].n_tasks * tasks[0].hours * 3600, trained - start],
        "evaluation (s)": [tasks[1].n_tasks * tasks[1].hours * 3600, evaluated - trained],
    }


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Plan, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half the subject")
    parser.add_argument("--only", choices=[*DECODERS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(arguments.only, Path(folder) / "out", quick=arguments.quick)))
        return
    failed = False
    for kind in DECODERS:
        command = [sys.executable, __file__, "--only", kind, *(["--quick"] if arguments.quick else [])]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = json.loads(output.splitlines()[-1])
        print(f"\n{kind}, SIMULATED subject{'':14}{'planned':>12}{'measured':>12}{'ratio':>8}")
        for name, (planned, measured) in rows.items():
            ratio = planned / measured if measured else float("nan")
            print(f"  {name:<36}{planned:12,.1f}{measured:12,.1f}{ratio:8.2f}")
            failed |= name.endswith("trials") and planned != measured
            failed |= name.startswith("decoders") and abs(ratio - 1) > MOST_BYTES_APART
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
