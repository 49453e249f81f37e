"""The commands that train decoders, score them and keep what they reconstruct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tempgen.cli.launch_options import DryRun, Launcher, Resources, launch
from tempgen.cli.options import (
    AnalysisFile,
    Assignments,
    Backbone,
    Decoder,
    Delta,
    Overwrite,
    SuiteName,
    TrainDelta,
    load,
)

if TYPE_CHECKING:
    from tempgen.config import Analysis


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
    loaded = load(analysis, assignments, decoder__kind=decoder, decoder__backbone=backbone)
    deltas = [loaded.training.general_delta]
    _train(loaded, deltas, launcher, resources, dry_run=dry_run, overwrite=overwrite)


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

    chosen = {"decoder__kind": decoder, "decoder__backbone": backbone}
    loaded = load(analysis, assignments, **chosen)
    deltas = parse_deltas(delta) if delta is not None else loaded.training.deltas
    if not set(deltas) <= set(loaded.all_deltas):
        loaded = load(analysis, assignments, training__deltas=delta, **chosen)
    _train(loaded, deltas, launcher, resources, dry_run=dry_run, overwrite=overwrite)


def _train(
    analysis: Analysis,
    deltas: Sequence[int],
    launcher: str | None,
    resources: list[str] | None,
    *,
    dry_run: bool,
    overwrite: bool,
) -> None:
    from tempgen.workflow import train_decoders

    tasks: dict[str, Any] = {"deltas": deltas, "evaluate": False, "dry_run": dry_run, "overwrite": overwrite}
    if launch([analysis], launcher, resources, **tasks):
        train_decoders(analysis, deltas, say=typer.echo, overwrite=overwrite)


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
