"""Step 5 of an analysis: execute its notebook, which writes the figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from tempgen.config import Analysis
from tempgen.config.decoder import makes_images_by_diffusion
from tempgen.config.files import packaged_file
from tempgen.errors import ConfigError, ResultsError
from tempgen.files import whole_file
from tempgen.plots.faces import FACES_HINT, can_blur_faces
from tempgen.results import metrics_of, open_results
from tempgen.workflow.places import Places, is_done
from tempgen.workflow.recording import Say

NOTEBOOK = "general_vs_specialized.ipynb"
DIFFUSION_NOTEBOOK = "dynadiff.ipynb"
"""Of decoders that make images by diffusion: reconstructions beside the curves."""


def draw_figures(analysis: Analysis, *, say: Say = print, overwrite: bool = False) -> list[Path]:
    """Execute the notebook on the analysis' result; figures and the executed notebook land in its figures folder.

    Figures that are newer than the results and were drawn with the same settings are kept.

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
    diffusion = makes_images_by_diffusion(analysis.decoder)
    notebook = DIFFUSION_NOTEBOOK if diffusion else NOTEBOOK
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
    if diffusion:
        parameters["results"] = str(places.folder.resolve())
        parameters |= {
            "beside": _beside(config.beside, say),
            "n_trials": config.n_trials,
            "blur_faces": _blur_faces(config.blur_faces, say),
        }
    drawn = [places.results, places.reconstructions]
    if parameters.get("beside"):
        beside = Path(str(parameters["beside"]))
        drawn += [beside / "results.zarr", beside / "reconstructions.zarr"]
    return draw_notebook(notebook, places.figures, parameters, sources=drawn, say=say, overwrite=overwrite)


def draw_notebook(
    notebook: str,
    folder: Path,
    parameters: dict[str, Any],
    *,
    sources: Sequence[Path],
    say: Say = print,
    overwrite: bool = False,
) -> list[Path]:
    """Execute a notebook of the package; its figures and the executed notebook land in a folder.

    Figures that are newer than what they show and than the package's notebook, and were drawn with the same parameters, are
    kept; else those of before go.

    Parameters
    ----------
    notebook : str
        File name below ``notebooks``.
    folder : Path
    parameters : dict
        Of its cell tagged ``parameters``.
    sources : sequence of Path
        What the notebook shows, as far as it exists.

    Raises
    ------
    ResultsError
        If the notebook stops.
    ConfigError
        If there is no such notebook or papermill is not installed.
    """
    executed, source = folder / notebook, packaged_file("notebooks", notebook)
    if not overwrite and _is_drawn(executed, parameters, [source, *sources]):
        say(f"{folder} is done")
        return _figures_in(folder)
    try:
        import papermill
    except ImportError as error:
        raise ConfigError(
            "Figures are made by a notebook, which needs papermill: pip install 'tempgen[notebooks]'."
        ) from error
    for old in (executed, *_figures_in(folder)):  # the notebook first: where it is, its figures are whole
        old.unlink(missing_ok=True)
    with whole_file(executed) as temporary:
        try:
            papermill.execute_notebook(
                str(source),
                str(temporary),
                parameters=parameters,
                progress_bar=False,
                log_output=False,
                kernel_name="python3",
                extra_arguments=["--log-level=CRITICAL"],  # what fails in a cell is raised here all the same
            )
        except papermill.PapermillExecutionError as error:
            raise ResultsError(f"The notebook {notebook} stopped: {error.ename}: {error.evalue}") from error
    figures = _figures_in(folder)
    say("figures:\n" + "\n".join(f"  {path}" for path in figures))
    return figures


def _blur_faces(wanted: bool, say: Say) -> bool:
    """Whether faces are blurred in what is drawn: if it is wanted and can be done."""
    if wanted and not can_blur_faces():
        say(f"figures.blur_faces: {FACES_HINT}")
    return wanted and can_blur_faces()


def _beside(folder: Path | None, say: Say) -> str:
    """The other analysis' folder for the notebook; empty if there is none, or it has no result yet."""
    if folder is None:
        return ""
    if not (folder / "results.zarr").exists():
        say(
            f"{folder} (figures.beside) has no result and is left out of the figures: run its analysis, then 'tempgen figures'"
        )
        return ""
    return str(folder.resolve())


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


def _is_drawn(executed: Path, parameters: dict[str, Any], sources: Sequence[Path]) -> bool:
    """Whether the notebook was executed with these parameters, after what it draws was written."""
    written = [path.stat().st_mtime for path in sources if path.exists()]
    if not executed.exists() or executed.stat().st_mtime <= max(written, default=0.0):
        return False
    metadata = json.loads(executed.read_text(encoding="utf-8"))["metadata"]
    return bool(metadata.get("papermill", {}).get("parameters") == parameters)


def _figures_in(folder: Path) -> list[Path]:
    return sorted(path for suffix in ("png", "svg", "pdf") for path in folder.glob(f"*.{suffix}"))
