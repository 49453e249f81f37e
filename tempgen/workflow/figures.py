"""Step 5 of an analysis: execute its notebook, which writes the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xarray as xr

from tempgen.config import Analysis
from tempgen.config.files import packaged_file
from tempgen.errors import ConfigError, ResultsError
from tempgen.files import whole_file
from tempgen.results import metrics_of, open_results
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.recording import Say

NOTEBOOK = "general_vs_specialized.ipynb"


def draw_figures(analysis: Analysis, *, say: Say = print, overwrite: bool = False) -> list[Path]:
    """Execute the notebook on the analysis' result; figures and the executed notebook land in its figures folder.

    Figures that are newer than the result and were drawn with the same settings are kept.

    Raises
    ------
    ResultsError
        If there is no result yet, or the notebook stops on it.
    ConfigError
        If papermill is not installed, or the result is of another analysis.
    """
    places = Places(analysis)
    if not places.results.exists():
        raise ResultsError(f"There is no result {places.results}: run 'tempgen evaluate' first.")
    executed = places.figures / NOTEBOOK
    config = analysis.figures
    results = open_results(places.results)
    _check_result(results, analysis, places.results)
    parameters = {
        "results": str(places.results.resolve()),
        "figures": str(places.figures.resolve()),
        "metrics": list(config.metrics or ()),
        "n_draws": config.n_draws,
        "level": config.level,
        "formats": list(config.formats),
    }
    if not overwrite and _is_drawn(executed, parameters, results=places.results):
        say(f"{places.figures} is done")
        return _figures_in(places.figures)
    try:
        import papermill
    except ImportError as error:
        raise ConfigError(
            "Figures are made by a notebook, which needs papermill: pip install 'tempgen[notebooks]'."
        ) from error
    with whole_file(executed) as temporary:
        for old in _figures_in(places.figures):
            old.unlink()
        try:
            papermill.execute_notebook(
                str(packaged_file("notebooks", NOTEBOOK)),
                str(temporary),
                parameters=parameters,
                progress_bar=False,
                log_output=False,
                kernel_name="python3",
                extra_arguments=["--log-level=CRITICAL"],  # what fails in a cell is raised here all the same
            )
        except papermill.PapermillExecutionError as error:
            raise ResultsError(f"The notebook {NOTEBOOK} stopped: {error.ename}: {error.evalue}") from error
    figures = _figures_in(places.figures)
    say("figures:\n" + "\n".join(f"  {path}" for path in figures))
    return figures


def _check_result(results: xr.Dataset, analysis: Analysis, path: Path) -> None:
    made_with, wanted = json.loads(results.attrs["analysis"]), analysis.model_dump(mode="json")
    for section in ("name", "folder", "figures"):
        made_with.pop(section), wanted.pop(section)
    is_done(made_with, wanted, what=path, overwrite=False, remake="tempgen evaluate")
    unknown = set(analysis.figures.metrics or ()) - set(metrics_of(results))
    if unknown:
        raise ConfigError(
            f"figures.metrics names {sorted(unknown)}; the result has: {', '.join(metrics_of(results))}."
        )


def _is_drawn(executed: Path, parameters: dict[str, Any], *, results: Path) -> bool:
    """Whether the notebook was executed with these parameters, after the result was written."""
    if not executed.exists() or executed.stat().st_mtime <= results.stat().st_mtime:
        return False
    metadata = json.loads(executed.read_text(encoding="utf-8"))["metadata"]
    return bool(metadata.get("papermill", {}).get("parameters") == parameters)


def _figures_in(folder: Path) -> list[Path]:
    return sorted(path for suffix in ("png", "svg", "pdf") for path in folder.glob(f"*.{suffix}"))
