"""The one labelled array of an analysis: score[train_delta, test_delta, target, trial], one variable a metric.

- **General** is the row ``.sel(train_delta=0)``, **Specialized** the diagonal, the **generalization matrix** all of it.
- Cells that were not computed, and trials without a previous or next image, are NaN.
- ``target`` says with which image a reconstruction was compared: the trial's own (``current``) or that of the trial before
  or after it in the run, if no blank lies between.
- Beside each metric stands ``METRIC_chance`` (train_delta, test_delta): its score when reconstructions meet the images of
  other trials, measured on the same reconstructions.
- ``METRIC_baseline`` (train_delta, test_delta, trial): what the trial would score with its current image if its
  reconstruction were independent of it: the mean of this reconstruction with other trials' images + the mean of other
  reconstructions with this image - the mean of all such pairs. Score - baseline has mean 0 then, trial by trial free of how
  popular an image and how typical a reconstruction is.
- ``METRIC_null`` (permutation, train_delta, test_delta), of metrics that correlate features and of accuracy: mean score over
  trials with the current images permuted among the trials of a run, the same permutations in all cells. Older results have
  neither; nor has one without the target ``current``.
- Coordinates of the trials (``subject``, ``session``, ``run``, ``image_id``, ``repetition``, ``onset_tr``) make any grouping one line.
- ``n_repetitions`` (trial), of results of windows averaged over the presentations of an image: over how many. The trial's other
  coordinates are those of the first.
- ``signal`` (scalar): what was decoded, ``bold``, ``deconvolved`` activity or single-trial ``betas``. Older results lack it: BOLD.
- Attributes say how the result was made; they are numbers and text, so that zarr and netCDF keep them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempgen._version import __version__
from tempgen.errors import ResultsError
from tempgen.files import whole_file, whole_folder, write_zarr
from tempgen.result_cells import CellFiles

if TYPE_CHECKING:
    import xarray as xr

RESULTS_FORMAT = 1
"""Changes when an older result can no longer be read."""
STUDY_FILE = "study.json"
"""In the folder of several analyses that belong together: which they are."""
SCORE_DIMS = ("train_delta", "test_delta", "target", "trial")
BASELINE_DIMS = ("train_delta", "test_delta", "trial")
NULL_DIMS = ("permutation", "train_delta", "test_delta")


def metrics_of(results: xr.Dataset) -> list[str]:
    """Names of the score variables, in the order of the suite.

    Raises
    ------
    ResultsError
        If there is none: the dataset is no result.
    """
    there = [str(name) for name, variable in results.data_vars.items() if variable.dims == SCORE_DIMS]
    suite = str(results.attrs.get("metrics", "")).split(",")
    names = sorted(there, key=lambda name: suite.index(name) if name in suite else len(suite))
    if not names:
        raise ResultsError(
            f"No variable has the dimensions {SCORE_DIMS}: this is no result of tempgen. Its variables: {list(results.data_vars)}."
        )
    return names


def write_results(results: xr.Dataset, path: Path) -> None:
    """Write a result as a zarr folder, whole or not at all."""
    marked = results.assign_attrs(results_format=RESULTS_FORMAT, tempgen_version=__version__)
    with whole_folder(path) as temporary:
        write_zarr(marked, temporary)


def open_results(path: Path | str) -> xr.Dataset:
    """Open a result.

    Parameters
    ----------
    path : Path or str
        A zarr folder of ``tempgen evaluate``, a netCDF file of ``tempgen export``, or the folder of an analysis.

    Returns
    -------
    xarray.Dataset
        Scores with dims (train_delta, test_delta, target, trial), read into memory. Of an evaluation that goes on, those
        cells that are there, with the attributes ``n_cells_there`` and ``n_cells``; the others are NaN.

    Raises
    ------
    ResultsError
        If there is none, it is unreadable, or another format wrote it.
    """
    import xarray as xr

    path = Path(path)
    if (path / "results.zarr").exists():
        path = path / "results.zarr"
    if (path / STUDY_FILE).exists():
        raise ResultsError(
            f"{path} holds the results of several analyses: open them with tempgen.open_study."
        )
    is_result = path.is_file() or (path / "zarr.json").exists()
    if not is_result and (unfinished := _unfinished(path)).has_layout:
        return unfinished.gather()
    if not path.exists():
        raise ResultsError(f"There is no result {path}: make one with 'tempgen evaluate' or 'tempgen run'.")
    try:
        results = _load_zarr(path) if path.is_dir() else xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{path} is no result of tempgen ({error}).") from error
    if "store_format" in results.attrs:
        raise ResultsError(f"{path} is a time-series store, not a result: open it with tempgen.open_store.")
    found = results.attrs.get("results_format")
    if found != RESULTS_FORMAT:
        raise ResultsError(
            f"{path} has results format {found} (tempgen {results.attrs.get('tempgen_version', 'unknown')}), this version reads "
            f"{RESULTS_FORMAT}. Run 'tempgen evaluate --overwrite' to make it again."
        )
    return results


def _unfinished(path: Path) -> CellFiles:
    """Cells of the result, or of the analysis in the folder, that are scored so far."""
    return CellFiles.of(path if path.suffix == ".zarr" else path / "results.zarr")


def _load_zarr(path: Path) -> xr.Dataset:
    import xarray as xr

    return xr.open_zarr(path, consolidated=False, chunks=None).load()


def export_netcdf(results: xr.Dataset, path: Path) -> Path:
    """Write a result as one netCDF file to mail, whole or not at all."""
    with whole_file(path) as temporary:
        results.to_netcdf(temporary, engine="h5netcdf")
    return path


def decoder_name(results: xr.Dataset) -> str:
    """What figures and tables call the decoder of a result or of reconstructions, e.g. ``"Ridge to tokens"``."""
    name, target = str(results.attrs["decoder"]).capitalize(), str(results.attrs["decoder_target"])
    return name if target == "images" else f"{name} to {target}"


def describe_results(results: xr.Dataset) -> str:
    """A few lines on where a result comes from and what it cost, for the top of a notebook."""
    attrs = results.attrs
    kind = str(attrs["data_kind"])
    notes = ", ".join(
        f"{key.removeprefix('note_')} {value}" for key, value in attrs.items() if key.startswith("note_")
    )
    return "\n".join(
        [
            f"{attrs['title']} (tempgen {attrs['tempgen_version']})",
            f"{kind.upper()} data, subject {attrs['subject']}" + (f": {notes}" if notes else ""),
            f"{decoder_name(results)}, trained at {results.sizes['train_delta']} lags, tested at {results.sizes['test_delta']}",
            *([f"training started: {attrs['warm_start']}"] if "warm_start" in attrs else []),
            *([f"images by {attrs['backbone']}: {attrs['sampling']}"] if "sampling" in attrs else []),
            str(attrs["window"]),
            f"{attrs['split']} split: {attrs['n_train']} training trials, {attrs['n_test']} test trials of {attrs['n_test_runs']} runs; "
            f"left out: {attrs['n_left_out_window']} whose windows leave their run, {attrs['n_left_out_image']} of images "
            "that occur in test runs",
            *(
                [f"scored: {describe_scored(results)}"]
                if attrs.get("n_evaluated", attrs["n_test"]) < attrs["n_test"]
                or attrs.get("repetitions", "all") != "all"
                else []
            ),
            *(
                [
                    f"caution: {attrs['n_train_sharing_volumes']} training trials share volumes with test windows"
                ]
                if attrs["n_train_sharing_volumes"]
                else []
            ),
        ]
    )


def describe_scored(results: xr.Dataset) -> str:
    """Which test trials a result or a store of reconstructions is of, and whether repeated images were averaged."""
    attrs = results.attrs
    n_scored, n_test = int(attrs.get("n_evaluated", attrs["n_test"])), int(attrs["n_test"])
    if attrs.get("repetitions") == "one":
        return f"one presentation of each of {n_scored} test images, drawn at random, the same at every lag"
    if attrs.get("repetitions") == "average":
        over = [int(n) for n in results["n_repetitions"].values]
        counts = " to ".join(str(n) for n in dict.fromkeys((min(over), max(over))))
        return f"{n_scored} test images, windows averaged over the presentations of each ({counts}) before decoding"
    if n_scored < n_test:
        return f"{n_scored} of the test trials, drawn at random, the same at every lag"
    return f"{n_scored} test trials, each presentation of an image by itself"


def recipe_of(results: xr.Dataset) -> Mapping[str, Any]:
    """How a result was made, as nested mappings (the analysis and what it met)."""
    recipe: Mapping[str, Any] = json.loads(results.attrs.get("recipe", "{}"))
    return recipe
