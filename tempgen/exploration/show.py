"""Open results to be looked into: in JupyterLab with widgets, elsewhere as a figure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tempgen.exploration.drawing import draw_view
from tempgen.exploration.entries import Results, open_entries
from tempgen.exploration.model import Exploration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tempgen.exploration.view import ExplorationView

__all__ = ["explore"]

WIDGETS = ("ipywidgets", "plotly", "anywidget")
"""Packages of the extra ``explore``; plotly's figures are anywidgets."""


def explore(
    results: Results | Sequence[Results], *, folder: Path | str | None = None
) -> ExplorationView | Figure:
    """Look into results: choose a lag or a cell of the matrix, and see the trials behind it.

    In JupyterLab: click (or hover over) a point of a curve or a cell; select trials in the strip of scores; save the view
    as PNG and CSV in the working directory. Without a notebook or without the widgets' packages, the first view comes as
    a figure, and a line says what is missing.

    Parameters
    ----------
    results : path, Dataset or sequence of them
        What `tempgen.open_results` takes or gives. With several (subjects, decoders, regions), or with further dimensions,
        there is a menu for whatever tells them apart.
    folder : path, optional
        Folder of the analysis whose ``store.zarr`` and ``reconstructions.zarr`` show the images; by default that of each
        path.

    Returns
    -------
    ExplorationView or Figure
        The view's attribute ``exploration`` holds what is chosen, for further analysis.

    Raises
    ------
    ResultsError
        If there is no result.
    """
    exploration = Exploration(open_entries(results, folder=folder))
    missing = [name for name in WIDGETS if find_spec(name) is None]
    if missing or not _in_notebook():
        why = (
            f"{' and '.join(missing)} not installed (pip install 'tempgen[explore]')"
            if missing
            else "not in a notebook (run this in JupyterLab)"
        )
        print(f"A static figure instead of the interactive view: {why}.")
        return draw_view(exploration)
    from tempgen.exploration.view import ExplorationView

    return ExplorationView(exploration)


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; IPython in a terminal has none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
