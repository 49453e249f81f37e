"""The command that writes a result as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    results: Annotated[Path, typer.Argument(help="A result, or the folder of an analysis.")],
    out: Annotated[
        Path | None,
        typer.Argument(help="The file to write; default: report.html beside the result.", show_default=False),
    ] = None,
    without_images: Annotated[
        bool,
        typer.Option(
            "--without-images",
            help="Leave seen and reconstructed images out, which a dataset's terms may ask.",
        ),
    ] = False,
) -> None:
    """Write a result as one HTML file to mail: figures, tables, verdicts, and how it was made.

    Example: tempgen report outputs/demo demo.html
    """
    from tempgen.workflow.report import write_report

    write_report(results, out, with_images=not without_images, say=typer.echo)
