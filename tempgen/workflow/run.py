"""All steps of an analysis in order, skipping what is done."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from tempgen.config import Analysis, load_analysis
from tempgen.config.files import packaged_file
from tempgen.workflow.evaluation import evaluate_decoders
from tempgen.workflow.figures import draw_figures
from tempgen.workflow.places import Places
from tempgen.workflow.recording import Say, prepare_recording
from tempgen.workflow.training import train_decoders


def run_analysis(
    analysis: Analysis,
    *,
    say: Say = print,
    n_jobs: int | None = None,
    overwrite: bool = False,
    with_figures: bool = True,
) -> xr.Dataset:
    """Recording, store, decoders, scores, figures.

    Parameters
    ----------
    analysis : Analysis
    n_jobs : int or None
        Runs prepared at a time.
    overwrite : bool
        Make again what another analysis made in the same folder.
    with_figures : bool
        Execute the notebook at the end.

    Returns
    -------
    xarray.Dataset
        The result, as :func:`tempgen.results.open_results` gives it.
    """
    say(analysis.summary())
    store = prepare_recording(analysis, say=say, n_jobs=n_jobs, overwrite=overwrite)
    train_decoders(analysis, analysis.fitted_deltas, store=store, say=say, overwrite=overwrite)
    results = evaluate_decoders(analysis, store=store, say=say, overwrite=overwrite)
    if with_figures:
        draw_figures(analysis, say=say, overwrite=overwrite)
    return results


def example_results(
    folder: Path | str | None = None,
    *,
    decoder: str = "ridge",
    analysis: str | None = None,
    say: Say = print,
) -> xr.Dataset:
    """Results of a small simulated subject, made within a minute or two if they are not there.

    For notebooks and doctests that want something to show: simulated data, and named so in every figure.

    Parameters
    ----------
    folder : Path or str, optional
        Where they are, or are made; ``outputs/NAME`` unless given, NAME that of the analysis.
    decoder : {"ridge", "dynadiff"}
        The analysis is ``example`` or ``dynadiff_example``. The latter keeps reconstructions as well.
    analysis : str, optional
        Another file of ``analyses`` instead, without ``.yaml``.
    """
    name = analysis or ("example" if decoder == "ridge" else f"{decoder}_example")
    chosen = _example(name, folder)
    if not Places(chosen).results.exists():
        _say_simulated("results", chosen, say)
    return run_analysis(chosen, say=say, with_figures=False)


def example_store(folder: Path | str | None = None, *, say: Say = print) -> xr.Dataset:
    """Store of a small simulated recording with the motion of the head, made within seconds if it is not there.

    Parameters
    ----------
    folder : Path or str, optional
        Where it is, or is made; ``outputs/data_quality-small`` unless given.
    """
    chosen = _example("data_quality-small", folder)
    if not Places(chosen).store.exists():
        _say_simulated("store", chosen, say)
    return prepare_recording(chosen, say=say)


def _example(name: str, folder: Path | str | None) -> Analysis:
    where = Path("outputs") / name if folder is None else Path(folder)
    return load_analysis(packaged_file("analyses", f"{name}.yaml"), {"folder": str(where)})


def _say_simulated(what: str, analysis: Analysis, say: Say) -> None:
    where = Places(analysis).folder
    say(
        f"No {what} {'were' if what == 'results' else 'was'} given: a small SIMULATED subject is made in {where} (a minute or two)."
    )
