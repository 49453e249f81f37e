"""The command that calibrates tests, intervals and latencies on simulated truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import Assignments


def validate(
    out: Annotated[Path, typer.Argument(help="Folder of the calibration.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Conditions; default: the packaged ones.", show_default=False),
    ] = None,
    conditions: Annotated[
        str | None,
        typer.Option(
            help="Some of the conditions, joined by commas; default: all.",
            show_default=False,
            metavar="NAMES",
        ),
    ] = None,
    short: Annotated[
        bool, typer.Option("--short", help="Two data sets a condition: whether everything runs.")
    ] = False,
    assignments: Assignments = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="Data sets at a time; default: one for each core.", show_default=False
        ),
    ] = None,
) -> None:
    """Calibrate the statistics: simulate many subjects, analyse each, count false positives, power and coverage.

    All data are SIMULATED. Every data set is a small file below OUT; stopped, the same command goes on from there, and more
    can be asked for later. Shows the rates without signal, or (of a calibration with dynamics: analyses/validate_dynamics.yaml) how often
    each method tells a dynamic code from overlap, also drawn as OUT/classification.png; OUT/tables.md has all, OUT/calibration.nc the
    numbers.

    Example: tempgen validate outputs/validate --short
    """
    from tempgen.config.files import parse_assignments
    from tempgen.config.validation import load_validation
    from tempgen.generalization.validation import calibration_tables, classification_table
    from tempgen.workflow.validation import run_validation

    config = load_validation(file, parse_assignments(assignments or []))
    if conditions is not None:
        config = config.only(tuple(name.strip() for name in conditions.split(",")))
    config = config.short() if short else config
    typer.echo(f"{config.n_datasets} SIMULATED data sets of {len(config.conditions)} conditions in {out}")
    summary = run_validation(config, out, n_jobs=jobs, say=typer.echo)
    if config.dynamics is not None:
        typer.echo(classification_table(summary).round(3).to_string(index=False))
        return
    table = calibration_tables(summary)["rejection"]
    known = table[table["contains_alpha"].notnull()]
    columns = ["condition", "test", "decoder", "metric", "rate", "low", "high", "n", "contains_alpha"]
    if len(known):
        typer.echo(known[columns].round(3).to_string(index=False))
