"""Figures on disk: PNG to look at, SVG to edit, the same bytes for the same figure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempgen.errors import ResultsError
from tempgen.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_figure"]

PNG_DPI = 300  # what journals ask of half-tone figures

# no time, no version: two runs of one analysis give the same files
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text, to be edited and searched
    "svg.hashsalt": "tempgen",  # names inside the file do not change from run to run
    "pdf.fonttype": 42,
}


def save_figure(figure: Figure, stem: Path | str, *, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write a figure in several formats, all of them or none.

    Parameters
    ----------
    figure : Figure
    stem : Path or str
        Path without suffix; the folder is made if need be. Existing files are replaced.
    formats : sequence of str
        Of ``"png"`` (300 dots per inch), ``"svg"`` and ``"pdf"``.

    Returns
    -------
    list of Path
        The files, in the order of ``formats``.

    Raises
    ------
    ResultsError
        If a format is not one of these, or none is given.
    """
    import matplotlib as mpl

    unknown = [name for name in formats if name not in _METADATA]
    if unknown or not formats:
        raise ResultsError(f"Figures can be written as {', '.join(_METADATA)}; got {list(formats)}.")
    stem = Path(stem)
    paths = [stem.with_name(f"{stem.name}.{name}") for name in formats]
    # the files take their places only when all of them are drawn
    with ExitStack() as whole, mpl.rc_context(_SETTINGS):
        temporaries = [whole.enter_context(whole_file(path)) for path in paths]
        for temporary, name in zip(temporaries, formats, strict=True):
            figure.savefig(temporary, format=name, dpi=PNG_DPI, metadata=_METADATA[name])
    return paths
