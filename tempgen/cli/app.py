"""The commands, in the order in which an analysis uses them. Heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tempgen.cli.controls import controls
from tempgen.cli.deconvolve import deconvolve
from tempgen.cli.download import download_nsd
from tempgen.cli.dynamics import dynamics
from tempgen.cli.launch_options import DryRun, Launcher, Resources, launch
from tempgen.cli.options import (
    AnalysisFile,
    Assignments,
    Backbone,
    Decoder,
    Delta,
    Jobs,
    Overwrite,
    SuiteName,
    TrainDelta,
    load,
    load_study,
)
from tempgen.cli.plan import plan
from tempgen.cli.pretraining import pretrain_scenes
from tempgen.cli.released import import_released
from tempgen.cli.report import report
from tempgen.cli.score import score
from tempgen.cli.separability import separability
from tempgen.cli.status import status
from tempgen.cli.validate import validate
from tempgen.errors import TempgenError

INTERRUPTED = (130, 143)
"""Exit statuses after Ctrl-C and SIGTERM. Source: 128 + signal, the shells' convention."""
DATA, DECODERS, REPORT = "1. The recording", "2. The decoders", "3. The result"
MODELS = "Models"

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


@app.command(rich_help_panel=DATA)
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


app.command("download-nsd", rich_help_panel=DATA)(download_nsd)


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

    loaded = load(analysis, assignments)
    prepare_recording(loaded, say=typer.echo, n_jobs=jobs, overwrite=overwrite, recheck=True)


app.command(rich_help_panel=DATA)(deconvolve)


@app.command("train-general", rich_help_panel=DECODERS)
def train_general(
    decoder: Decoder = None,
    backbone: Backbone = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
    launcher: Launcher = None,
    resources: Resources = None,
    dry_run: DryRun = False,
) -> None:
    """Train the General decoder: one window, later tested at all shifts.

    Stopped and started again, it goes on where it was.

    Example: tempgen train-general --decoder dynadiff --backbone scenes
    """
    from tempgen.workflow import train_decoders

    loaded = load(analysis, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    deltas = [loaded.training.general_delta]
    tasks: dict[str, Any] = {"deltas": deltas, "evaluate": False, "dry_run": dry_run, "overwrite": overwrite}
    if launch([loaded], launcher, resources, **tasks):
        train_decoders(loaded, deltas, say=typer.echo, overwrite=overwrite)


@app.command("train-specialized", rich_help_panel=DECODERS)
def train_specialized(
    delta: Delta = None,
    decoder: Decoder = None,
    backbone: Backbone = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
    launcher: Launcher = None,
    resources: Resources = None,
    dry_run: DryRun = False,
) -> None:
    """Train the Specialized decoders, one for each shift of the window.

    Lags that the analysis has are trained as part of it; others replace its training.deltas. Stopped and started again,
    it goes on with the lag it was at.

    Example: tempgen train-specialized --delta -2..13
    """
    from tempgen.windows import parse_deltas
    from tempgen.workflow import train_decoders

    chosen = {"decoder__kind": decoder, "decoder__backbone": backbone}
    loaded = load(analysis, assignments, **chosen)
    deltas = parse_deltas(delta) if delta is not None else loaded.training.deltas
    if not set(deltas) <= set(loaded.all_deltas):
        loaded = load(analysis, assignments, training__deltas=delta, **chosen)
    tasks: dict[str, Any] = {"deltas": deltas, "evaluate": False, "dry_run": dry_run, "overwrite": overwrite}
    if launch([loaded], launcher, resources, **tasks):
        train_decoders(loaded, deltas, say=typer.echo, overwrite=overwrite)


@app.command(rich_help_panel=REPORT)
def evaluate(
    delta: Delta = None,
    train_delta: TrainDelta = None,
    matrix: Annotated[
        bool | None, typer.Option("--matrix", help="Every train lag at every test lag.")
    ] = None,
    suite: SuiteName = None,
    decoder: Decoder = None,
    backbone: Backbone = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
    launcher: Launcher = None,
    resources: Resources = None,
    dry_run: DryRun = False,
) -> None:
    """Score General and Specialized decoders at shifted windows.

    Rows and columns of the matrix: --matrix --train-delta 0,3 --delta -2..5

    Example: tempgen evaluate --matrix
    """
    from tempgen.workflow import evaluate_decoders

    loaded = load(
        analysis,
        assignments,
        evaluation__deltas=delta,
        evaluation__train_deltas=train_delta,
        evaluation__matrix=matrix or None,
        evaluation__suite=suite,
        decoder__kind=decoder,
        decoder__backbone=backbone,
    )
    if launch([loaded], launcher, resources, train=False, dry_run=dry_run, overwrite=overwrite):
        evaluate_decoders(loaded, say=typer.echo, overwrite=overwrite)


@app.command(rich_help_panel=REPORT)
def reconstruct(
    keep: Annotated[
        str | None,
        typer.Option("--keep", help="Of how many test trials, or all.", show_default=False, metavar="N|all"),
    ] = None,
    delta: Delta = None,
    decoder: Decoder = None,
    backbone: Backbone = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a store of reconstructed images beside the seen ones; nothing is scored.

    The room that it takes is told before. Lags that the analysis tests are taken from it; others replace its
    evaluation.deltas. Stopped and started again, it goes on where it was.

    Example: tempgen reconstruct --keep 12 --delta -3..3
    """
    from tempgen.config.files import read_yaml
    from tempgen.windows import parse_deltas
    from tempgen.workflow import reconstruct_images

    chosen = {"decoder__kind": decoder, "decoder__backbone": backbone}
    chosen["evaluation__keep_reconstructions"] = None if keep is None else read_yaml(keep)
    loaded = load(analysis, assignments, **chosen)
    deltas = None if delta is None else parse_deltas(delta)
    if not set(deltas or ()) <= set(loaded.evaluated_deltas):
        loaded = load(analysis, assignments, evaluation__deltas=delta, **chosen)
    reconstruct_images(loaded, deltas, say=typer.echo, overwrite=overwrite)


app.command(rich_help_panel=REPORT)(score)
app.command(rich_help_panel=REPORT)(controls)
app.command(rich_help_panel=REPORT)(dynamics)
app.command(rich_help_panel=REPORT)(separability)


@app.command(rich_help_panel=REPORT)
def figures(
    decoder: Decoder = None,
    backbone: Backbone = None,
    analysis: AnalysisFile = None,
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw metric-by-lag curves, the generalization matrix and, where they are kept, reconstructions.

    Example: tempgen figures
    """
    from tempgen.workflow import draw_figures

    study = load_study(analysis, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    if study is not None:
        from tempgen.workflow.study import draw_study

        draw_study(study, say=typer.echo, overwrite=overwrite)
        return
    loaded = load(analysis, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    draw_figures(loaded, say=typer.echo, overwrite=overwrite)


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


app.command(rich_help_panel=REPORT)(report)


@app.command(rich_help_panel="All of it")
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


app.command(rich_help_panel="All of it")(status)
app.command(rich_help_panel="All of it")(plan)
app.command(rich_help_panel="Simulated truth")(validate)
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
