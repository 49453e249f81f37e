"""Motion parameters in a store, for decoders that see them in the place of BOLD.

They are cleaned as the store's voxels are (drift, high-pass, z-scores per run) and lie on the same volumes. A store gets
them when an analysis asks for them, later than its BOLD if need be: nothing else of it changes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from tempgen.config.recording import PreprocessConfig
from tempgen.data.confounds import load_confounds
from tempgen.data.onsets import resample_series
from tempgen.data.preprocess import clean_run
from tempgen.data.source import RunFile, Source
from tempgen.data.store import open_store
from tempgen.errors import SourceDataError, StoreError
from tempgen.files import replace_folder, whole_folder


def add_motion(
    source: Source,
    store: Path,
    *,
    preprocess: PreprocessConfig | None = None,
    columns: Sequence[str] | None = None,
) -> None:
    """Write ``motion`` (run, volume, parameter) into a store, whole or not at all.

    Its attribute ``std`` (runs, parameters) is what z-scoring divided by, in the units of the files (mm and radians of
    fMRIPrep's and SPM's parameters).

    Parameters
    ----------
    source : Source
        What the store was made of, its runs with ``confounds_path``.
    store : Path
        A folder written by :func:`tempgen.data.prepare.prepare_store`.
    preprocess : PreprocessConfig, optional
        Drift and high-pass as for the store; no confounds are regressed out of the confounds.
    columns : sequence of str, optional
        Columns of files with a header (fMRIPrep's); all unless given.

    Raises
    ------
    SourceDataError
        If a run has no motion file, or one that does not fit its volumes.
    StoreError
        If the store was made of other runs.
    """
    preprocess = preprocess or PreprocessConfig()
    dataset = open_store(store)
    names = dataset["run_name"].values.tolist()
    if names != [run.name for run in source.runs]:
        raise StoreError(
            f"{store} holds {len(names)} runs, the dataset has {len(source.runs)} and not the same ones: motion cannot be "
            "added. Prepare it again with 'tempgen prepare --overwrite'."
        )
    lengths = dataset["run_length"].values
    cleaned = [
        _motion_of_run(source, run, int(length), preprocess=preprocess, columns=columns)
        for run, length in zip(source.runs, lengths, strict=True)
    ]
    series = [values for values, _ in cleaned]
    if len({values.shape[1] for values in series}) != 1:
        raise SourceDataError(
            f"The runs have {sorted({values.shape[1] for values in series})} motion parameters: the same are needed in all."
        )
    motion = np.full((len(series), int(dataset.sizes["volume"]), series[0].shape[1]), np.nan, np.float32)
    for run, values in enumerate(series):
        motion[run, : len(values)] = values
    beside = store.with_name(f"{store.name}.motion")
    with whole_folder(beside) as temporary:
        array = zarr.create_array(
            store=temporary,
            data=motion,
            dimension_names=("run", "volume", "parameter"),
            attributes={"long_name": "head motion", "units": "z-score per parameter and run"},
        )
        array.attrs["parameters"] = list(columns or ())
        array.attrs["std"] = [[float(value) for value in std] for _, std in cleaned]
    shutil.rmtree(store / "motion", ignore_errors=True)
    replace_folder(beside, store / "motion")


def _motion_of_run(
    source: Source,
    run: RunFile,
    length: int,
    *,
    preprocess: PreprocessConfig,
    columns: Sequence[str] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cleaned motion of a run on the store's volumes, shape (length, n_parameters), and the SD of each parameter before."""
    if run.confounds_path is None:
        raise SourceDataError(
            f"Run {run.name} has no motion parameters: inputs.kind: motion needs NSD's motion files or fMRIPrep's confounds "
            "(data.bids.derivatives)."
        )
    values = load_confounds(run.confounds_path, columns=columns)[: run.n_tr]
    if len(values) != run.n_tr:
        raise SourceDataError(
            f"{run.confounds_path} has {len(values)} rows, {run.bold_path.name} has {run.n_tr} volumes. Restore both files."
        )
    cleaned = clean_run(
        values.astype(np.float32),
        tr_s=source.tr_s,
        drift=preprocess.drift,
        drift_cutoff_s=preprocess.drift_cutoff_s,
        high_pass_hz=preprocess.high_pass_hz,
    )
    if source.resample_tr_s is None:
        return cleaned.zscored, cleaned.std
    resampled = resample_series(
        cleaned.zscored,
        tr_s=source.tr_s,
        new_tr_s=source.resample_tr_s,
        start_s=source.resample_start_s,
        n_new=length,
    )
    return resampled, cleaned.std
