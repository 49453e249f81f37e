"""The command that shows how far a sweep is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import AnalysisFile, Assignments, load


def status(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of an analysis or a study; default: that of the analysis file.", show_default=False
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show it again until nothing runs.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks, with --follow.", min=0.1)] = 5.0,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
) -> None:
    """Show the tasks of a sweep: done, running, queued, failed (with the last line of the error), time left.

    Looking changes nothing, and Ctrl-C ends the looking alone.

    Example: tempgen status --follow
    """
    import sys
    import time

    from tempgen.sweep.status import GO_ON, status_rows, status_table

    folder = load(analysis, assignments).output_folder if folder is None else folder
    while True:
        rows = status_rows(folder)
        if follow and sys.stdout.isatty():
            typer.echo("\033[2J\033[H", nl=False)  # an empty screen, from its top
        typer.echo(status_table(rows))
        if not follow or not any(row.state in GO_ON for row in rows):
            return
        time.sleep(every)
