"""The command that downloads a subject of the Natural Scenes Dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def download_nsd(
    out: Annotated[Path, typer.Argument(help="Folder that gets NSD's layout.")] = Path("nsd"),
    subject: Annotated[int, typer.Option(help="1 to 8.")] = 1,
    sessions: Annotated[
        str | None,
        typer.Option(help="Sessions: 1..3, 1,2 or 5; default: all.", show_default=False, metavar="SESSIONS"),
    ] = None,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You agree to NSD's terms (for scripts: nobody is asked).")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files and their sizes; download nothing.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=32, help="Files at a time.")] = 4,
) -> None:
    """Download a subject of the Natural Scenes Dataset, what an analysis needs of it.

    BOLD, designs, motion, regions and stimuli come from NSD's public bucket, after you agreed to its terms. Stopped and started
    again, it fetches only what lacks.

    Example: tempgen download-nsd /data/nsd --subject 1 --sessions 1..3 --dry-run
    """
    from tempgen.data import nsd_download
    from tempgen.windows import parse_deltas

    chosen = None if sessions is None else parse_deltas(sessions)
    if dry_run:
        files = nsd_download.files_of_subject(nsd_download.nsd_client(), subject, sessions=chosen)
        for file in files:
            typer.echo(f"{nsd_download.format_bytes(file.size):>10}  {file.key}")
        typer.echo("\n".join(nsd_download.describe_files(files, out)))
        return

    def asked() -> bool:
        typer.echo(f"\n{nsd_download.SUMMARY}\n")
        return sys.stdin.isatty() and typer.confirm("Do you agree to NSD's terms?")

    agreed = True if accept_terms else asked
    nsd_download.download_nsd(out, subject, accept_terms=agreed, sessions=chosen, n_jobs=jobs, say=typer.echo)
