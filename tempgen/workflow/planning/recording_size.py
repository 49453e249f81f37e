"""How large a recording is: from its store, from the files on disk, or from the design of the experiment alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from tempgen.config import Analysis, differences
from tempgen.data.onsets import resampled_length
from tempgen.data.simulate.design_source import designed_source, nsd_like_source
from tempgen.data.source import Source
from tempgen.data.store import describe_store, has_images, label_names_of, open_store, trials_of
from tempgen.errors import ConfigError
from tempgen.workflow.places import Places
from tempgen.workflow.recording import open_source, recording_recipe

__all__ = ["RecordingSize", "recording_size"]


@dataclass(frozen=True)
class RecordingSize:
    """A recording as the split sees it.

    Attributes
    ----------
    origin : str
        What the numbers are from.
    trials : DataFrame
        As of `tempgen.data.store.trials_of`.
    run_length : int
        Volumes of the longest run.
    n_runs, n_voxels, n_images : int
        Images 0: the recording has labels.
    image_size : int
        Pixels a side in the store.
    tr_s : float
        Of the store (s).
    label_names : tuple of str
    """

    origin: str
    trials: pd.DataFrame
    run_length: int
    n_runs: int
    n_voxels: int
    n_images: int
    image_size: int
    tr_s: float
    label_names: tuple[str, ...] = ()

    @property
    def store_bytes(self) -> int:
        """Of the store on disk, before compression: float32 BOLD, images as bytes."""
        bold = 4 * self.n_runs * self.run_length * self.n_voxels
        return bold + 3 * self.n_images * self.image_size**2


def recording_size(analysis: Analysis) -> RecordingSize:
    """Size of an analysis' recording; nothing is simulated, prepared or read but headers and tables.

    Raises
    ------
    ConfigError
        If a BIDS dataset is not there: nothing is known of it.
    SourceDataError
        If files on disk are missing or contradict each other.
    """
    places, data = Places(analysis), analysis.data
    if places.store.exists() and _was_made_of(store := open_store(places.store), analysis):
        size = store.sizes["row"] if has_images(store) else 0
        return _of_store(store, origin="the prepared store", image_size=size)
    if places.dataset.exists() and (data.source != "simulated" or data.path is not None):
        source = open_source(analysis)
        return _of_source(source, analysis, origin="the files on disk")
    if data.source == "bids":
        raise ConfigError(
            f"There is no dataset {places.dataset}: a BIDS recording is planned from its headers and events. Set data.path."
        )
    if data.source == "simulated":
        source = designed_source(data.simulate, int(data.subject))
        return _of_source(source, analysis, origin="the simulation's design")
    n_sessions = None if data.sessions is None else len(data.sessions)
    source = nsd_like_source(int(data.subject), n_sessions=n_sessions)
    origin = f"NSD's published numbers ({places.dataset} is not there): a design drawn by its rules"
    if data.roi != "nsdgeneral":
        origin += "; voxels are those of nsdgeneral"
    return _of_source(source, analysis, origin=origin)


def _was_made_of(store: xr.Dataset, analysis: Analysis) -> bool:
    made_with = json.loads(store.attrs["recipe"])
    made_with.pop("recording", None)
    return not differences(made_with, recording_recipe(analysis))


def _of_source(source: Source, analysis: Analysis, *, origin: str) -> RecordingSize:
    lengths = np.array([run.n_tr for run in source.runs], dtype=np.int64)
    if source.resample_tr_s is not None:
        lengths = np.array(
            [
                resampled_length(
                    int(n), tr_s=source.tr_s, new_tr_s=source.resample_tr_s, start_s=source.resample_start_s
                )
                for n in lengths
            ]
        )
    described = describe_store(
        source, voxels=np.ones(int(source.mask.sum()), dtype=bool), run_lengths=lengths
    )
    described = described.assign_attrs(tr_s=source.store_tr_s)
    size = 0
    if source.read_images is not None:
        own = analysis.data.simulate.image_size if analysis.data.source == "simulated" else np.inf
        size = int(min(analysis.data.image_size, own))
    return _of_store(described, origin=origin, image_size=size, label_names=source.label_names)


def _of_store(
    store: xr.Dataset, *, origin: str, image_size: int, label_names: tuple[str, ...] | None = None
) -> RecordingSize:
    trials = trials_of(store)
    return RecordingSize(
        origin=origin,
        trials=trials,
        run_length=int(store["run_length"].max()),
        n_runs=store.sizes["run"],
        n_voxels=store.sizes["voxel"],
        n_images=int(trials["image_id"].nunique()) if image_size else 0,
        image_size=image_size,
        tr_s=float(store.attrs["tr_s"]),
        label_names=label_names_of(store) if label_names is None else label_names,
    )
