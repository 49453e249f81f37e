"""The command that trains the embedded ``scenes`` backbone: how the weights in the package were made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempgen.cli.options import Assignments, Overwrite


def pretrain_scenes(
    out: Annotated[
        Path, typer.Argument(help="Run folder; the backbone will lie in OUT/scenes, its judges beside it.")
    ],
    stages: Annotated[
        str,
        typer.Option(help="Which of autoencoder, encoder, classifier, segmenter and unet, joined by commas."),
    ] = "autoencoder,encoder,classifier,segmenter,unet",
    assignments: Assignments = None,
    overwrite: Overwrite = False,
) -> None:
    """Train the embedded diffusion model of scenes and the networks that judge it, check them and write their model cards.

    The package has its result already. Takes about an hour on two cores; stopped, it goes on where it was. With
    `OMP_NUM_THREADS=1 ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 -m tempgen pretrain-scenes OUT` both train together.

    Example: tempgen pretrain-scenes outputs/scenes --set unet.n_steps=200
    """
    from tempgen.config.files import parse_assignments
    from tempgen.config.scenes_pretraining import with_options
    from tempgen.workflow.pretraining import make_scenes_backbone

    config = with_options(parse_assignments(assignments or []))
    make_scenes_backbone(
        config,
        out,
        stages=tuple(stage.strip() for stage in stages.split(",")),
        say=typer.echo,
        overwrite=overwrite,
    )
