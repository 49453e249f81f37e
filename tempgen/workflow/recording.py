"""Steps 1 and 2 of an analysis: have a recording, prepare its store."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import xarray as xr

from tempgen.config import Analysis
from tempgen.config.recording import NSD_KEYS, PreprocessConfig
from tempgen.data.source import Source
from tempgen.data.store import open_store
from tempgen.files import remove_folder
from tempgen.workflow.places import Places, is_done

Say = Callable[[str], None]


def simulate_recording(analysis: Analysis, *, say: Say = print, overwrite: bool = False) -> None:
    """Write the analysis' simulated subject, unless it is there.

    With ``overwrite`` a subject that this analysis' folder holds of another simulation makes room; one in a folder that
    the user named (``data.path``) is never removed.
    """
    from tempgen.data.simulate import simulate_nsd

    places = Places(analysis)
    config = analysis.data.simulate
    say(
        f"simulated subject {analysis.data.subject} in {places.dataset}: {config.code} code, "
        f"signal-to-noise ratio {config.snr:g}, {config.n_sessions} sessions"
    )
    if overwrite and analysis.data.path is None:
        remove_folder(places.dataset)
    simulate_nsd(places.dataset, config, subjects=(int(analysis.data.subject),))


def open_source(analysis: Analysis) -> Source:
    """Describe the recording that the analysis names.

    Raises
    ------
    SourceDataError
        If files are missing or contradict each other.
    """
    places, data = Places(analysis), analysis.data
    if data.source == "bids":
        from tempgen.data.bids import open_bids

        return open_bids(
            places.dataset, data.subject, **data.bids.model_dump(), confounds=_bids_confounds(data.preprocess)
        )
    from tempgen.data.nsd import open_nsd

    return open_nsd(
        places.dataset,
        int(data.subject),
        roi=data.roi,
        atlases=data.atlases,
        sessions=data.sessions,
        with_motion=data.preprocess.confounds is not False or analysis.inputs.kind == "motion",
    )


def _bids_confounds(preprocess: PreprocessConfig) -> tuple[str, ...]:
    """Columns to regress out of a BIDS recording; ``true`` means the six motion parameters."""
    from tempgen.data.bids import MOTION_CONFOUNDS

    return MOTION_CONFOUNDS if preprocess.confounds is True else preprocess.confounds or ()


def recording_recipe(analysis: Analysis) -> dict[str, Any]:
    """What determines the store, as plain values."""
    data = analysis.data
    unused = {
        "nsd": {"simulate", "bids"},
        "bids": {"simulate", *NSD_KEYS},
        "simulated": {"bids"},
    }
    recipe = data.model_dump(mode="json", exclude=unused[data.source])
    recipe["path"] = str(Places(analysis).dataset.resolve()) if data.path is not None else "simulated"
    return recipe


def prepare_recording(
    analysis: Analysis,
    *,
    say: Say = print,
    n_jobs: int | None = None,
    overwrite: bool = False,
    recheck: bool = False,
) -> xr.Dataset:
    """Open the analysis' store, preparing it (and simulating its subject) if it is not there.

    Of an analysis with another signal than BOLD, the store of that signal (:func:`tempgen.workflow.signal.prepare_signal`).

    Parameters
    ----------
    n_jobs : int or None
        Runs at a time.
    overwrite : bool
        Make a store of another analysis again.
    recheck : bool
        Look whether the dataset still holds the runs that the store was made of (more sessions may have arrived).

    Raises
    ------
    ConfigError
        If a store made with another data section, or of the signal with another recipe, is there and ``overwrite`` is off.
    """
    from tempgen.data.prepare import prepare_store

    places, recipe = Places(analysis), recording_recipe(analysis)
    if places.store.exists():
        store = open_store(places.store)
        made_with = json.loads(store.attrs["recipe"])
        made_with.pop("recording", None)  # what the dataset held then; it may be gone by now
        if (
            is_done(made_with, recipe, what=places.store, overwrite=overwrite, remake="tempgen prepare")
            and not recheck
        ):
            return _signal_of(analysis, store, say=say, overwrite=overwrite)
    preprocess = analysis.data.preprocess
    if analysis.data.source == "simulated":
        simulate_recording(analysis, say=say, overwrite=overwrite)
    elif analysis.data.source == "bids":
        preprocess = preprocess.model_copy(update={"confounds": _bids_confounds(preprocess) or False})
    source = open_source(analysis)
    for name, note in source.notes.items():
        say(f"  {name}: {note}")
    prepare_store(
        source,
        places.store,
        preprocess=preprocess,
        image_size=analysis.data.image_size,
        recipe=recipe,
        n_jobs=n_jobs,
        overwrite=overwrite,
        say=say,
    )
    return _signal_of(analysis, open_store(places.store), say=say, overwrite=overwrite)


def _signal_of(analysis: Analysis, store: xr.Dataset, *, say: Say, overwrite: bool) -> xr.Dataset:
    """The store that is decoded, with motion if that is what decoders see."""
    from tempgen.workflow.signal import prepare_signal

    return prepare_signal(analysis, _with_motion(analysis, store, say=say), say=say, overwrite=overwrite)


def _with_motion(analysis: Analysis, store: xr.Dataset, *, say: Say) -> xr.Dataset:
    """The store, which gets the motion parameters if the analysis' decoders see them and it has none yet."""
    if analysis.inputs.kind != "motion" or "motion" in store:
        return store
    from tempgen.data.motion import add_motion

    places, preprocess = Places(analysis), analysis.data.preprocess
    columns = None
    if analysis.data.source == "simulated":
        simulate_recording(analysis, say=say)
    elif analysis.data.source == "bids":
        from tempgen.data.bids import MOTION_CONFOUNDS

        columns = _bids_confounds(preprocess) or MOTION_CONFOUNDS
    add_motion(open_source(analysis), places.store, preprocess=preprocess, columns=columns)
    say(f"motion parameters added to {places.store}")
    return open_store(places.store)
