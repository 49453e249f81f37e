"""Options that several commands share, and the analysis that they make up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

AnalysisFile = Annotated[
    Path | None,
    typer.Option(
        "--analysis",
        "-a",
        help="Analysis file; default: tempgen.yaml here, else the demo's.",
        show_default=False,
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Override a key, e.g. -s split.seed=3.", show_default=False
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make again what another analysis left in the folder.")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Runs at a time; default: all cores.", show_default=False),
]
Delta = Annotated[
    str | None,
    typer.Option("--delta", help="Lags in TRs: -2..13, -3,0,3 or 5.", show_default=False, metavar="LAGS"),
]
TrainDelta = Annotated[
    str | None,
    typer.Option(
        "--train-delta", help="Train lags that are scored; default: all.", show_default=False, metavar="LAGS"
    ),
]

Decoder = Annotated[
    str | None,
    typer.Option(
        "--decoder", help="ridge or dynadiff, instead of the file's.", show_default=False, metavar="KIND"
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="Diffusion model: scenes, versatile-diffusion or a folder.",
        show_default=False,
        metavar="NAME",
    ),
]
SuiteName = Annotated[
    str | None,
    typer.Option(
        "--suite",
        help="Metrics: pixels, scenes, paper, mindeye, brain-diffuser; default: scenes for simulated subjects, else pixels.",
        show_default=False,
        metavar="NAME",
    ),
]


def load(file: Path | None, assignments: list[str] | None, **overrides: Any) -> Any:
    """The analysis, with a word on where it came from."""
    from tempgen.config import load_analysis
    from tempgen.config.files import DEFAULT_FILE, parse_assignments

    given = {key.replace("__", "."): value for key, value in overrides.items() if value is not None}
    analysis = load_analysis(file, {**parse_assignments(assignments or []), **given})
    if file is None and not DEFAULT_FILE.is_file() and analysis.data.source == "simulated":
        typer.echo(
            "no analysis file given: this is the demo's SIMULATED subject (write your own with 'tempgen init')"
        )
    return analysis


def load_study(file: Path | None, assignments: list[str] | None, **overrides: Any) -> Any:
    """The study that a file describes, if it is one; None of one analysis, and where there is no file."""
    from tempgen.config.files import DEFAULT_FILE, is_study, parse_assignments, read_mapping
    from tempgen.config.study import load_study

    file = DEFAULT_FILE if file is None else file
    if not file.is_file() or not is_study(read_mapping(file)):
        return None
    given = {key.replace("__", "."): value for key, value in overrides.items() if value is not None}
    return load_study(file, {**parse_assignments(assignments or []), **given})
