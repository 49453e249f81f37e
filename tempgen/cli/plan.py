"""The command that says what an analysis takes before anything of it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import AnalysisFile, Assignments, load


def plan(
    analysis: Annotated[
        Path | None, typer.Argument(help="Analysis or study; default: tempgen.yaml.", show_default=False)
    ] = None,
    file: AnalysisFile = None,
    device: Annotated[
        str, typer.Option(help="What hours are of: cpu (this machine), a100, h100, h200.")
    ] = "cpu",
    assignments: Assignments = None,
) -> None:
    """Say what an analysis takes before it runs: trials, windows, bytes, memory, operations, hours on a device, tasks.

    Nothing is written. Where the recording is not there, NSD's published numbers stand for it, and it is said.

    Example: tempgen plan analyses/general_vs_specialized_dynadiff.yaml --device h200
    """
    from tempgen.config.files import is_study, parse_assignments, read_mapping
    from tempgen.config.study import load_study
    from tempgen.workflow.planning import get_device, plan_analysis

    chosen, given = get_device(device), analysis or file
    if given is not None and given.is_file() and is_study(read_mapping(given)):
        study = load_study(given, parse_assignments(assignments or []))
        typer.echo(study.summary())
        hours, flop = 0.0, 0.0
        for member in study.members():
            trains = member.trained_in == member.analysis.output_folder
            made = plan_analysis(member.analysis, chosen, trains=trains)
            hours, flop = hours + made.hours, flop + made.flop
            typer.echo(f"--- {member.label}\n{made.describe()}")
        typer.echo(f"all of the study: {flop / 1e12:,.4g} TFLOP, {hours:,.3g} hours on one {chosen.name}")
        return
    typer.echo(plan_analysis(load(given, assignments), chosen).describe())
