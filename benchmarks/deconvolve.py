"""Processor time and memory of choosing HRFs and deconvolving on a part of a subject of NSD's size, extrapolated to all of it.

    python benchmarks/deconvolve.py --runs 4 --voxels 15724

NSD's first subject has 480 runs of 225 volumes and 15,724 voxels in nsdgeneral. All three passes read one run at a time, so that time grows
with the number of runs and memory does not (but for the sums of at most 30 blocks of runs). BOLD is noise: that changes no operation.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.data.deconvolution import HrfLibrary, choose_hrf, deconvolve_store, fit_deconvolution
from tempgen.data.simulate.designs import draw_designs
from tempgen.data.source import TRIAL_COLUMNS
from tempgen.data.store import STORE_FORMAT, open_store
from tempgen.files import write_zarr

N_RUNS, N_VOLUMES, N_VOXELS, TR_S = 480, 225, 15_724, 4 / 3


def write_noise_store(path: Path, *, n_runs: int, n_voxels: int) -> xr.Dataset:
    """A store of NSD's design whose BOLD is noise."""
    rng = np.random.default_rng(0)
    designs = draw_designs(np.arange(1, 10_001), n_runs=n_runs, soa_slots=1, n_repetitions=3, rng=rng)
    run, onset_tr = np.nonzero(designs)
    trials = pd.DataFrame({"run": run, "onset_tr": onset_tr, "image_id": designs[run, onset_tr]})
    trials = trials.assign(
        onset_s=onset_tr * TR_S, onset_residual_s=0.0, duration_s=3.0, repetition=0, shared1000=False
    )
    store = xr.Dataset(
        {
            **{f"trial_{name}": ("trial", trials[name].to_numpy()) for name in TRIAL_COLUMNS},
            "bold": (
                ("run", "volume", "voxel"),
                rng.standard_normal((n_runs, N_VOLUMES, n_voxels), dtype=np.float32),
            ),
        },
        coords={
            "run_length": ("run", np.full(n_runs, N_VOLUMES)),
            "session": ("run", np.ones(n_runs, dtype=int)),
        },
        attrs={"store_format": STORE_FORMAT, "tr_s": TR_S, "recipe": "{}", "fingerprint": "noise"},
    )
    store["bold"].encoding["chunks"] = (1, N_VOLUMES, n_voxels)
    write_zarr(store, path)
    return open_store(path)


def main() -> None:
    """Print processor seconds of each step on the part, and minutes and GB of the whole subject."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--voxels", type=int, default=N_VOXELS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = write_noise_store(Path(folder) / "store.zarr", n_runs=options.runs, n_voxels=options.voxels)
        runs = range(options.runs)
        seconds = {}
        began = time.process_time()
        hrf = choose_hrf(store, runs, HrfLibrary.default())
        seconds["HRFs"] = time.process_time() - began
        began = time.process_time()
        deconvolution = fit_deconvolution(store, runs, hrf)
        seconds["noise"] = time.process_time() - began
        began = time.process_time()
        deconvolve_store(store, Path(folder) / "out.zarr", deconvolution, recipe={})
        seconds["deconvolution"] = time.process_time() - began
    share = options.runs / N_RUNS * options.voxels / N_VOXELS
    for step, taken in seconds.items():
        print(
            f"{step}: {taken:.1f} s for {options.runs} runs x {options.voxels} voxels; {taken / share / 60:.0f} min for all"
        )
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    n_blocks = min(options.runs, 30)
    blocks_gb = (30 - n_blocks) * 7 * 20 * N_VOXELS * 4 / 1e9
    print(f"peak memory: {peak_gb:.1f} GB; about {peak_gb + blocks_gb:.1f} GB for all")


if __name__ == "__main__":
    main()
