"""A report of a result: opened, drawn, put together and written, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from tempgen.files import whole_file
from tempgen.generalization.headline import headline
from tempgen.results import describe_results, open_results
from tempgen.workflow.controls import FILE, open_controls
from tempgen.workflow.recording import Say
from tempgen.workflow.report.figures import (
    curves_section,
    matrix_section,
    reconstructions_section,
    targets_section,
)
from tempgen.workflow.report.html import Section, document, paragraphs
from tempgen.workflow.report.tables import controls_section, making_section, summary_section

__all__ = ["write_report"]

NAME = "report.html"


def write_report(
    results: Path | str, out: Path | str | None = None, *, with_images: bool | None = None, say: Say = print
) -> Path:
    """Write one self-contained HTML file about a result, to be read, printed and mailed.

    Parameters
    ----------
    results : Path or str
        What `tempgen.open_results` takes; reconstructions and controls' verdicts are found beside it.
    out : Path or str, optional
        The file; by default ``report.html`` beside a result, ``NAME.html`` beside a netCDF file ``NAME.nc``.
    with_images : bool, optional
        Whether seen and reconstructed images are shown; unless given, those of simulated subjects alone: a dataset's terms
        may forbid passing its images on, and people may be seen in them.

    Returns
    -------
    Path
        The file. The same result gives the same bytes.

    Raises
    ------
    ResultsError
        If there is no result.
    """
    opened = open_results(results)
    home = _home(Path(results))
    path = Path(out) if out is not None else _beside(Path(results), home)
    lines = describe_results(opened).splitlines()
    is_simulated = opened.attrs["data_kind"] == "simulated"
    shows = is_simulated if with_images is None else with_images
    page = document(
        title=lines[0],
        kind=str(opened.attrs["data_kind"]),
        lead=paragraphs(lines[1:], kind="lead") + paragraphs(headline(opened)),
        sections=list(_sections(opened, home, with_images=shows)),
    )
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if not is_simulated and _has_images(home):
        say(
            "It shows images of the dataset: its terms say whether they may be passed on."
            if shows
            else "Images of the dataset are left out; --with-images shows them, if its terms let you pass them on."
        )
    return path


def _sections(results: xr.Dataset, home: Path, *, with_images: bool) -> Iterator[Section]:
    yield from curves_section(results)
    if results.sizes["target"] > 1:
        yield from targets_section(results)
    yield summary_section(results)
    yield matrix_section(results)
    if with_images and _has_images(home):
        yield from reconstructions_section(results, home)
    if (home / FILE).exists():
        yield controls_section(open_controls(home))
    yield making_section(results)


def _has_images(home: Path) -> bool:
    return (home / "reconstructions.zarr").exists()


def _home(path: Path) -> Path:
    """The folder of the analysis."""
    return path if (path / "results.zarr").exists() else path.parent


def _beside(path: Path, home: Path) -> Path:
    return path.with_suffix(".html") if path.is_file() else home / NAME
