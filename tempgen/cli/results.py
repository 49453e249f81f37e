"""The commands that draw a result and write it as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import AnalysisFile, Assignments, Backbone, Decoder, Overwrite, load, load_study


def figures(
    decoder: Decoder = None,
    backbone: Backbone = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw metric-by-lag curves, the generalization matrix and, where they are kept, reconstructions.

    Example: tempgen figures
    """
    from tempgen.workflow import draw_figures

    study = load_study(analysis, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    if study is not None:
        from tempgen.workflow.study import draw_study

        draw_study(study, say=typer.echo, overwrite=overwrite)
        return
    loaded = load(analysis, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    draw_figures(loaded, say=typer.echo, overwrite=overwrite)


def export(
    results: Annotated[Path, typer.Argument(help="A result, or the folder of an analysis.")],
    out: Annotated[Path, typer.Argument(help="The netCDF file to write.")],
) -> None:
    """Write a result as one netCDF file to mail.

    Example: tempgen export outputs/demo demo.nc
    """
    from tempgen.results import export_netcdf, open_results

    typer.echo(f"wrote {export_netcdf(open_results(results), out)}")
