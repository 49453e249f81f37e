"""Reading and cleaning runs of NSD's real size on one core, against nilearn and against gunzip alone.

Both sides turn the same gzipped runs (81 x 104 x 83 voxels x 226 volumes, int16) into z-scores of the same 15,724
voxels: mask, cosine drift of 128 s, z-score. Ours is ``read_masked_run`` + ``clean_run``, theirs ``NiftiMasker``.
Nothing can be faster than decompression, so gunzip of the same files, by ISA-L (which ours uses) and by zlib, is the
floor.

Each measurement is a process of its own, bound to one core with one thread, so that peak memory is its own; imports,
reading the mask and a warm-up on a small run are not counted in the time. The sides take turns. CPU seconds stand beside
wall seconds, because other jobs on the machine disturb them less. Exits with an error if the z-scores differ by more
than 1e-3.

The runs are made up: a smooth brain filling a quarter of the box, zero outside, with drift and autoregressive noise of
2 % of the signal. How well a run compresses decides how long gunzip takes, so the ratio is printed.

Run it as ``python benchmarks/prepare.py [--runs 2] [--repeats 3] [--quick]``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TR_S = 4 / 3
DRIFT_CUTOFF_S = 128.0
SHAPE = (81, 104, 83, 226)
N_VOXELS = 15_724
QUICK_SHAPE = (40, 52, 41, 60)
QUICK_N_VOXELS = 2_000
WARM_UP_SHAPE = (12, 12, 12, 60)
WARM_UP_N_VOXELS = 50
GZIP_LEVEL = 6  # gzip's own default

GOAL_RATIO = 4.0
GOAL_PEAK_GB = 1.5
MAX_DIFFERENCE = 1e-3

SIDES = {
    "tempgen": "read_masked_run + clean_run",
    "nilearn": "NiftiMasker",
    "gunzip-isal": "gunzip alone, ISA-L (floor)",
    "gunzip-zlib": "gunzip alone, zlib",
}


def write_run(folder: Path, name: str, *, shape: tuple[int, int, int, int], n_voxels: int, seed: int) -> None:
    """Write ``name.nii.gz`` and its mask, ``mask_name.nii.gz``: the voxels nearest to the back of the brain."""
    import nibabel
    import numpy as np
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[:3]), indexing="ij")
    brain = (x / 0.8) ** 2 + (y / 0.85) ** 2 + (z / 0.75) ** 2 < 1
    smooth = gaussian_filter(rng.standard_normal(shape[:3]), 3)
    # NIfTI stores the first axis fastest: voxels are listed in that order here
    in_file_order = brain.transpose(2, 1, 0)
    signal = (
        (1200 + 300 * smooth / smooth.std()).clip(300).transpose(2, 1, 0)[in_file_order].astype(np.float32)
    )
    drift = 0.02 * rng.standard_normal(signal.size, dtype=np.float32)
    noise = rng.standard_normal(signal.size, dtype=np.float32)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header.set_zooms((1.8, 1.8, 1.8, TR_S))
    header.set_xyzt_units("mm", "sec")
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    volume = np.zeros(shape[2::-1], dtype="<i2")
    with gzip.open(folder / f"{name}.nii.gz", "wb", compresslevel=GZIP_LEVEL) as stream:
        stream.write(header.binaryblock.ljust(352, b"\0"))
        for tr in range(shape[3]):
            noise = 0.5 * noise + 0.866 * rng.standard_normal(signal.size, dtype=np.float32)
            volume[in_file_order] = np.rint(signal * (1 + drift * (tr / shape[3] - 0.5) + 0.02 * noise))
            stream.write(volume.tobytes())
    distance = np.where(brain, x**2 + (y + 0.6) ** 2 + z**2, np.inf)
    mask = np.zeros(shape[:3], dtype=np.int16)
    mask.flat[np.argsort(distance, axis=None)[:n_voxels]] = 1
    nibabel.save(nibabel.Nifti1Image(mask, header.get_best_affine()), folder / f"mask_{name}.nii.gz")


def tempgen_side(mask_path: Path) -> Callable[[Path], Any]:
    """Function from a run to its z-scores, shape (n_tr, n_voxels), with this package."""
    from tempgen.data.nifti import read_masked_run, read_volume_3d
    from tempgen.data.preprocess import clean_run

    mask = read_volume_3d(mask_path)[0] > 0
    return lambda path: (
        clean_run(
            read_masked_run(path, mask), tr_s=TR_S, drift="cosine", drift_cutoff_s=DRIFT_CUTOFF_S
        ).zscored
    )


def nilearn_side(mask_path: Path) -> Callable[[Path], Any]:
    """Function from a run to its z-scores, shape (n_tr, n_voxels), with nilearn."""
    from nilearn.maskers import NiftiMasker

    masker = NiftiMasker(
        mask_img=str(mask_path),
        standardize="zscore_sample",
        detrend=False,
        high_pass=1 / DRIFT_CUTOFF_S,
        t_r=TR_S,
        dtype="float32",  # faster than its default
        reports=False,
        clean_args={"filter": "cosine"},
    ).fit()
    return lambda path: masker.transform(str(path))


def gunzip_side(opener: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Function that decompresses a run and keeps nothing."""

    def gunzip(path: Path) -> None:
        with opener(path) as stream:
            while stream.read(1 << 18):
                pass

    return gunzip


def make_side(side: str, mask_path: Path) -> Callable[[Path], Any]:
    """What the process measures."""
    if side == "tempgen":
        return tempgen_side(mask_path)
    if side == "nilearn":
        return nilearn_side(mask_path)
    if side == "gunzip-isal":
        from isal import igzip

        return gunzip_side(igzip.open)
    return gunzip_side(gzip.open)


def measure(side: str, folder: Path, *, n_runs: int, save: bool) -> dict[str, Any]:
    """Wall and CPU seconds of each run, and the peak memory of this process in GB."""
    make_side(side, folder / "mask_warm-up.nii.gz")(folder / "warm-up.nii.gz")
    clean = make_side(side, folder / "mask_run-0.nii.gz")
    wall_s, cpu_s = [], []
    for run in range(n_runs):
        wall, cpu = time.perf_counter(), time.process_time()
        zscored = clean(folder / f"run-{run}.nii.gz")
        wall_s.append(time.perf_counter() - wall)
        cpu_s.append(time.process_time() - cpu)
        if save and zscored is not None:
            import numpy as np

            np.save(folder / f"{side}_run-{run}.npy", zscored)
        del zscored  # or it would count in the memory of the next run
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts in kB
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_gb": peak_gb}


def in_own_process(
    role: str, folder: Path, options: argparse.Namespace, *, save: bool = False
) -> dict[str, Any]:
    """Run this script in a role of its own; its last line of output is the measurement."""
    command = [sys.executable, __file__, "--role", role, "--folder", str(folder), "--runs", str(options.runs)]
    command += ["--quick"] * options.quick + ["--save"] * save
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    finished = subprocess.run(
        command, env=os.environ | one_thread, stdout=subprocess.PIPE, check=True, text=True
    )
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def largest_difference(folder: Path, n_runs: int) -> float:
    """Largest absolute difference of the two sides' z-scores over all runs."""
    import numpy as np

    largest = 0.0
    for run in range(n_runs):
        ours, theirs = (np.load(folder / f"{side}_run-{run}.npy") for side in ("tempgen", "nilearn"))
        if ours.shape != theirs.shape:
            sys.exit(f"Run {run}: shapes {ours.shape} and {theirs.shape} differ.")
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return largest


def report(measured: dict[str, list[dict[str, Any]]], *, difference: float, raw_bytes: int) -> None:
    """Print the table and how far the goals are."""
    wall_s, cpu_s = (
        {
            side: statistics.median(s for one in repeats for s in one[clock])
            for side, repeats in measured.items()
        }
        for clock in ("wall_s", "cpu_s")
    )
    peak_gb = {side: max(one["peak_gb"] for one in repeats) for side, repeats in measured.items()}
    print(f"{'':<32}{'wall s/run':>11}{'CPU s/run':>11}{'MB/s':>7}{'CPU / tempgen':>15}{'peak GB':>9}")
    for side, label in SIDES.items():
        megabytes_s = raw_bytes / cpu_s[side] / 1e6
        ratio = cpu_s[side] / cpu_s["tempgen"]
        print(
            f"{label:<32}{wall_s[side]:>11.3f}{cpu_s[side]:>11.3f}{megabytes_s:>7.0f}{ratio:>15.2f}"
            f"{peak_gb[side]:>9.2f}"
        )
    speed = cpu_s["nilearn"] / cpu_s["tempgen"]
    over = cpu_s["tempgen"] / cpu_s["gunzip-isal"] - 1
    verdict = {True: "reached", False: "MISSED"}
    print(
        f"goal >= {GOAL_RATIO:g} x nilearn's speed: {speed:.1f} x (wall {wall_s['nilearn'] / wall_s['tempgen']:.1f} x)"
        f", {verdict[speed >= GOAL_RATIO]}"
    )
    print(
        f"goal <= {GOAL_PEAK_GB:g} GB: {peak_gb['tempgen']:.2f} GB, {verdict[peak_gb['tempgen'] <= GOAL_PEAK_GB]}"
    )
    print(f"goal <= {MAX_DIFFERENCE:g} apart: {difference:.1e}, {verdict[difference <= MAX_DIFFERENCE]}")
    print(f"floor: {100 * over:.0f} % above decompression alone")


def main() -> None:
    """Make the runs, let the sides take turns, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2, help="runs to make and clean (default 2)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each side (default 3)")
    parser.add_argument("--quick", action="store_true", help="small runs, measured once: does it work?")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--save", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    shape, n_voxels = (QUICK_SHAPE, QUICK_N_VOXELS) if options.quick else (SHAPE, N_VOXELS)
    if options.role == "write":
        write_run(options.folder, "warm-up", shape=WARM_UP_SHAPE, n_voxels=WARM_UP_N_VOXELS, seed=0)
        for run in range(options.runs):
            write_run(options.folder, f"run-{run}", shape=shape, n_voxels=n_voxels, seed=run)
        print("{}")
        return
    if options.role:
        print(json.dumps(measure(options.role, options.folder, n_runs=options.runs, save=options.save)))
        return
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # child processes inherit it
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        in_own_process("write", folder, options)
        raw_bytes = 352 + 2 * shape[0] * shape[1] * shape[2] * shape[3]
        ratio = raw_bytes / (folder / "run-0.nii.gz").stat().st_size
        print(
            f"{options.runs} runs of {' x '.join(map(str, shape))} int16, {raw_bytes / 1e6:.0f} MB, "
            f"gzipped {ratio:.1f} to 1; {n_voxels} voxels; one core"
        )
        measured: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for repeat in range(1 if options.quick else options.repeats):
            for side in SIDES:
                measured[side].append(in_own_process(side, folder, options, save=repeat == 0))
        difference = largest_difference(folder, options.runs)
    report(measured, difference=difference, raw_bytes=raw_bytes)
    if not difference <= MAX_DIFFERENCE:
        sys.exit(f"The z-scores differ by {difference}; at most {MAX_DIFFERENCE} is allowed.")


if __name__ == "__main__":
    main()
