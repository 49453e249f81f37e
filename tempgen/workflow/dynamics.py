"""Dynamic code or overlap of haemodynamic responses: every method on one recording, and what they say together.

Folder below the analysis' own::

    dynamics/METHOD.zarr      what a method made; kept, and made again only if what it is made with changed
    dynamics/verdict.json     what each says, written whole when all are through
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempgen._version import __version__
from tempgen.config import Analysis, load_analysis, validate
from tempgen.config.dynamics import DynamicsConfig
from tempgen.config.files import fingerprint, packaged_file
from tempgen.data.decoder_inputs import DecoderInputs
from tempgen.errors import ConfigError
from tempgen.files import whole_file, whole_folder, write_zarr
from tempgen.generalization.static_null import Finding, judge_together
from tempgen.workflow.dynamics_result import (
    FOLDER,
    VERDICT,
    DynamicsResult,
    draw_dynamics,
    open_dynamics,
    verdict_table,
)
from tempgen.workflow.dynamics_steps import DynamicsSubject, judge_method
from tempgen.workflow.encoding_features import encoding_features
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.signal import hrf_library

__all__ = [
    "DynamicsResult",
    "draw_dynamics",
    "example_dynamics",
    "open_dynamics",
    "run_dynamics",
    "verdict_table",
]

_JUDGE_ALONE = {"static_below", "dynamic_above", "negligible"}
_OF_METHOD: dict[str, set[str]] = {
    "raw": {
        "n_surrogates",
        "n_bootstrap",
        "n_lags",
        "hrf",
        "hrf_step_s",
        "duration_s",
        "min_separation",
        "alpha",
    },
    "deconvolved": {"n_surrogates", "n_bootstrap", "n_lags", "min_separation", "alpha"},
    "separability": {"n_surrogates", "hrf", "hrf_step_s", "duration_s", "min_separation"},
    "static_null": {"n_bootstrap", "hrf", "hrf_step_s", "duration_s", "alpha"},
}
"""Keys that do not change what a method makes."""
_COPIES = 4
"""Of the BOLD, that the static null holds at a time: recorded, without drift, a surrogate and one of that."""


def run_dynamics(
    analysis: Analysis,
    rules: DynamicsConfig | None = None,
    *,
    store: xr.Dataset | None = None,
    say: Say = print,
    overwrite: bool = False,
) -> DynamicsResult:
    """Ask every method whether the code of a recording is dynamic; what is done is kept.

    Parameters
    ----------
    analysis : Analysis
        Its recording, its split by run and its voxels.
    rules : DynamicsConfig, optional
    store : Dataset, optional
        The analysis' store of BOLD; prepared if None.
    overwrite : bool
        Make again what was made otherwise.

    Raises
    ------
    ConfigError
        If the analysis decodes another signal than BOLD, the memory is too small, or a result that was made otherwise is there.
    """
    rules = rules or DynamicsConfig()
    if analysis.signal.kind != "bold" or analysis.inputs.kind != "bold":
        raise ConfigError(
            f"signal.kind is {analysis.signal.kind}, inputs.kind {analysis.inputs.kind}: 'tempgen dynamics' starts from BOLD and "
            "deconvolves it by itself (dynamics.hrf)."
        )
    if store is None:
        store = prepare_recording(analysis, say=say, overwrite=overwrite)
    columns = DecoderInputs.of(store, analysis.inputs).columns
    chosen = store if columns is None else store.isel(voxel=np.flatnonzero(columns))
    _check_memory(chosen)
    chosen = chosen.assign(bold=chosen["bold"].load())  # every method reads all of it
    places = Places(analysis)
    features = encoding_features(store, rules.encoding, dataset=places.dataset, encoded=places.encoded)
    subject = DynamicsSubject(chosen, features, rules, analysis.split)
    makers: dict[str, Callable[[], xr.Dataset]] = {
        "raw": subject.bold_matrix,
        "deconvolved": subject.deconvolved_matrix,
        "separability": subject.separability,
        "static_null": subject.static_null,
    }
    folder = analysis.output_folder / FOLDER
    findings: dict[str, Finding] = {}
    made: dict[str, xr.Dataset] = {}
    for method, make in makers.items():
        recipe = _recipe(method, analysis, rules, subject)
        made[method] = _kept(folder / f"{method}.zarr", recipe, make, overwrite=overwrite)
        if method == "deconvolved":
            _say_hrf(made[method], say)
        findings[method] = judge_method(method, made[method], rules)
        say(f"{method}: {findings[method].verdict}. {findings[method].reason}")
    together = judge_together(findings)
    say(f"{analysis.name}: {together.verdict.upper()}. {together.reason}")
    _write_verdict(folder / VERDICT, findings | {"together": together}, analysis, chosen)
    return open_dynamics(analysis.output_folder)


def example_dynamics(folder: Path | str | None = None, *, say: Say = print) -> dict[str, DynamicsResult]:
    """The three codes of SIMULATED subjects, small ones, made within two minutes if they are not there.

    Parameters
    ----------
    folder : Path or str, optional
        Where they are, or are made; ``outputs/dynamic_or_overlap`` unless given.

    Returns
    -------
    dict of code to DynamicsResult
    """
    folder = Path("outputs") / "dynamic_or_overlap" if folder is None else Path(folder)
    path = packaged_file("analyses", "dynamic_or_overlap.yaml")
    rules = validate(DynamicsConfig, {"n_surrogates": 39, "n_bootstrap": 39}, origin="the example")
    made = {}
    for code in ("static", "sustained", "rotating"):
        place = folder / code
        analysis = load_analysis(path, {"name": code, "folder": str(place), "data.simulate.code": code})
        if not (place / FOLDER / VERDICT).is_file():
            say(f"A SIMULATED subject with a {code} code is made in {place}.")
        made[code] = run_dynamics(analysis, rules, say=say)
        shutil.rmtree(place / "simulated", ignore_errors=True)
    return made


def _recipe(
    method: str, analysis: Analysis, rules: DynamicsConfig, subject: DynamicsSubject
) -> dict[str, Any]:
    """What determines a method's dataset, as plain values."""
    features = subject.features
    return {
        "store": subject.store.attrs["fingerprint"],
        "n_voxels": subject.store.sizes["voxel"],
        "voxels_where": analysis.inputs.voxels_where,
        "split": {**analysis.split.recipe(), "trials": subject.split.fingerprint},
        "features": fingerprint(features.index.tolist(), features.round(6).to_numpy().tolist()),
        **(_own_hrfs(rules) if method == "deconvolved" else {}),
        "rules": rules.model_dump(
            mode="json", exclude=_JUDGE_ALONE | {"features", "n_features"} | _OF_METHOD[method]
        ),
    }


def _check_memory(store: xr.Dataset) -> None:
    """Refuse, before anything is read, what this machine would be killed for."""
    needed = _COPIES * 4 * store["bold"].size
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ConfigError(
            f"BOLD of {store.sizes['run']} runs x {store.sizes['voxel']:,} voxels is held {_COPIES} times in memory, {needed / 2**30:.0f} "
            f"GiB, and this machine has {memory / 2**30:.0f} GiB: choose voxels (inputs.voxels_where)."
        )


def _own_hrfs(rules: DynamicsConfig) -> dict[str, str]:
    """What a file of HRFs holds; its name in the rules does not say that."""
    if rules.hrf in ("library", "canonical"):
        return {}
    return {"hrf_shapes": fingerprint(hrf_library(rules.signal).shapes.round(6).tolist())}


def _kept(
    path: Path, recipe: Mapping[str, Any], make: Callable[[], xr.Dataset], *, overwrite: bool
) -> xr.Dataset:
    """What is there, if it was made with this recipe; else made and written, whole or not at all."""
    if path.exists():
        there = xr.open_zarr(path, consolidated=False, chunks=None).load()
        made_with = json.loads(there.attrs["recipe"])
        if is_done(made_with, recipe, what=path, overwrite=overwrite, remake="tempgen dynamics"):
            return there
    made = make().assign_attrs(recipe=json.dumps(recipe, sort_keys=True), tempgen_version=__version__)
    path.with_name(VERDICT).unlink(missing_ok=True)  # judged without this one
    with whole_folder(path) as temporary:
        write_zarr(made, temporary)
    return made


def _say_hrf(deconvolved: xr.Dataset, say: Say) -> None:
    for line in str(deconvolved.attrs["hrf"]).splitlines():
        say(f"  {line}")
    if deconvolved.attrs["caution"]:
        say(f"  caution: {deconvolved.attrs['caution']}")


def _write_verdict(
    path: Path, findings: Mapping[str, Finding], analysis: Analysis, store: xr.Dataset
) -> None:
    rows = {
        name: {
            field: None if isinstance(value, float) and np.isnan(value) else value
            for field, value in finding._asdict().items()
        }
        for name, finding in findings.items()
    }
    content = {
        "title": f"tempgen: dynamics of {analysis.name}",
        "tempgen_version": __version__,
        "subject": str(store.attrs["subject"]),
        "data_kind": str(store.attrs["data_kind"]),
        "findings": rows,
    }
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
