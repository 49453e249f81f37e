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
    with_images: Annotated[
        bool | None,
        typer.Option(
            "--with-images/--without-images",
            help="Show seen and reconstructed images; default: of simulated subjects alone, as a dataset's terms may forbid it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a result as one HTML file to mail: figures, tables, verdicts, and how it was made.

    Example: tempgen report outputs/demo demo.html
    """
    from tempgen.workflow.report import write_report

    write_report(results, out, with_images=with_images, say=typer.echo)
