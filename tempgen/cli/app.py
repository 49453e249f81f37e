"""The commands, in the order in which an analysis uses them. Heavy imports wait until a command runs."""

from __future__ import annotations

import sys

import typer

from tempgen.cli.analysis import init, run
from tempgen.cli.controls import controls
from tempgen.cli.decoders import evaluate, reconstruct, train_general, train_specialized
from tempgen.cli.deconvolve import deconvolve
from tempgen.cli.download import download_nsd
from tempgen.cli.dynamics import dynamics
from tempgen.cli.plan import plan
from tempgen.cli.pretraining import pretrain_scenes
from tempgen.cli.recording import prepare, simulate
from tempgen.cli.released import import_released
from tempgen.cli.report import report
from tempgen.cli.results import export, figures
from tempgen.cli.score import score
from tempgen.cli.separability import separability
from tempgen.cli.status import status
from tempgen.cli.validate import validate
from tempgen.errors import TempgenError

INTERRUPTED = (130, 143)
"""Exit statuses after Ctrl-C and SIGTERM. Source: 128 + signal, the shells' convention."""
DATA, DECODERS, REPORT = "1. The recording", "2. The decoders", "3. The result"
WHOLE, TRUTH, MODELS = "All of it", "Simulated truth", "Models"

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

app.command(rich_help_panel=DATA)(init)
app.command(rich_help_panel=DATA)(simulate)
app.command("download-nsd", rich_help_panel=DATA)(download_nsd)
app.command(rich_help_panel=DATA)(prepare)
app.command(rich_help_panel=DATA)(deconvolve)

app.command("train-general", rich_help_panel=DECODERS)(train_general)
app.command("train-specialized", rich_help_panel=DECODERS)(train_specialized)

app.command(rich_help_panel=REPORT)(evaluate)
app.command(rich_help_panel=REPORT)(reconstruct)
app.command(rich_help_panel=REPORT)(score)
app.command(rich_help_panel=REPORT)(controls)
app.command(rich_help_panel=REPORT)(dynamics)
app.command(rich_help_panel=REPORT)(separability)
app.command(rich_help_panel=REPORT)(figures)
app.command(rich_help_panel=REPORT)(export)
app.command(rich_help_panel=REPORT)(report)

app.command(rich_help_panel=WHOLE)(run)
app.command(rich_help_panel=WHOLE)(status)
app.command(rich_help_panel=WHOLE)(plan)

app.command(rich_help_panel=TRUTH)(validate)

app.command("import-released", rich_help_panel=MODELS)(import_released)
app.command("pretrain-scenes", rich_help_panel=MODELS)(pretrain_scenes)


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
        if stop.code in INTERRUPTED:
            typer.echo("stopped; what was finished is kept, the same command goes on from there", err=True)
        raise
