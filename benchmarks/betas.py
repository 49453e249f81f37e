"""Single-trial betas of runs of NSD's real size on one core, against nilearn's GLM, and the cost of a whole subject.

A part of a subject of 480 runs x 225 volumes (NSD's 226 without the last) x 15,724 voxels: made-up noise, NSD's slots, every
voxel with one of the library's 20 HRFs. Ours is ``make_betas_store`` with what it reads and writes; theirs is nilearn's
``run_glm`` with the same regressors, once for each HRF (least squares all) or once for each HRF and trial (least squares
separate), without any file. The same betas are wanted from both: exits with an error if they differ by more than 1e-4 of their
standard deviation.

Each measurement is a process of its own on one core with one thread, so that peak memory is its own. A run costs the same as any
other, so that 480 runs cost 480 times as much; the choice of ridge fractions is timed on the same runs.

Run it as ``python benchmarks/betas.py [--runs 3] [--quick]``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TR_S = 4 / 3
N_VOLUMES, N_VOXELS, N_RUNS_OF_SUBJECT = 225, 15_724, 480
QUICK_N_VOXELS = 1_000
MAX_DIFFERENCE = 1e-4
GOAL_PEAK_GB = 8.0
SIDES = {
    "lss": "tempgen, least squares separate",
    "lsa": "tempgen, least squares all",
    "ridge": "tempgen, ridge",
    "early-late": "tempgen, separate, early and late",
    "fractions": "tempgen, choice of ridge fractions",
    "nilearn-lsa": "nilearn, least squares all",
    "nilearn-lss": "nilearn, least squares separate",
}


def write_store(folder: Path, *, n_runs: int, n_voxels: int) -> None:
    """Write a store of autoregressive noise; every image is shown three times."""
    import numpy as np
    import xarray as xr

    from tempgen.data.preprocess import clean_run
    from tempgen.data.simulate.designs import draw_designs
    from tempgen.data.source import TRIAL_COLUMNS
    from tempgen.files import write_zarr

    rng = np.random.default_rng(0)
    designs = draw_designs(np.arange(1, 10_001), n_runs=n_runs, soa_slots=1, n_repetitions=3, rng=rng)
    bold = np.empty((n_runs, N_VOLUMES, n_voxels), dtype=np.float32)
    for run in range(n_runs):
        noise = rng.standard_normal((N_VOLUMES, n_voxels), dtype=np.float32)
        for volume in range(1, N_VOLUMES):
            noise[volume] += 0.4 * noise[volume - 1]
        bold[run] = clean_run(noise, tr_s=TR_S).zscored
    run, onset_tr = np.nonzero(designs)
    trials = dict.fromkeys(TRIAL_COLUMNS, np.zeros(len(run), dtype=np.int64))
    trials |= {
        "run": run,
        "onset_tr": onset_tr,
        "onset_s": onset_tr * TR_S,
        "image_id": designs[run, onset_tr],
    }
    trials["duration_s"] = np.full(len(run), 3.0)
    store = xr.Dataset(
        {"bold": (("run", "volume", "voxel"), bold)}
        | {f"trial_{name}": ("trial", values) for name, values in trials.items()},
        coords={
            "run_name": ("run", np.array([f"run-{run:02d}" for run in range(n_runs)], dtype=object)),
            "session": ("run", np.ones(n_runs, dtype=np.int64)),
            "run_length": ("run", np.full(n_runs, N_VOLUMES)),
        },
        attrs={"store_format": 1, "tr_s": TR_S, "recipe": "{}", "fingerprint": "made up"},
    )
    store["bold"].encoding["chunks"] = (1, N_VOLUMES, n_voxels)
    write_zarr(store, folder / "store")


def hrf_of(n_voxels: int) -> Any:
    """Each of the library's HRFs in as many voxels."""
    import numpy as np

    from tempgen.data.deconvolution import HrfLibrary, VoxelHrf

    library = HrfLibrary.default()
    return VoxelHrf.given(library, np.arange(n_voxels) % len(library))


def nilearn_betas(store: Any, method: str) -> Any:
    """Betas of run 0 by nilearn's GLM, (n_trials, n_voxels)."""
    import numpy as np
    from nilearn.glm.first_level import run_glm

    from tempgen.data.betas.run import RunDesign
    from tempgen.data.store import trials_of

    hrf = hrf_of(store.sizes["voxel"])
    run = RunDesign.of(store, trials_of(store), 0, hrf, basis="single")
    betas = np.empty((run.regressors.shape[2], len(hrf.index)))

    def fit(columns: Any, series: Any) -> Any:
        _, models = run_glm(series, np.hstack([columns, run.nuisance]), noise_model="ols")
        (model,) = models.values()
        return model.theta

    for member in range(len(hrf.library)):
        voxels, trials = np.flatnonzero(hrf.index == member), run.regressors[member, :, :, 0]
        series = run.series[:, voxels].astype(np.float64)
        if method == "nilearn-lsa":
            betas[:, voxels] = fit(trials, series)[: trials.shape[1]]
        else:
            for trial in range(trials.shape[1]):
                others = np.delete(trials, trial, axis=1).sum(axis=1)
                betas[trial, voxels] = fit(np.column_stack([trials[:, trial], others]), series)[0]
    return betas


def measure(side: str, folder: Path) -> dict[str, float]:
    """Seconds for each run, and the peak memory of this process in GB."""
    import numpy as np

    from tempgen.data.betas import choose_ridge_fractions, make_betas_store
    from tempgen.data.store import open_store

    store = open_store(folder / "store")
    hrf, n_runs = hrf_of(store.sizes["voxel"]), store.sizes["run"]
    if side.startswith("nilearn"):
        import nilearn.glm.first_level  # noqa: F401 # not counted
    wall, cpu = time.perf_counter(), time.process_time()
    if side.startswith("nilearn"):
        n_runs = 1
        np.save(folder / f"{side}.npy", nilearn_betas(store, side))
    elif side == "fractions":
        choose_ridge_fractions(store, range(n_runs), hrf)
    else:
        fraction = 0.5 if side == "ridge" else None
        method, basis = ("lss", "early-late") if side == "early-late" else (side, "single")
        make_betas_store(
            store,
            folder / side,
            hrf=hrf,
            method=method,  # type: ignore[arg-type]
            basis=basis,  # type: ignore[arg-type]
            ridge_fraction=fraction,
            say=lambda line: None,
        )
    return {
        "wall_s": (time.perf_counter() - wall) / n_runs,
        "cpu_s": (time.process_time() - cpu) / n_runs,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,  # Linux counts in kB
    }


def largest_difference(folder: Path) -> float:
    """Largest difference of both sides' betas of run 0, z-scored over trials as a store's are."""
    import numpy as np

    from tempgen.data.store import open_store

    largest = 0.0
    for method in ("lsa", "lss"):
        volumes = open_store(folder / method)["bold"][0].values
        ours = volumes[np.isfinite(volumes[:, 0])]
        theirs = np.load(folder / f"nilearn-{method}.npy")
        theirs = (theirs - theirs.mean(axis=0)) / theirs.std(axis=0, ddof=1)
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return largest


def in_own_process(role: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run this script in a role of its own; its last line of output is the measurement."""
    command = [sys.executable, __file__, "--role", role, "--folder", str(folder), "--runs", str(options.runs)]
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    finished = subprocess.run(
        command + ["--quick"] * options.quick,
        env=os.environ | one_thread,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    result: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Make the store, measure the sides, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="runs to make (default 3)")
    parser.add_argument("--quick", action="store_true", help="few voxels: does it work?")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    n_voxels = QUICK_N_VOXELS if options.quick else N_VOXELS
    if options.role == "write":
        write_store(options.folder, n_runs=options.runs, n_voxels=n_voxels)
        print("{}")
        return
    if options.role:
        print(json.dumps(measure(options.role, options.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        in_own_process("write", folder, options)
        print(f"{options.runs} runs of {N_VOLUMES} volumes x {n_voxels} voxels, 20 HRFs; one core")
        print(
            f"{'':<36}{'wall s/run':>11}{'CPU s/run':>11}{'peak GB':>9}{f'{N_RUNS_OF_SUBJECT} runs, CPU min':>22}"
        )
        measured = {}
        for side, label in SIDES.items():
            measured[side] = one = in_own_process(side, folder, options)
            print(
                f"{label:<36}{one['wall_s']:>11.2f}{one['cpu_s']:>11.2f}{one['peak_gb']:>9.2f}"
                f"{one['cpu_s'] * N_RUNS_OF_SUBJECT / 60:>22.1f}"
            )
        difference = largest_difference(folder)
    for method in ("lsa", "lss"):
        ratio = measured[f"nilearn-{method}"]["cpu_s"] / measured[method]["cpu_s"]
        print(f"{method}: {ratio:.1f} x nilearn's speed, reading and writing included")
    peak = max(one["peak_gb"] for side, one in measured.items() if not side.startswith("nilearn"))
    print(f"goal < {GOAL_PEAK_GB:g} GB: {peak:.2f} GB, {'reached' if peak < GOAL_PEAK_GB else 'MISSED'}")
    print(f"largest difference of z-scored betas: {difference:.1e}")
    if not difference <= MAX_DIFFERENCE:
        sys.exit(f"The betas differ by {difference}; at most {MAX_DIFFERENCE} is allowed.")


if __name__ == "__main__":
    main()
