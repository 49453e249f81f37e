"""The command that makes decoder folders of the weights that the authors of Dynadiff released."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_released(
    source: Annotated[
        Path, typer.Argument(help="Folder of a DeepSpeed checkpoint, or a file of safetensors or torch.")
    ],
    out: Annotated[
        Path, typer.Argument(help="The decoder folder to write; with --to-safetensors, the file.")
    ],
    subject: Annotated[str, typer.Option(help="Whose layer the checkpoint has, as in the analysis.")] = "1",
    backbone: Annotated[
        str, typer.Option(help="Diffusion model that they steer.", metavar="NAME")
    ] = "versatile-diffusion",
    backbone_folder: Annotated[
        Path | None, typer.Option(help="Local copy of the diffusion model.", show_default=False)
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Beginning of names to leave out knowingly; may be repeated.",
            show_default=False,
            metavar="NAME",
        ),
    ] = None,
    to_safetensors: Annotated[
        bool, typer.Option("--to-safetensors", help="Only convert DeepSpeed's shards to one file.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the decoder or file at OUT.")
    ] = False,
) -> None:
    """Make a decoder folder of the weights that the authors of Dynadiff released.

    Names that are missing or unexpected in the checkpoint are listed and refused, never ignored.

    Example: tempgen import-released checkpoints/sub01 decoders/released-1 --subject 1
    """
    from tempgen.workflow.released import import_released_weights

    written = import_released_weights(
        source,
        out,
        subject=subject,
        backbone=backbone,
        backbone_folder=backbone_folder,
        leave_out=tuple(leave_out or ()),
        to_safetensors=to_safetensors,
        overwrite=overwrite,
        say=typer.echo,
    )
    typer.echo(f"wrote {written}")
