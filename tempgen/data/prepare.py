"""From a source's files to a store: one run at a time, in parallel, resumable.

An unfinished store is ``NAME.partial``: its runs are marked done one by one, so a killed preparation goes on where it
was. When all are done the store is put together beside them (without the voxels that are constant in some run, which is
known only then) and renamed into place.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from tempgen.config.files import differences, fingerprint
from tempgen.config.recording import PreprocessConfig
from tempgen.data.confounds import load_confounds
from tempgen.data.nifti import read_masked_run
from tempgen.data.onsets import resample_series, resampled_length
from tempgen.data.preprocess import clean_run
from tempgen.data.source import RunFile, Source
from tempgen.data.store import describe_store, open_store, partial_folder, store_attrs
from tempgen.errors import SourceDataError, StoreError
from tempgen.files import remove_folder, replace_folder, whole_file, write_zarr

IMAGES_PER_CHUNK = 64
_RAW = {
    "raw_mean": "mean over volumes before cleaning",
    "raw_std": "standard deviation over volumes after cleaning, before z-scoring",
}
"""What z-scoring takes away of each voxel and run, kept beside it."""


def prepare_store(
    source: Source,
    out: Path,
    *,
    preprocess: PreprocessConfig | None = None,
    image_size: int = 224,
    recipe: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Mask, clean and z-score every run of a source into a store.

    Parameters
    ----------
    source : Source
        From ``open_nsd`` or ``open_bids``.
    out : Path
        The store's folder.
    preprocess : PreprocessConfig, optional
        Drift, high-pass and confounds; the paper's by default.
    image_size : int
        Larger seen images are shrunk to this many pixels a side.
    recipe : mapping, optional
        What determines the store (an analysis' data section); a store of another recipe is not replaced unasked.
    n_jobs : int or None
        Runs at a time (threads: unzipping and algebra release the interpreter); None: one for each core.
    overwrite : bool
        Replace a finished store of another recipe.
    say : callable
        Receives one line for each thing worth knowing.

    Raises
    ------
    StoreError
        If ``out`` holds a store of another recipe and ``overwrite`` is off.
    SourceDataError
        If a run is missing, truncated, has NaN, or no voxel varies in every run. Finished runs are kept.
    """
    preprocess = preprocess or PreprocessConfig()
    recipe = dict(recipe or {"preprocess": preprocess.model_dump(mode="json"), "image_size": image_size})
    recipe["recording"] = {
        "kind": source.kind,
        "subject": source.subject,
        "runs": [run.name for run in source.runs],
        "n_voxels_in_mask": int(source.mask.sum()),
    }
    if out.exists() and not overwrite:
        _check_same_recipe(out, recipe)
        say(f"{out} is done: {len(source.runs)} runs")
        return out
    partial = _open_partial(out, recipe, say)
    lengths = np.array([_store_length(source, run) for run in source.runs])
    shape = (len(lengths), int(lengths.max()), int(source.mask.sum()))
    working = _bold_array(partial / "working", shape)
    _raw_arrays(partial / "working", (shape[0], shape[2]))
    _prepare_runs(source, partial, working, preprocess=preprocess, n_jobs=n_jobs)
    constant = _constant_voxels(partial, n_runs=shape[0], n_voxels=shape[2])
    if constant.all():
        raise SourceDataError("No voxel of the mask varies in every run: is it the mask of these runs?")
    if constant.any():
        say(f"{constant.sum()} of {constant.size} voxels are constant in a run and are dropped")
    dataset = describe_store(source, voxels=~constant, run_lengths=lengths)
    dataset.attrs = store_attrs(
        source,
        recipe=json.dumps(recipe, sort_keys=True),
        fingerprint=fingerprint(recipe),
        n_constant=int(constant.sum()),
    )
    shutil.rmtree(partial / "store", ignore_errors=True)
    write_zarr(dataset, partial / "store")
    _keep_voxels(partial / "working", partial / "store", ~constant, shape=shape)
    _write_images(source, partial / "store", image_size)
    replace_folder(partial / "store", out)
    remove_folder(partial)
    say(f"{out}: {shape[0]} runs, {int((~constant).sum())} voxels, {len(source.trials)} trials")
    return out


def _keep_voxels(
    working: Path, store: Path, voxels: NDArray[np.bool_], *, shape: tuple[int, int, int]
) -> None:
    """Copy some voxels of the runs, and of what z-scoring took away, from one folder to another."""
    n_runs, n_volumes, n_voxels = shape
    n_kept = int(voxels.sum())
    cleaned, bold = _bold_array(working, shape), _bold_array(store, (n_runs, n_volumes, n_kept))
    for index in range(n_runs):
        bold[index] = np.asarray(cleaned[index])[:, voxels]
    raw, kept = _raw_arrays(working, (n_runs, n_voxels)), _raw_arrays(store, (n_runs, n_kept))
    for name in _RAW:
        kept[name][:] = np.asarray(raw[name][:])[:, voxels]


def _check_same_recipe(out: Path, recipe: Mapping[str, Any]) -> None:
    made_with = json.loads(open_store(out).attrs["recipe"])
    changed = differences(made_with, recipe)
    if changed:
        raise StoreError(
            f"{out} was made differently: {'; '.join(changed)}. Choose another folder, or make it again with --overwrite."
        )


def _open_partial(out: Path, recipe: Mapping[str, Any], say: Callable[[str], None]) -> Path:
    partial = partial_folder(out)
    plan = partial / "plan.json"
    text = json.dumps({**recipe, "beside_bold": list(_RAW)}, sort_keys=True)
    if partial.exists() and not (plan.is_file() and plan.read_text(encoding="utf-8") == text):
        say(f"{partial} was begun with another recipe and starts anew")
        remove_folder(partial)
    (partial / "done").mkdir(parents=True, exist_ok=True)
    with whole_file(plan) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return partial


def _bold_array(folder: Path, shape: tuple[int, int, int]) -> zarr.Array:
    group = zarr.open_group(folder, mode="a", zarr_format=3)
    if isinstance(existing := group.get("bold"), zarr.Array):
        return existing
    return group.create_array(
        "bold",
        shape=shape,
        chunks=(1, *shape[1:]),
        dtype="float32",
        fill_value=np.nan,
        compressors=None,  # noise does not compress: reading stays at the disk's speed
        dimension_names=("run", "volume", "voxel"),
        attributes={"long_name": "BOLD", "units": "z-score per voxel and run"},
    )


def _raw_arrays(folder: Path, shape: tuple[int, int]) -> dict[str, zarr.Array]:
    """``raw_mean`` and ``raw_std`` (run, voxel), one chunk a run."""
    group = zarr.open_group(folder, mode="a", zarr_format=3)
    arrays = {}
    for name, meaning in _RAW.items():
        existing = group.get(name)
        arrays[name] = (
            existing
            if isinstance(existing, zarr.Array)
            else group.create_array(
                name,
                shape=shape,
                chunks=(1, shape[1]),
                dtype="float32",
                fill_value=np.nan,
                dimension_names=("run", "voxel"),
                attributes={"long_name": meaning, "units": "as in the files"},
            )
        )
    return arrays


def _store_length(source: Source, run: RunFile) -> int:
    if source.resample_tr_s is None:
        return run.n_tr
    return resampled_length(
        run.n_tr, tr_s=source.tr_s, new_tr_s=source.resample_tr_s, start_s=source.resample_start_s
    )


def _prepare_runs(
    source: Source, partial: Path, bold: zarr.Array, *, preprocess: PreprocessConfig, n_jobs: int | None
) -> None:
    waiting = [index for index in range(len(source.runs)) if not _marker(partial, index).is_file()]
    progress = tqdm(
        total=len(source.runs),
        initial=len(source.runs) - len(waiting),
        desc="prepare",
        unit="run",
        disable=None,
    )
    n_cores = len(os.sched_getaffinity(0))  # what a cluster gives this process, not what the node has
    with progress, threadpool_limits(1, "blas"), ThreadPoolExecutor(n_jobs or n_cores) as pool:
        futures = [pool.submit(_prepare_run, source, index, partial, bold, preprocess) for index in waiting]
        try:
            for future in as_completed(futures):
                future.result()
                progress.update()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _prepare_run(
    source: Source, index: int, partial: Path, bold: zarr.Array, preprocess: PreprocessConfig
) -> None:
    run = source.runs[index]
    series = read_masked_run(run.bold_path, source.mask, n_tr=run.n_tr)
    cleaned = clean_run(
        series,
        tr_s=source.tr_s,
        drift=preprocess.drift,
        drift_cutoff_s=preprocess.drift_cutoff_s,
        high_pass_hz=preprocess.high_pass_hz,
        confounds=_confounds(run, preprocess.confounds),
    )
    zscored = cleaned.zscored
    if source.resample_tr_s is not None:
        zscored = resample_series(
            zscored,
            tr_s=source.tr_s,
            new_tr_s=source.resample_tr_s,
            start_s=source.resample_start_s,
            n_new=_store_length(source, run),
        )
    bold[index, : len(zscored)] = zscored
    raw = _raw_arrays(partial / "working", (len(source.runs), series.shape[1]))
    raw["raw_mean"][index], raw["raw_std"][index] = cleaned.mean, cleaned.std
    with whole_file(_marker(partial, index)) as temporary:
        temporary.write_text(
            json.dumps({"constant": np.flatnonzero(cleaned.constant).tolist()}), encoding="utf-8"
        )


def _marker(partial: Path, index: int) -> Path:
    return partial / "done" / f"run-{index:04d}.json"


def _confounds(run: RunFile, wanted: bool | tuple[str, ...]) -> NDArray[np.float64] | None:
    if wanted is False:
        return None
    if run.confounds_path is None:
        raise SourceDataError(f"Run {run.name} has no confounds file: set preprocess.confounds to false.")
    return load_confounds(run.confounds_path, columns=None if wanted is True else wanted)[: run.n_tr]


def _constant_voxels(partial: Path, n_runs: int, *, n_voxels: int) -> NDArray[np.bool_]:
    constant = np.zeros(n_voxels, dtype=bool)
    for index in range(n_runs):
        constant[json.loads(_marker(partial, index).read_text(encoding="utf-8"))["constant"]] = True
    return constant


def _write_images(source: Source, folder: Path, image_size: int) -> None:
    if source.read_images is None:
        return
    image_ids = np.unique(source.trials["image_id"].to_numpy())
    group = zarr.open_group(folder, mode="a")
    array: zarr.Array | None = None
    starts = range(0, len(image_ids), IMAGES_PER_CHUNK)
    for start in tqdm(starts, desc="images", unit="chunk", disable=None):
        images = source.read_images(image_ids[start : start + IMAGES_PER_CHUNK], image_size)
        if array is None:
            array = group.create_array(
                "image",
                shape=(len(image_ids), *images.shape[1:]),
                chunks=(IMAGES_PER_CHUNK, *images.shape[1:]),
                dtype="uint8",
                dimension_names=("image", "row", "column", "rgb"),
                attributes={"long_name": "seen image", "units": "1"},
            )
        array[start : start + len(images)] = images
    group.create_array("image_of", data=image_ids.astype(np.int64), dimension_names=("image",)).attrs[
        "long_name"
    ] = "image_id of each seen image"
