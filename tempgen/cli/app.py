"""The commands, in the order in which an analysis uses them. Heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tempgen.errors import TempgenError

INTERRUPTED = 130
"""Exit status after Ctrl-C. Source: 128 + SIGINT, the shells' convention."""
DATA, DECODERS, REPORT = "1. The recording", "2. The decoders", "3. The result"

app = typer.Typer(
    name="tempgen",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help=(
        "When, and in which code, is an image present in brain activity?\n\n"
        "An analysis is one YAML file. **tempgen init** writes it, **tempgen run** does all of it: prepare the recording "
        "(or simulate one), train a decoder at each lag, evaluate every decoder at shifted windows, draw the figures. "
        "Each step is a command of its own, below in their order; all take the same file (tempgen.yaml of the current "
        "folder, else the demo's simulated subject) and skip what is done.\n\n"
        "Try: **tempgen train-specialized --delta -2..13**"
    ),
)

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


def _load(file: Path | None, assignments: list[str] | None, **overrides: Any) -> Any:
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


@app.command(rich_help_panel=DATA)
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("tempgen.yaml"),
    source: Annotated[str, typer.Option(help="simulated, nsd or bids.")] = "simulated",
    data: Annotated[
        Path | None, typer.Option(help="Root of the dataset (nsd, bids).", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the analysis.")] = "my-analysis",
) -> None:
    """Write a commented analysis file.

    Example: tempgen init tempgen.yaml --source nsd --data /data/nsd
    """
    from tempgen.config import write_analysis

    typer.echo(
        f"wrote {write_analysis(path, source=source, data=data, name=name)}: edit it, then 'tempgen run {path}'"
    )


@app.command(rich_help_panel=DATA)
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder that gets NSD's layout.")],
    subjects: Annotated[str, typer.Option(help="Which of NSD's eight: 1, 1,2 or 1..4.")] = "1",
    assignments: Assignments = None,
) -> None:
    """Write simulated subjects, with a known answer, in NSD's own layout.

    Example: tempgen simulate outputs/twins --subjects 1,2 --set code=static --set snr=0.5
    """
    from tempgen.config import validate
    from tempgen.config.files import parse_assignments
    from tempgen.config.simulation import SimulationConfig
    from tempgen.data.simulate import simulate_nsd
    from tempgen.windows import parse_deltas

    config = validate(SimulationConfig, parse_assignments(assignments or []), origin="the simulation (--set)")
    simulate_nsd(out, config, subjects=parse_deltas(subjects))
    typer.echo(f"SIMULATED subjects {subjects} with a {config.code} code: {out}")


@app.command(rich_help_panel=DATA)
def prepare(
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
) -> None:
    """Clean and z-score a recording (NSD, BIDS or simulated) into a store.

    Example: tempgen prepare --set data.source=bids --set data.path=ds000105 --set data.subject=1
    """
    from tempgen.workflow import prepare_recording

    loaded = _load(analysis, assignments)
    prepare_recording(loaded, say=typer.echo, n_jobs=jobs, overwrite=overwrite, recheck=True)


@app.command("train-general", rich_help_panel=DECODERS)
def train_general(
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Train the General decoder: one window, later tested at all shifts.

    Example: tempgen train-general
    """
    from tempgen.workflow import train_decoders

    loaded = _load(analysis, assignments)
    train_decoders(loaded, [loaded.training.general_delta], say=typer.echo, overwrite=overwrite)


@app.command("train-specialized", rich_help_panel=DECODERS)
def train_specialized(
    delta: Delta = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Train the Specialized decoders, one for each shift of the window.

    Lags that the analysis has are trained as part of it; others replace its training.deltas.

    Example: tempgen train-specialized --delta -2..13
    """
    from tempgen.windows import parse_deltas
    from tempgen.workflow import train_decoders

    loaded = _load(analysis, assignments)
    deltas = parse_deltas(delta) if delta is not None else loaded.training.deltas
    if not set(deltas) <= set(loaded.all_deltas):
        loaded = _load(analysis, assignments, training__deltas=delta)
    train_decoders(loaded, deltas, say=typer.echo, overwrite=overwrite)


@app.command(rich_help_panel=REPORT)
def evaluate(
    delta: Delta = None,
    matrix: Annotated[
        bool | None, typer.Option("--matrix", help="Every train lag at every test lag.")
    ] = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Score General and Specialized decoders at shifted windows.

    Example: tempgen evaluate --matrix
    """
    from tempgen.workflow import evaluate_decoders

    loaded = _load(analysis, assignments, evaluation__deltas=delta, evaluation__matrix=matrix or None)
    evaluate_decoders(loaded, say=typer.echo, overwrite=overwrite)


@app.command(rich_help_panel=REPORT)
def figures(
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw metric-by-lag curves and the generalization matrix.

    Example: tempgen figures
    """
    from tempgen.workflow import draw_figures

    draw_figures(_load(analysis, assignments), say=typer.echo, overwrite=overwrite)


@app.command(rich_help_panel=REPORT)
def export(
    results: Annotated[Path, typer.Argument(help="A result, or the folder of an analysis.")],
    out: Annotated[Path, typer.Argument(help="The netCDF file to write.")],
) -> None:
    """Write a result as one netCDF file to mail.

    Example: tempgen export outputs/demo demo.nc
    """
    from tempgen.results import export_netcdf, open_results

    typer.echo(f"wrote {export_netcdf(open_results(results), out)}")


@app.command(rich_help_panel="All of it")
def run(
    analysis: Annotated[
        Path | None, typer.Argument(help="Analysis file; default: tempgen.yaml.", show_default=False)
    ] = None,
    file: AnalysisFile = None,
    assignments: Assignments = None,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
) -> None:
    """Do every step of an analysis, skipping what is done.

    Example: tempgen run analyses/demo.yaml
    """
    from tempgen.workflow import run_analysis

    run_analysis(_load(analysis or file, assignments), say=typer.echo, n_jobs=jobs, overwrite=overwrite)


def main() -> None:
    """Entry point: errors that tempgen raises on purpose are printed as one message, without a traceback."""
    try:
        app()
    except TempgenError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that may not be written
        typer.echo(f"{type(error).__name__}: {error}; what was finished before is kept", err=True)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            typer.echo("stopped; what was finished is kept, the same command goes on from there", err=True)
        raise
