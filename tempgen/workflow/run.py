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
    folder: Path | str | None = None, *, decoder: str = "ridge", say: Say = print
) -> xr.Dataset:
    """Results of a small simulated subject, made within a minute or two if they are not there.

    For notebooks and doctests that want something to show: simulated data, and named so in every figure.

    Parameters
    ----------
    folder : Path or str, optional
        Where they are, or are made; ``outputs/example`` or ``outputs/dynadiff_example`` unless given.
    decoder : {"ridge", "dynadiff"}
        The latter keeps reconstructions as well.
    """
    name = "example" if decoder == "ridge" else f"{decoder}_example"
    folder = Path("outputs") / name if folder is None else Path(folder)
    analysis = load_analysis(packaged_file("analyses", f"{name}.yaml"), {"folder": str(folder)})
    if not Places(analysis).results.exists():
        say(f"No results were given: a small SIMULATED subject is made in {folder} (a minute or two).")
    return run_analysis(analysis, say=say, with_figures=False)
