"""The signal that an analysis decodes: its store of BOLD, or one of activity or betas that is estimated from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempgen.config import Analysis, fingerprint
from tempgen.config.signal import SignalConfig
from tempgen.data.deconvolution import (
    HrfLibrary,
    VoxelHrf,
    choose_hrf,
    deconvolve_store,
    describe_hrf,
    fit_deconvolution,
    hrf_warnings,
)
from tempgen.data.deconvolution.transform import add_to_store, hrf_notes, voxel_maps
from tempgen.data.store import open_store
from tempgen.errors import ConfigError, StoreError
from tempgen.files import replace_folder
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.trial_sets import TrialSets

Say = Callable[[str], None]


def prepare_signal(
    analysis: Analysis, store: xr.Dataset, *, say: Say = print, overwrite: bool = False
) -> xr.Dataset:
    """Open the store that the analysis decodes, making it of the BOLD's if it is not there.

    HRFs, noise levels and ridge fractions come from the runs without any held-out trial; every run is then transformed by itself. So
    nothing of a test run reaches a training trial, nor the reverse but for these choices.

    Parameters
    ----------
    store : xarray.Dataset
        The analysis' store of BOLD.
    overwrite : bool
        Make one again that was made otherwise.

    Raises
    ------
    StoreError
        If every run holds trials that are kept for the test.
    ConfigError
        If one that was made otherwise (of other BOLD, on other runs, with other HRFs) is there and ``overwrite`` is off.
    """
    config = analysis.signal
    if config.kind == "bold":
        return store
    out, runs = Places(analysis).signal_store, training_runs(analysis, store)
    recipe = signal_recipe(config, store, runs)
    if not out.exists() or not is_done(
        made_with(out), recipe, what=out, overwrite=overwrite, remake="tempgen deconvolve"
    ):
        say(f"{config.kind} signal from {len(runs)} runs: {out}")
        make_signal_store(store, out, config, runs, say=say)
    signal = open_store(out)
    return signal.assign(motion=store["motion"]) if "motion" in store and "motion" not in signal else signal


def training_runs(analysis: Analysis, store: xr.Dataset) -> list[int]:
    """Runs of which no trial is kept for the test; all runs where there are none and nothing is learned from them.

    Raises
    ------
    StoreError
        If there are none.
    """
    held_out = store["trial_run"].values[TrialSets.of(analysis, store).split.held_out]
    runs = np.setdiff1d(np.arange(store.sizes["run"]), held_out).tolist()
    if not runs and not _learns(analysis.signal):
        return list(range(store.sizes["run"]))
    if not runs:
        raise StoreError(
            f"signal.kind is {analysis.signal.kind}, whose HRFs are chosen on runs without test trials, and every run has some: split by "
            "run (split.kind: time-resolved), decode BOLD, or betas of which nothing is chosen (signal: {kind: betas, hrf: canonical})."
        )
    return runs


def _learns(config: SignalConfig) -> bool:
    """Whether runs determine how others are transformed; of given HRFs, duration and shrinkage they only say how well these fit."""
    if config.kind != "betas" or config.duration_s == "estimated" or len(hrf_library(config)) > 1:
        return True
    return config.method == "ridge" and config.ridge_fraction is None


def make_signal_store(
    store: xr.Dataset, out: Path, config: SignalConfig, runs: Sequence[int], *, say: Say = print
) -> xr.Dataset:
    """Make a store of activity or betas of one of BOLD, and say how well the HRFs are known.

    Parameters
    ----------
    store : xarray.Dataset
        Of BOLD.
    out : Path
        The new store; it appears whole or not at all and replaces one that is there.
    config : SignalConfig
        Of kind deconvolved or betas.
    runs : sequence of int
        Runs to learn from.

    Raises
    ------
    StoreError
        If the store holds another signal than BOLD, or there is nothing to learn from.
    ConfigError
        If a run does not exist, or the file of HRFs is none.
    """
    if (signal := store.attrs.get("signal", "bold")) != "bold":
        raise StoreError(f"This store holds {signal}: give the store of BOLD that it was made of.")
    if not set(runs) <= set(range(store.sizes["run"])):
        raise ConfigError(
            f"Runs {list(runs)} were asked for; the store has runs 0 to {store.sizes['run'] - 1}."
        )
    hrf = choose_hrf(store, runs, hrf_library(config), duration_s=config.duration_s)
    for line in describe_hrf(hrf):
        say(line)
    recipe = signal_recipe(config, store, runs)
    if config.kind == "betas":
        _make_betas(store, out, config, runs, hrf, recipe=recipe, say=say)
    else:
        deconvolution = fit_deconvolution(store, runs, hrf)
        say(
            f"  noise: {100 * np.median(deconvolution.noise_share):.0f} % of the BOLD's variance (median over voxels)"
        )
        deconvolve_store(store, out, deconvolution, recipe=recipe)
    for line in hrf_warnings(hrf):
        say(f"caution: {line}")
    made = open_store(out)
    say(
        f"wrote {out}: {made.attrs['signal']} signal of {made.sizes['run']} runs, {made.sizes['voxel']} voxels"
    )
    return made


def hrf_library(config: SignalConfig) -> HrfLibrary:
    """The HRFs that a signal's section names."""
    if config.hrf == "library":
        return HrfLibrary.default()
    if config.hrf == "canonical":
        return HrfLibrary.canonical()
    return HrfLibrary.from_file(config.hrf, step_s=config.hrf_step_s)


def signal_recipe(config: SignalConfig, store: xr.Dataset, runs: Sequence[int]) -> dict[str, Any]:
    """What determines a signal's store, as plain values."""
    library = hrf_library(config)
    return {
        **config.model_dump(mode="json"),
        "hrf": {
            "name": library.name,
            "shapes": fingerprint(library.shapes.round(6).tolist(), library.step_s),
        },
        "runs": list(runs),
        "of": store.attrs["fingerprint"],
    }


def made_with(path: Path) -> dict[str, Any]:
    """The recipe of a signal's store; empty if it has none."""
    recipe = json.loads(open_store(path).attrs.get("signal_recipe", "{}"))
    return recipe if isinstance(recipe, dict) else {}


def _make_betas(
    store: xr.Dataset,
    out: Path,
    config: SignalConfig,
    runs: Sequence[int],
    hrf: VoxelHrf,
    *,
    recipe: dict[str, Any],
    say: Say,
) -> None:
    """Betas are made beside ``out`` and take its place when they are whole."""
    from tempgen.data.betas import choose_ridge_fractions, make_betas_store

    fraction: Any = config.ridge_fraction
    if config.method == "ridge" and fraction is None:
        fraction = choose_ridge_fractions(store, runs, hrf, basis=config.basis)
    beside = out.with_name(f"{out.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    make_betas_store(
        store, beside, hrf=hrf, method=config.method, basis=config.basis, ridge_fraction=fraction, say=say
    )
    add_to_store(beside, voxel_maps(hrf), attrs={**hrf_notes(hrf), "signal_recipe": json.dumps(recipe)})
    replace_folder(beside, out)
