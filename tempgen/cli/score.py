"""The command that scores reconstructions that are there, whoever made them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import SuiteName


def score(
    reconstructions: Annotated[
        Path,
        typer.Argument(
            help="A store of 'tempgen reconstruct', an analysis' folder, or a folder of image pairs (seen/NAME.png, reconstructed/NAME.png)."
        ),
    ],
    suite: SuiteName = None,
    seen: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the seen images; RECONSTRUCTIONS is then that of the others.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write the scores: .nc, of a store also .zarr.", show_default=False),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Some of the suite, joined by commas; default: all.", show_default=False, metavar="NAMES"
        ),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            help="Of two-way identification: reconstruction-to-seen or seen-to-reconstruction; default: the suite's.",
            show_default=False,
        ),
    ] = None,
    segmentation: Annotated[
        str | None,
        typer.Option(
            help="Another ADE20K segmentation model for mIoU: REPOSITORY@COMMIT or a folder.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Of networks, e.g. cpu; default: a GPU if there is one.", show_default=False),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the features of images for the next time.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace other scores at --out.")] = False,
) -> None:
    """Score reconstructions that are there: a store, or anybody's folder of image pairs.

    Prints the mean, its standard error and the chance level of each metric; of a store, for the General decoder at lag 0,
    while --out holds all lags. Stopped and started again with the same --out, it goes on with a store where it was.

    Example: tempgen score outputs/dynadiff_demo --suite pixels --out scores.nc
    """
    from tempgen.workflow import score_reconstructions

    score_reconstructions(
        reconstructions,
        suite=suite,
        seen=seen,
        metrics=None if metrics is None else [name.strip() for name in metrics.split(",")],
        identification=direction,  # type: ignore[arg-type] # refused by name where it is none
        segmentation=segmentation,
        out=out,
        device=device,
        feature_cache=cache,
        say=typer.echo,
        overwrite=overwrite,
    )
