"""The commands that begin an analysis, by its file, and that do all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.launch_options import DryRun, Launcher, Resources, launch
from tempgen.cli.options import (
    AnalysisFile,
    Assignments,
    Backbone,
    Decoder,
    Jobs,
    Overwrite,
    load,
    load_study,
)


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("tempgen.yaml"),
    source: Annotated[str, typer.Option(help="simulated, nsd or bids.")] = "simulated",
    data: Annotated[
        Path | None, typer.Option(help="Root of the dataset (nsd, bids).", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the analysis.")] = "my-analysis",
    decoder: Annotated[str, typer.Option(help="ridge or dynadiff.")] = "ridge",
) -> None:
    """Write a commented analysis file.

    Example: tempgen init tempgen.yaml --source nsd --data /data/nsd
    """
    from tempgen.config import write_analysis

    written = write_analysis(path, source=source, data=data, name=name, decoder=decoder)
    typer.echo(f"wrote {written}: edit it, then 'tempgen run {path}'")


def run(
    analysis: Annotated[
        Path | None, typer.Argument(help="Analysis file; default: tempgen.yaml.", show_default=False)
    ] = None,
    file: AnalysisFile = None,
    decoder: Decoder = None,
    backbone: Backbone = None,
    assignments: Assignments = None,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    launcher: Launcher = None,
    resources: Resources = None,
    dry_run: DryRun = False,
) -> None:
    """Do every step of an analysis, skipping what is done; of a study, all its analyses.

    Example: tempgen run analyses/demo.yaml
    """
    from tempgen.workflow import run_analysis

    study = load_study(analysis or file, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    if study is not None:
        from tempgen.workflow.study import run_study, write_study
        from tempgen.workflow.sweep import study_parts

        parts = study_parts(study)
        if not dry_run:
            write_study(study)
        if launch(parts, launcher, resources, dry_run=dry_run, overwrite=overwrite):
            run_study(study, say=typer.echo, n_jobs=jobs, overwrite=overwrite)
        return
    loaded = load(analysis or file, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    if launch([loaded], launcher, resources, dry_run=dry_run, overwrite=overwrite):
        run_analysis(loaded, say=typer.echo, n_jobs=jobs, overwrite=overwrite)
